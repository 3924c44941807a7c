"""F0 of single voices: what the mixture's tracker is measured against, and the `given F0` of the systems.

Two trackers that share nothing look at every stem: swift-f0 (a network on the spectrogram) and dio of WORLD
(low-pass filters and zero crossings; Morise et al. 2009). The first is the truth by itself, for the given F0
and for scores that compare with published ones; where both agree on a pitch or on silence the truth is
beyond dispute. In the tail of a reverberation, for one, they differ.
"""

import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.cache_folder import cache_folder
from rtsep.training.files.atomic_write import place
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio

# Sung F0 from below a bass's C2 to above a soprano's C6; narrower than the trackers' own ranges, so that hum
# and whistling partials are no candidates.
MIN_F0_HZ, MAX_F0_HZ = 60.0, 1100.0
# swift-f0 calibrates its confidence so that a frame is voiced from here on.
VOICED_CONFIDENCE = 0.5
F0_HOP_S = 256 / SAMPLERATE
# Trackers that differ by more than half a semitone follow different pitches.
AGREED_CENTS = 50.0

Hz = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class F0Truth:
    """F0 of every stem by two trackers on one grid, 0 where unvoiced.

    times_s : float64 [points]
    first_hz, second_hz : float64 [points, voices], by swift-f0 and by dio
    """

    times_s: Hz
    first_hz: Hz
    second_hz: Hz

    @property
    def contours(self) -> Contours:
        """The truth by swift-f0 alone."""
        return Contours(self.times_s, self.first_hz)

    @property
    def voiced(self) -> Flags:
        """Where both find a pitch, within 50 cents: bool [points, voices]."""
        both = (self.first_hz > 0) & (self.second_hz > 0)
        ratio = np.where(both, self.first_hz, 1.0) / np.where(both, self.second_hz, 1.0)
        return both & (1200.0 * np.abs(np.log2(ratio)) <= AGREED_CENTS)

    @property
    def silent(self) -> Flags:
        """Where neither finds a pitch: bool [points, voices]."""
        return (self.first_hz <= 0) & (self.second_hz <= 0)

    def between(self, start_s: float, stop_s: float) -> "F0Truth":
        """The points with start_s <= time < stop_s."""
        inside = (self.times_s >= start_s) & (self.times_s < stop_s)
        return F0Truth(self.times_s[inside], self.first_hz[inside], self.second_hz[inside])


def default_cache() -> Path:
    """Where F0 contours are kept between runs."""
    return cache_folder("f0")


def swift_f0_version() -> str:
    """Version of the single-voice tracker.

    Raises:
        RtsepError: it is not installed.
    """
    try:
        return importlib.metadata.version("swift-f0")
    except importlib.metadata.PackageNotFoundError:
        raise RtsepError(
            "the F0 of the stems needs swift-f0, which is not installed", "run pip install 'rtsep[eval]'"
        ) from None


def stem_f0(stem: Audio, cache: Path) -> Hz:
    """F0 of one voice by swift-f0.

    The stem is normalised to a peak of one first: the tracker takes frames that peak below 1e-3 for
    silence, and some stems are recorded quietly. Contours are kept in `cache` under the hash of samples,
    tracker and bounds.

    Shape:
        stem: float32 [samples] at 16 kHz.
        returns float64 [points]: Hz at 0, 16, 32, ... ms, 0 where unvoiced.
    """
    return _cached(stem, cache, f"swift-f0 {swift_f0_version()} {VOICED_CONFIDENCE}", swift_f0)


def second_f0(stem: Audio, cache: Path) -> Hz:
    """F0 of one voice by dio, refined by StoneMask; otherwise as `stem_f0`."""
    version = importlib.metadata.version("pyworld-prebuilt")
    return _cached(stem, cache, f"dio {version}", _dio)


def mixture_f0(stems: Sequence[Audio], cache: Path) -> Contours:
    """F0 of every voice of a mixture, stems float32 [samples] at 16 kHz, cut to the shortest."""
    return Contours(*_aligned([stem_f0(stem, cache) for stem in stems]))


def mixture_truth(stems: Sequence[Audio], cache: Path) -> F0Truth:
    """F0 of every voice by both trackers, stems float32 [samples] at 16 kHz, cut to the shortest."""
    found = [stem_f0(stem, cache) for stem in stems] + [second_f0(stem, cache) for stem in stems]
    times_s, f0_hz = _aligned(found)
    return F0Truth(times_s, f0_hz[:, : len(stems)], f0_hz[:, len(stems) :])


def _aligned(contours: list[Hz]) -> tuple[Hz, Hz]:
    points = min(map(len, contours))
    times_s = np.arange(points, dtype=np.float64) * F0_HOP_S
    return times_s, np.stack([f0_hz[:points] for f0_hz in contours], axis=1)


def _cached(stem: Audio, cache: Path, tracker: str, detect: Callable[[Audio], Hz]) -> Hz:
    key = hashlib.sha256(stem.tobytes())
    key.update(f"{tracker} {MIN_F0_HZ} {MAX_F0_HZ}".encode())
    file = cache / f"{key.hexdigest()[:32]}.csv"
    if not file.exists():
        peak = float(np.max(np.abs(stem), initial=0.0))
        _write(file, detect(stem / peak) if peak > 0.0 else np.zeros(max(1, len(stem) // 256)))
    # read back even when fresh: a first run and a later one work with the same digits
    return np.loadtxt(file, delimiter=",", skiprows=1, usecols=1, ndmin=1)


def swift_f0(stem: Audio) -> Hz:
    """`stem_f0` of a stem with a peak of about one, without a cache."""
    from swift_f0 import SwiftF0

    found = SwiftF0(threads=1).detect(stem, SAMPLERATE, fmin=MIN_F0_HZ, fmax=MAX_F0_HZ)
    return np.where(found.confidence >= VOICED_CONFIDENCE, found.pitch_hz, 0.0)


def _dio(stem: Audio) -> Hz:
    import pyworld

    signal = stem.astype(np.float64)
    found, times_s = pyworld.dio(
        signal, SAMPLERATE, f0_floor=MIN_F0_HZ, f0_ceil=MAX_F0_HZ, frame_period=1000.0 * F0_HOP_S
    )
    return np.asarray(pyworld.stonemask(signal, found, times_s, SAMPLERATE), np.float64)


def _write(file: Path, f0_hz: Hz) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{i * F0_HOP_S:.3f},{f0:.3f}\n" for i, f0 in enumerate(f0_hz))
        place(file, f"time_s,f0_hz\n{rows}".encode())
    except OSError as error:
        raise RtsepError(
            f"the F0 cache {file.parent} cannot be written ({error.strerror})",
            "give --cache a writable folder",
        ) from None
