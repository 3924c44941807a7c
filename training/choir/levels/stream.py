"""A whole mixture with its targets, read once by the comb as on stage; excerpts of it make batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.frontend import TorchFrontend
from rtsep.training.choir.levels.batches import LevelBatch
from rtsep.training.choir.levels.comb_reading import NetworkInputs, Reading, read, stacked
from rtsep.training.choir.levels.mixtures import F32, F64, f0_at
from rtsep.training.measures.protocol import SAMPLERATE


@dataclass(frozen=True)
class LevelStream:
    """The input of a levels network at one preset, V voices.

    Unlike the mixtures of `LevelBatches`, excerpts begin with the envelopes learnt so far, as in a show.

    Attributes:
        latency_ms: preset.
        mixture: float32 [samples]; stems: float32 [V, samples], what the voices shall be.
        reading: of all hops.
    """

    latency_ms: int
    mixture: Tensor
    stems: Tensor
    reading: Reading

    @property
    def hop(self) -> int:
        """Samples."""
        return Preset(SAMPLERATE, self.latency_ms).hop

    @property
    def hops(self) -> int:
        """How many."""
        return len(self.reading.inputs.f0_hz)


def level_stream(mixture: F32, stems: F32, f0_hz: NDArray[np.floating], latency_ms: int) -> LevelStream:
    """Reads a mixture.

    Args:
        mixture: [samples].
        stems: [V, samples].
        f0_hz: [hops, V], as the tracker of this preset says it hop by hop.
        latency_ms: preset.
    """
    framing = Preset(SAMPLERATE, latency_ms).framing
    audio = torch.from_numpy(mixture)
    spectrum = TorchFrontend(framing).spectra(audio, 0, len(f0_hz))
    power = (spectrum.real.square() + spectrum.imag.square()).numpy()
    return LevelStream(latency_ms, audio, torch.from_numpy(stems), read(power, f0_hz, framing))


def hop_pitches(labels_hz: F64, samples: int, latency_ms: int) -> F64:
    """Labels [V, labels], one every 5 ms, at the times at which hops mean their pitch: [hops, V]."""
    framing = Preset(SAMPLERATE, latency_ms).framing
    return f0_at(labels_hz, TorchFrontend(framing).pitch_times_s(0, samples // framing.hop)).T


def excerpts(chosen: Sequence[tuple[LevelStream, int]], hops: int) -> LevelBatch:
    """Streams of one preset from their hop numbers on, `hops` long, as a batch."""
    latency_ms, hop = chosen[0][0].latency_ms, chosen[0][0].hop
    frontend = TorchFrontend(Preset(SAMPLERATE, latency_ms).framing)
    readings = [(stream.reading, slice(first, first + hops)) for stream, first in chosen]
    inputs = [NetworkInputs(*(tensor[part] for tensor in reading.inputs)) for reading, part in readings]
    parts = [(stream, slice(first * hop, (first + hops) * hop)) for stream, first in chosen]
    return LevelBatch(
        latency_ms=latency_ms,
        stems=torch.stack([stream.stems[:, part] for stream, part in parts]),
        mixture=torch.stack([stream.mixture[part] for stream, part in parts]),
        spectrum=torch.cat([frontend.spectra(stream.mixture, first, hops) for stream, first in chosen]),
        inputs=stacked(inputs),
        before_hz=torch.stack([reading.before_hz[part] for reading, part in readings]),
    )
