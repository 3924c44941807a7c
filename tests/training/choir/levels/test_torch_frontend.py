"""Training sees what the engine sees: frames and log bands against the kernels, hop by hop."""

import numpy as np
import pytest
import torch

from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.build import build_model
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.pitch_grid import BANDS, pitch_filterbank
from rtsep.models.networks.filterbank import TensorFilterbank
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.training.choir.frontend import TorchFrontend


class _Listener:
    """A mask model that notes the spectra it is given."""

    def __init__(self, bins: int) -> None:
        self.stems = ("voice-1",)
        self.report = VoiceReport.silent(())
        self.heard: list[np.ndarray] = []

    def step(self, spectrum: np.ndarray, masks: np.ndarray) -> None:
        self.heard.append(spectrum[0].copy())
        masks[...] = 0

    def reset(self) -> None:
        self.heard.clear()


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
@pytest.mark.parametrize("stride", [1, 2])
def test_spectra_are_those_of_the_engine(latency_ms: int, stride: int) -> None:
    preset = Preset(16000, latency_ms)
    framing = preset.framing
    hops = 24
    sound = np.random.default_rng(1).standard_normal(hops * preset.hop).astype(np.float32)
    model = _Listener(framing.bins)
    pipeline = HopPipeline(preset, model, 1)  # type: ignore[arg-type]
    out = np.empty((2, preset.hop, 1), np.float32)
    for hop in sound.reshape(hops, preset.hop, 1):
        pipeline.step(hop, out)
    scale = amplitude_scale(analysis_window(framing.window_samples, framing.half_overlap))
    heard = np.stack(model.heard[stride - 1 :: stride]) * scale
    front = TorchFrontend(framing, stride)
    found = front.spectra(torch.from_numpy(sound), 0, hops // stride)
    np.testing.assert_allclose(found.numpy(), heard, atol=1e-6)
    # a stretch from the middle is the same frames, also where the signal has ended
    late = front.spectra(torch.from_numpy(sound), 3, hops // stride)
    np.testing.assert_allclose(late.numpy()[: hops // stride - 3], heard[3:], atol=1e-6)


@pytest.mark.parametrize("samplerate", [16000, 48000])
def test_bands_are_those_of_the_kernel(samplerate: int) -> None:
    framing = Preset(samplerate, 11).framing
    bank = pitch_filterbank(framing)
    magnitude = np.abs(np.random.default_rng(2).standard_normal((5, framing.bins))).astype(np.float32)
    expected = np.empty((5, BANDS), np.float32)
    bank.apply(magnitude, expected)
    found = TensorFilterbank(bank, framing)(torch.from_numpy(magnitude))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
def test_frames_are_dated_as_the_engine_dates_pitches(latency_ms: int) -> None:
    """A model that is given the time as pitch says when it looked."""
    preset = Preset(16000, latency_ms)
    times_s = np.linspace(0, 2, 2001)
    model = build_model(
        "choir-fixed", voices=1, framing=preset.framing, f0=F0Track(times_s, 100 + 100 * times_s[:, None])
    )
    looked = []
    for _ in range(20):
        model.step(
            np.zeros((1, preset.framing.bins), np.complex64), np.zeros((1, preset.framing.bins), np.float32)
        )
        looked.append(model.report.f0_hz[0] / 100 - 1)
    expected = TorchFrontend(preset.framing).pitch_times_s(10, 10)
    np.testing.assert_allclose(looked[10:], expected, atol=1e-4)
