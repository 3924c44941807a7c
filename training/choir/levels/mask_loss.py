"""Voices out of the stage's masks against their stems: what levels are trained, and adapted, by."""

import torch
from torch import Tensor

from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.training.choir.levels.batches import WARM_S, LevelBatch, MaskedVoices
from rtsep.training.choir.levels.comb_reading import NetworkInputs
from rtsep.training.choir.levels.multi_resolution import magnitudes
from rtsep.training.loop.task import Loss
from rtsep.training.measures.protocol import MIN_TARGET_ENERGY, SAMPLERATE

MASK_WINDOWS = (1024, 256)


class MaskLoss:
    """How far a network's voices, out of the stage's masks, are from the stems.

    Args:
        net: with as many voices as the batches.
        latencies_ms: presets of the batches.
    """

    def __init__(self, net: SourceFilterNet, latencies_ms: tuple[int, ...]) -> None:
        self.net = net
        self._masked = {ms: MaskedVoices(ms) for ms in latencies_ms}

    def estimates(self, batch: LevelBatch) -> Tensor:
        """The voices [B, V, (T - 1) hop] that the stage would give."""
        net, masked = self.net, self._masked[batch.latency_ms]
        streams = batch.mixture.shape[0]
        x, h, loudness, _ = net.decode_sequence(*batch.inputs, *net.initial_state(streams))
        given = NetworkInputs(*(tensor.flatten(0, 1) for tensor in batch.inputs))
        loudness = loudness.flatten(0, 1)
        y, amplitude, gain, bands, lsf = (
            t.flatten(0, 1) for t in net.source_filter(x, h, loudness.reshape(*x.shape[:2], 1))
        )
        partials = masked.place(batch)
        voice = (partials.frame, partials.voice)
        level, trust = net.levels(
            given.partials[partials.frame, partials.voice, partials.partial].unsqueeze(-2),
            partials.number.unsqueeze(-1), given.f0_hz[voice], net.context(y)[voice],
            loudness[partials.frame, 0], amplitude[voice], lsf[voice],
        )  # fmt: skip
        noise = net.noise(y, given.envelope, loudness, gain, bands, lsf)
        power = batch.spectrum.real.square() + batch.spectrum.imag.square()
        masks = masked.renderer.masks(power, partials, level.squeeze(-1), trust.squeeze(-1), noise)
        return masked.voices(batch.spectrum, masks, streams)

    def loss(self, batch: LevelBatch) -> Loss:
        """SI-SDR, negative, and the difference of spectra."""
        found, target = self._scored(batch)
        ratio_db = _mean_si_sdr_db(target, found)
        peak = target.sum(dim=1).abs().amax(dim=-1).clamp(min=1e-3)[:, None, None]
        spectral = sum(
            (magnitudes((target / peak).flatten(0, 1), n) - magnitudes((found / peak).flatten(0, 1), n))
            .abs()
            .mean()
            / magnitudes((target / peak).flatten(0, 1), n).mean()
            for n in MASK_WINDOWS
        )
        return Loss(spectral - ratio_db, {"si_sdr_db": ratio_db, "spectral": spectral})

    def si_sdr_db(self, batch: LevelBatch) -> float:
        """Mean over the half seconds in which a voice is active."""
        found, target = self._scored(batch)
        return float(_mean_si_sdr_db(target, found))

    def _scored(self, batch: LevelBatch) -> tuple[Tensor, Tensor]:
        """Estimates and stems, the warming up and what does not fill a second left out."""
        voices = self.estimates(batch)
        warm = int(WARM_S * SAMPLERATE)
        whole = (voices.shape[-1] - warm) // (SAMPLERATE // 2) * (SAMPLERATE // 2)
        return voices[..., warm : warm + whole], batch.stems[..., warm : warm + whole]


def _mean_si_sdr_db(target: Tensor, estimate: Tensor) -> Tensor:
    """Mean SI-SDR [B, V, samples] over the half seconds in which a voice is active by the protocol's rule, in
    dB."""
    block = SAMPLERATE // 2
    peak = target.sum(dim=1).abs().amax(dim=-1).clamp(min=1e-3)
    s, found = (x.reshape(*x.shape[:-1], -1, block) for x in (target, estimate))
    energy = s.square().sum(dim=-1)
    audible = energy / peak.square()[:, None, None] >= MIN_TARGET_ENERGY * block / SAMPLERATE
    alpha = (s * found).sum(dim=-1) / energy.clamp(min=1e-9)
    signal = alpha.square() * energy
    error = (alpha.unsqueeze(-1) * s - found).square().sum(dim=-1)
    # floors 30 dB down: a nearly silent or a nearly perfect voice has no endless gradient
    ratio_db = 10.0 * torch.log10((signal + 1e-3 * energy + 1e-9) / (error + 1e-3 * energy + 1e-9))
    return torch.where(audible, ratio_db, 0.0).sum() / audible.sum().clamp(min=1)
