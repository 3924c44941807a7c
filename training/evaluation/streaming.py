"""A whole signal through a separator, as in a show, with its estimates back in their place; or through the
network of a tracker alone."""

from collections.abc import Iterator

import numpy as np

from rtsep.models.choir.hop_amplitude import HopAmplitude
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import Audio

# About 10 ms, odd and prime: cuts hops at every offset, and is how often the tracked F0 is looked at.
BLOCK_SAMPLES = 163


def stream(
    separator: Separator, mixture: Audio, block_samples: int = BLOCK_SAMPLES
) -> tuple[Audio, Contours]:
    """A whole signal through `Separator.process`, block by block, its estimates aligned with the input.

    Tracked F0 is noted after every block, with the time that the stage gives it (`Preset.pitch_delay_s`).

    Shape:
        mixture: float32 [samples].
        returns float32 [voices, samples] (the residual left out), and the F0 the model reported.
    """
    latency, hop, samples = separator.latency_samples, separator.hop, len(mixture)
    padded = np.concatenate([mixture, np.zeros(latency, np.float32)])
    out = np.empty((len(separator.stems), len(padded)), np.float32)
    delay_s = separator.preset.pitch_delay_s
    times_s, f0_hz = [], []
    for start in range(0, len(padded), block_samples):
        stop = min(start + block_samples, len(padded))
        out[:, start:stop] = separator.process(padded[start:stop])[:, :, 0]
        frame_end = stop // hop * hop
        times_s.append(frame_end / separator.samplerate - delay_s)
        f0_hz.append(separator.voices.f0_hz.copy())
    return out[:-1, latency : latency + samples], Contours(np.array(times_s), np.array(f0_hz, np.float64))


def looks(tracker: NetworkTracker, preset: Preset, sound: Audio) -> Iterator[float]:
    """Every look of a tracker's network at a whole signal: when in it that is meant, in s.

    What it found is in `tracker.found` until the next look.

    Args:
        tracker: fresh, for the framing of `preset`.
        preset: one that does not decide later.
        sound: float32 [samples].
    """
    hop, ear = preset.hop, HopAmplitude(preset.framing, 1)
    for start in range(0, len(sound) - hop + 1, hop):
        ear.take(np.ascontiguousarray(sound[start : start + hop, None]))
        if tracker.hear(ear.read()):
            yield (start + hop) / preset.samplerate - preset.pitch_delay_s
