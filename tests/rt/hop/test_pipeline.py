"""One hop through analysis, masks and synthesis, with masks that are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

F32 = NDArray[np.float32]


class StillMasks:
    """A `MaskModel` whose masks never change."""

    def __init__(self, masks: F32) -> None:
        self.stems = tuple(f"stem-{i}" for i in range(masks.shape[0]))
        self.report = VoiceReport.silent(())
        self.masks = masks

    def step(self, spectrum: NDArray[np.complex64], masks: F32) -> None:
        masks[...] = self.masks

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Nothing to save."""

    def reset(self) -> None:
        """Nothing to forget."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to restore."""


def run(pipeline: HopPipeline, signal: F32) -> F32:
    """Whole hops of signal [frames, C] -> [stems + 1, frames, C]."""
    hop, stems = pipeline.preset.hop, len(pipeline.model.stems)
    out = np.empty((stems + 1, *signal.shape), np.float32)
    part = np.empty((stems + 1, hop, signal.shape[1]), np.float32)
    for start in range(0, signal.shape[0], hop):
        pipeline.step(signal[start : start + hop].copy(), part)
        out[:, start : start + hop] = part
    return out


@pytest.mark.parametrize("preset", [Preset(r, ms) for r in (8000, 48000) for ms in OVERLAP_AT_48K], ids=str)
def test_flat_masks_scale_the_delayed_input(preset: Preset) -> None:
    shares = np.array([0.5, 0.25, 0.0], np.float32)
    masks = np.repeat(shares[:, None], preset.framing.bins, axis=1)
    signal = np.random.default_rng(0).standard_normal((20 * preset.hop, 2)).astype(np.float32)
    out = run(HopPipeline(preset, StillMasks(masks), 2), signal)
    delayed = np.concatenate((np.zeros((preset.hop_latency_samples, 2)), signal))[: len(signal)]
    for stem, share in zip(out, [*shares, 0.25], strict=True):
        np.testing.assert_allclose(stem, share * delayed, atol=5e-6)


def test_a_band_mask_parts_two_sines() -> None:
    """Sines at least three lobes from the edge of the mask: what leaks is the window's sidelobes."""
    preset = Preset(48000, 11)
    t = np.arange(200 * preset.hop) / 48000
    low, high = (np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (500.0, 2000.0))
    masks = np.zeros((2, preset.framing.bins), np.float32)
    edge = round(1250 / preset.framing.bin_hz)
    masks[0, :edge], masks[1, edge:] = 1, 1
    out = run(HopPipeline(preset, StillMasks(masks), 1), (low + high)[:, None])[..., 0]
    delay, settled = preset.hop_latency_samples, preset.window_samples
    for stem, sine in zip(out, (low, high), strict=False):
        error = stem[settled:] - sine[settled - delay : len(sine) - delay]
        assert 10 * np.log10(np.mean(error**2) / 0.5) < -45


def test_every_channel_keeps_to_itself() -> None:
    preset = Preset(16000, 21)
    rng = np.random.default_rng(1)
    masks = rng.random((2, preset.framing.bins), np.float32) / 2
    signal = rng.standard_normal((15 * preset.hop, 3)).astype(np.float32)
    together = run(HopPipeline(preset, StillMasks(masks), 3), signal)
    for c in range(3):
        alone = run(HopPipeline(preset, StillMasks(masks), 1), signal[:, c : c + 1].copy())
        np.testing.assert_allclose(together[..., c], alone[..., 0], atol=2e-6)


def test_reset_is_a_fresh_pipeline() -> None:
    preset = Preset(16000, 5)
    masks = np.full((1, preset.framing.bins), 0.5, np.float32)
    signal = np.random.default_rng(2).standard_normal((12 * preset.hop, 1)).astype(np.float32)
    pipeline = HopPipeline(preset, StillMasks(masks), 1)
    first = run(pipeline, signal)
    signal_with_nan = signal.copy()
    signal_with_nan[3] = np.nan
    run(pipeline, signal_with_nan)
    assert pipeline.nonfinite_samples == 1
    pipeline.reset()
    assert pipeline.nonfinite_samples == 0
    np.testing.assert_array_equal(run(pipeline, signal), first)
