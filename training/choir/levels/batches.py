"""Batches for the source-filter network: every step at one latency preset, every stream a mixture of its
own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtsep.kernels.windows import analysis_window, synthesis_window
from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.frontend import TorchFrontend
from rtsep.training.choir.levels.comb_reading import NetworkInputs, read, stacked
from rtsep.training.choir.levels.mixtures import ItemCache, MixtureAugment, draw_mixture, f0_at
from rtsep.training.choir.levels.renderer import PartialList, TorchRenderer
from rtsep.training.choir.levels.tracked_pitches import tracked_pitches
from rtsep.training.choir.render.item import Items
from rtsep.training.loop.task import Draw
from rtsep.training.measures.protocol import SAMPLERATE

# Until levels and states have settled nothing is scored.
WARM_S = 0.6
# Scored seconds per excerpt, and the share of steps, of a preset: short hops cost more per second.
SCORED_S = {5: 1.0, 11: 2.0, 21: 3.0, 43: 5.0}
SHARES = {5: 0.1, 11: 0.4, 21: 0.3, 43: 0.2}


@dataclass  # not frozen: the loop moves it to a device field by field
class LevelBatch:
    """One step. B streams, T hops, V voices.

    Attributes:
        latency_ms: preset.
        stems: float32 [B, V, samples]; mixture: [B, samples]. Sample 0 is the first of the first hop.
        spectrum: complex64 [B * T, bins], 1 = full-scale sine.
        inputs: of `SourceFilterNet.sequence`, [B, T, ...].
        before_hz: [B, T, V].
    """

    latency_ms: int
    stems: Tensor
    mixture: Tensor
    spectrum: Tensor
    inputs: NetworkInputs
    before_hz: Tensor


class LevelBatches:
    """Draws batches.

    Args:
        items: rendered choirs at 16 kHz.
        voices: V.
        augment: of stems and pitches.
        latencies_ms: presets to draw from.
        megabytes: of audio kept in memory.
    """

    def __init__(
        self,
        items: Items,
        voices: int,
        augment: MixtureAugment,
        latencies_ms: tuple[int, ...] = tuple(SHARES),
        megabytes: int = 2000,
    ) -> None:
        self._cache = ItemCache(items, megabytes)
        self._voices, self._augment = voices, augment
        self._latencies = np.array(latencies_ms)
        shares = np.array([SHARES[ms] for ms in latencies_ms])
        self._shares = shares / shares.sum()

    def draw(self, draw: Draw) -> LevelBatch:
        """The batch of a step: its preset is the same in every process."""
        chosen = draw.step_rng("preset").choice(self._latencies, p=self._shares)
        return self.at(int(chosen), [draw.rng("excerpt", stream) for stream in draw.streams])

    def at(self, latency_ms: int, rngs: list[np.random.Generator]) -> LevelBatch:
        """A batch at one preset, one stream for every generator."""
        framing = Preset(SAMPLERATE, latency_ms).framing
        hops = int((WARM_S + SCORED_S[latency_ms]) * SAMPLERATE / framing.hop)
        frontend = TorchFrontend(framing)
        times_s = frontend.pitch_times_s(0, hops)
        stems, mixtures, spectra, readings = [], [], [], []
        for rng in rngs:
            samples = hops * framing.hop
            drawn = draw_mixture(self._cache, rng, samples, self._voices, SAMPLERATE, self._augment)
            mixture = torch.from_numpy(drawn.mixture)
            spectrum = frontend.spectra(mixture, 0, hops)
            power = (spectrum.real.square() + spectrum.imag.square()).numpy()
            f0_hz = f0_at(drawn.f0_hz, times_s).T
            if drawn.whole and rng.random() < self._augment.tracked:
                f0_hz = tracked_pitches(power, f0_hz, framing)
            readings.append(read(power, f0_hz, framing))
            stems.append(torch.from_numpy(drawn.stems))
            mixtures.append(mixture)
            spectra.append(spectrum)
        return LevelBatch(
            latency_ms=latency_ms,
            stems=torch.stack(stems),
            mixture=torch.stack(mixtures),
            spectrum=torch.cat(spectra),
            inputs=stacked([reading.inputs for reading in readings]),
            before_hz=torch.stack([reading.before_hz for reading in readings]),
        )


class MaskedVoices:
    """Spectra and masks to voices, as the stage makes them.

    Args:
        latency_ms: preset at 16 kHz.
    """

    def __init__(self, latency_ms: int) -> None:
        framing = Preset(SAMPLERATE, latency_ms).framing
        window = analysis_window(framing.window_samples, framing.half_overlap)
        # undoes the scale of `TorchFrontend.spectra`
        scale = np.float32(window.sum(dtype=np.float64) / 2.0)
        self._window = torch.from_numpy(
            synthesis_window(framing.window_samples, framing.half_overlap) * scale
        )
        self._half, self._samples = framing.half_overlap, framing.window_samples
        self.renderer = TorchRenderer(framing)

    def place(self, batch: LevelBatch) -> PartialList:
        """Of all frames of a batch, one after another."""
        return self.renderer.place(batch.inputs.f0_hz.flatten(0, 1), batch.before_hz.flatten(0, 1))

    def voices(self, spectrum: Tensor, masks: Tensor, streams: int) -> Tensor:
        """[B * T, bins] and [B * T, V, bins] to [B, V, (T - 1) hop]: sample n is that of the mixture."""
        frames: Tensor = torch.fft.irfft(spectrum.unsqueeze(1) * masks, self._samples)[..., -2 * self._half :]
        parts = (frames * self._window.to(frames.device)).reshape(streams, -1, *frames.shape[1:])
        whole = parts[:, 1:, :, : self._half] + parts[:, :-1, :, self._half :]
        voices: Tensor = whole.transpose(1, 2).flatten(2)
        return voices
