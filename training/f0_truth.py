"""F0 of single voices: what the mixture's tracker is measured against, and the `given F0` of the combs."""

import hashlib
import importlib.metadata
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.protocol import SAMPLERATE, Audio
from rtsep.training.whole_files import place

# Sung F0 from below a bass's C2 to above a soprano's C6; narrower than the tracker's own 47..2094 Hz, so that
# hum and whistling partials are no candidates.
MIN_F0_HZ, MAX_F0_HZ = 60.0, 1100.0
# swift-f0 calibrates its confidence so that a frame is voiced from here on.
VOICED_CONFIDENCE = 0.5
F0_HOP_S = 256 / SAMPLERATE

Contours = NDArray[np.float64]


def default_cache() -> Path:
    """Where F0 contours are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rtsep" / "f0"


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


def stem_f0(stem: Audio, cache: Path) -> Contours:
    """F0 of one voice by swift-f0.

    The stem is normalised to a peak of one first: the tracker takes frames that peak below 1e-3 for
    silence, and some stems are recorded quietly. Contours are kept in `cache` under the hash of samples,
    tracker and bounds.

    Shape:
        stem: float32 [samples] at 16 kHz.
        returns float64 [points]: Hz at 0, 16, 32, ... ms, 0 where unvoiced.
    """
    key = hashlib.sha256(stem.tobytes())
    key.update(f"swift-f0 {swift_f0_version()} {MIN_F0_HZ} {MAX_F0_HZ} {VOICED_CONFIDENCE}".encode())
    file = cache / f"{key.hexdigest()[:32]}.csv"
    if not file.exists():
        _write(file, _detect(stem))
    # read back even when fresh: a first run and a later one work with the same digits
    return np.loadtxt(file, delimiter=",", skiprows=1, usecols=1, ndmin=1)


def _detect(stem: Audio) -> Contours:
    from swift_f0 import SwiftF0

    peak = float(np.max(np.abs(stem), initial=0.0))
    if peak == 0.0:
        return np.zeros(max(1, len(stem) // 256))
    found = SwiftF0(threads=1).detect(stem / peak, SAMPLERATE, fmin=MIN_F0_HZ, fmax=MAX_F0_HZ)
    return np.where(found.confidence >= VOICED_CONFIDENCE, found.pitch_hz, 0.0)


def _write(file: Path, f0_hz: Contours) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{i * F0_HOP_S:.3f},{f0:.3f}\n" for i, f0 in enumerate(f0_hz))
        place(file, f"time_s,f0_hz\n{rows}".encode())
    except OSError as error:
        raise RtsepError(
            f"the F0 cache {file.parent} cannot be written ({error.strerror})",
            "give --cache a writable folder",
        ) from None


def mixture_f0(stems: Audio, cache: Path) -> tuple[NDArray[np.float64], Contours]:
    """F0 of every voice of a mixture.

    Shape:
        stems: float32 [voices, samples] at 16 kHz.
        returns times_s float64 [points], f0_hz float64 [points, voices], 0 where unvoiced.
    """
    contours = [stem_f0(stem, cache) for stem in stems]
    times_s = np.arange(len(contours[0]), dtype=np.float64) * F0_HOP_S
    return times_s, np.stack(contours, axis=1)
