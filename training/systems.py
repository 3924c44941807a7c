"""The systems `rtsep eval` compares, each a way from a mixture to aligned estimates of its voices.

Separators run as in a show: one stream through `Separator.process`, in blocks that divide no hop, its
output moved by `latency_samples`. By default the stream is the whole piece, so trackers and levels are warm
in every excerpt but the first, which is not scored. The *strict* variant follows the paper to the letter
instead: every 4 s excerpt is normalised to a peak of one and goes through a freshly reset separator. It
differs wherever a model remembers more than a frame or knows an absolute level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.models.f0_track import F0Track
from rtsep.rt.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.oracle import IdealMasks, centred_ideal_masks
from rtsep.training.protocol import SAMPLERATE, Audio, excerpts, peak_gain

# About 10 ms, odd and prime: cuts hops at every offset, and is how often the tracked F0 is looked at.
BLOCK_SAMPLES = 163


@dataclass(frozen=True)
class System:
    """A row of the table.

    Attributes:
        title: what the table calls it; `ideal mask` works at the table's latency, `centred` as published.
        model: name for `Separator.load`, or None where no trained or tracked model takes part.
        f0: "given", "tracked", or None where pitch takes no part.
        streaming: whether it depends on the latency preset.
    """

    title: str
    model: str | None
    f0: str | None
    streaming: bool


SYSTEMS = {
    "mixture": System("mixture", None, None, False),
    "fixed-given": System("fixed comb, given", "choir-fixed", "given", True),
    "adaptive-given": System("adaptive comb, given", "choir", "given", True),
    "fixed-tracked": System("fixed comb, tracked", "choir-fixed", "tracked", True),
    "adaptive-tracked": System("adaptive comb, tracked", "choir", "tracked", True),
    "ideal": System("ideal mask", None, None, True),
    "ideal-power": System("ideal mask, squared", None, None, True),
    "ideal-centred": System("ideal mask, centred", None, None, False),
}


# exponent of the magnitudes that make the mask
IDEAL_POWERS = {"ideal": 1, "ideal-power": 2}


@dataclass(frozen=True)
class Contours:
    """F0 over time: times_s float64 [points], f0_hz float64 [points, voices], 0 where unvoiced."""

    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float64]

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nearest points, [len(times_s), voices]."""
        middles = 0.5 * (self.times_s[1:] + self.times_s[:-1])
        return self.f0_hz[np.searchsorted(middles, times_s)]

    def shifted(self, by_s: float) -> "Contours":
        """The same contours, later by `by_s`."""
        return Contours(self.times_s + by_s, self.f0_hz)

    def between(self, start_s: float, stop_s: float) -> "Contours":
        """The points with start_s <= time < stop_s."""
        inside = (self.times_s >= start_s) & (self.times_s < stop_s)
        return Contours(self.times_s[inside], self.f0_hz[inside])

    @staticmethod
    def joined(parts: "list[Contours]") -> "Contours":
        """One after another, as they are."""
        return Contours(np.concatenate([p.times_s for p in parts]), np.concatenate([p.f0_hz for p in parts]))


def stream(
    separator: Separator, mixture: Audio, block_samples: int = BLOCK_SAMPLES
) -> tuple[Audio, Contours]:
    """A whole signal through `Separator.process`, block by block, its estimates aligned with the input.

    Tracked F0 is noted after every block, and dated to the middle of the samples its masks shaped: the
    frame that ends at t is synthesised over [t - 2M, t), so its middle is t - M.

    Shape:
        mixture: float32 [samples].
        returns float32 [voices, samples] (the residual left out), and the F0 the model reported.
    """
    latency, hop, samples = separator.latency_samples, separator.hop, len(mixture)
    padded = np.concatenate([mixture, np.zeros(latency, np.float32)])
    out = np.empty((len(separator.stems), len(padded)), np.float32)
    times_s, f0_hz = [], []
    for start in range(0, len(padded), block_samples):
        stop = min(start + block_samples, len(padded))
        out[:, start:stop] = separator.process(padded[start:stop])[:, :, 0]
        frame_end = stop // hop * hop
        times_s.append((frame_end - latency / 2) / separator.samplerate)
        f0_hz.append(separator.voices.f0_hz.copy())
    return out[:-1, latency : latency + samples], Contours(np.array(times_s), np.array(f0_hz, np.float64))


@dataclass(frozen=True)
class Estimate:
    """Estimates float32 [voices, samples]; tracked F0 where the system tracked any."""

    voices: Audio
    tracked: Contours | None


def separate(
    name: str, stems: Audio, latency_ms: int, given: Contours | None, strict: bool = False
) -> Estimate:
    """Runs one system on the sum of `stems`.

    Args:
        name: key of `SYSTEMS`.
        stems: float32 [voices, samples] at 16 kHz; all but the ideal masks see their sum only.
        latency_ms: preset.
        given: F0 of the stems; needed by systems with `f0 == "given"`.
        strict: every excerpt by itself, see the module's text. Samples outside the excerpts are then zero.
    """
    if name == "ideal-centred":  # the published masks see one excerpt at a time, in either variant
        voices = np.zeros_like(stems)
        for excerpt in excerpts(stems.shape[1]):
            voices[:, excerpt] = centred_ideal_masks(stems[:, excerpt])
        return Estimate(voices, None)
    if not strict:
        return _separate_stream(name, stems, latency_ms, given)
    voices = np.zeros_like(stems)
    tracked = []
    for excerpt in excerpts(stems.shape[1]):
        start_s, stop_s = excerpt.start / SAMPLERATE, excerpt.stop / SAMPLERATE
        gain = np.float32(peak_gain(stems[:, excerpt].sum(axis=0)))
        here = given.shifted(-start_s) if given is not None else None
        part = _separate_stream(name, gain * stems[:, excerpt], latency_ms, here)
        voices[:, excerpt] = part.voices / gain
        if part.tracked is not None:
            tracked.append(part.tracked.shifted(start_s).between(start_s, stop_s))
    return Estimate(voices, Contours.joined(tracked) if tracked else None)


def _separate_stream(name: str, stems: Audio, latency_ms: int, given: Contours | None) -> Estimate:
    mixture = stems.sum(axis=0)
    if name == "mixture":
        return Estimate(np.broadcast_to(mixture, stems.shape).copy(), None)
    preset = Preset(SAMPLERATE, latency_ms)
    if name in IDEAL_POWERS:
        model = IdealMasks(stems, preset.framing, IDEAL_POWERS[name])
        return Estimate(stream(Separator(model, preset), mixture)[0], None)
    system = SYSTEMS[name]
    assert system.model is not None
    track = None
    if system.f0 == "given":
        if given is None:
            raise ValueError(f"{name} needs the F0 of the stems")
        track = F0Track(given.times_s, given.f0_hz)
    separator = Separator.load(
        system.model, voices=len(stems), samplerate=SAMPLERATE, latency_ms=latency_ms, f0=track
    )
    voices, tracked = stream(separator, mixture)
    return Estimate(voices, tracked if system.f0 == "tracked" else None)
