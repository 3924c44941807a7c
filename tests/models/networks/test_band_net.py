"""The band networks' contract: one hop, T hops and the exported hop give the same numbers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rtsep.models.band.features import BANDS
from rtsep.models.networks.band_net import INPUT_BANDS, BandDecoder, BandEncoder
from rtsep.models.networks.export import export_onnx
from rtsep.models.networks.step_module import StepModule, step_through
from rtsep.models.runtimes.onnx_step import OnnxStep


def _inputs(batch: int, time: int) -> tuple[Tensor, Tensor]:
    """Music-like levels that jump: -100 to -20 dB of power."""
    generator = torch.Generator().manual_seed(3)
    bands = -12.0 + 3.0 * torch.randn(batch, time, BANDS, generator=generator)
    bands[:, time // 2 :] -= 6.0
    preset = torch.nn.functional.one_hot(torch.arange(batch) % 4, 4).float()
    return bands, preset[:, None].expand(-1, time, -1)


PATHS = pytest.mark.parametrize("paths", [0, 2])


def _encoder(paths: int = 0) -> BandEncoder:
    torch.manual_seed(0)
    encoder = BandEncoder(paths).eval()
    if encoder.paths is not None:  # begins as zeros: nothing of what lies before would be seen
        torch.nn.init.normal_(encoder.paths.narrow.weight, std=0.3)
    return encoder


@torch.no_grad()
def _warm_state(encoder: BandEncoder, batch: int) -> tuple[Tensor, ...]:
    bands, preset = _inputs(batch, 7)
    return step_through(encoder, bands, preset, *encoder.initial_state(batch))[len(encoder.outputs) :]


@PATHS
@pytest.mark.parametrize("warm", [False, True])
def test_sequence_is_the_step_over_time(warm: bool, paths: int) -> None:
    encoder = _encoder(paths)
    assert isinstance(encoder, StepModule)
    bands, preset = _inputs(4, 60)
    state = _warm_state(encoder, 4) if warm else encoder.initial_state(4)
    with torch.no_grad():
        found = encoder.sequence(bands, preset, *state)
        expected = step_through(encoder, bands, preset, *state)
    for name, got, want in zip((*encoder.outputs, *encoder.states), found, expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


def test_decoder_over_time_is_the_decoder_hop_by_hop() -> None:
    encoder, decoder = _encoder(), BandDecoder().eval()
    assert isinstance(decoder, StepModule)
    bands, preset = _inputs(2, 9)
    with torch.no_grad():
        encoded = encoder.sequence(bands, preset, *encoder.initial_state(2))[:4]
        (together,) = decoder.sequence(*encoded)
        (apart,) = step_through(decoder, *encoded)
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=0.0)
    assert together.shape == (2, 9, BANDS)
    assert float(together.min()) >= 0.0
    assert float(together.max()) <= 1.0


@PATHS
def test_training_over_time_is_the_stage_hop_by_hop(tmp_path: Path, paths: int) -> None:
    """Both exported networks, chained as on stage, against `sequence`."""
    encoder, decoder = _encoder(paths), BandDecoder().eval()
    export_onnx(encoder, tmp_path / "encoder.onnx")
    export_onnx(decoder, tmp_path / "decoder.onnx")
    first = OnnxStep((tmp_path / "encoder.onnx").read_bytes(), "encoder")
    second = OnnxStep((tmp_path / "decoder.onnx").read_bytes(), "decoder")
    bands, preset = _inputs(1, 40)
    with torch.no_grad():
        encoded = encoder.sequence(bands, preset, *encoder.initial_state(1))[:4]
        (gain,) = decoder.sequence(*encoded)
    for hop in range(bands.shape[1]):
        first.inputs["bands"][...] = bands[:, hop].numpy()
        first.inputs["preset"][...] = preset[:, hop].numpy()
        first.run()
        for name in decoder.inputs:
            second.inputs[name][...] = first.outputs[name]
        second.run()
        torch.testing.assert_close(
            torch.from_numpy(second.outputs["gain"].copy()), gain[:, hop], atol=1e-4, rtol=0.0
        )


def test_louder_music_is_the_same_music() -> None:
    """The level is taken off: 12 dB more change no gain."""
    encoder, decoder = _encoder(), BandDecoder().eval()
    bands, preset = _inputs(1, 30)
    with torch.no_grad():
        soft, loud = (
            decoder.sequence(*encoder.sequence(bands + up, preset, *encoder.initial_state(1))[:4])[0]
            for up in (0.0, 2.76)
        )
    torch.testing.assert_close(soft, loud, atol=1e-3, rtol=0.0)


def test_what_lies_above_the_training_data_changes_nothing() -> None:
    encoder = _encoder()
    bands, preset = _inputs(1, 10)
    other = bands.clone()
    other[..., INPUT_BANDS:] = 0.0
    with torch.no_grad():
        state = encoder.initial_state(1)
        torch.testing.assert_close(
            encoder.sequence(bands, preset, *state),
            encoder.sequence(other, preset, *state),
            atol=0.0,
            rtol=0.0,
        )


@torch.no_grad()
def test_silence_stays_finite() -> None:
    encoder, decoder = _encoder(), BandDecoder().eval()
    bands = torch.full((1, 50, BANDS), -23.03)
    preset = _inputs(1, 50)[1]
    encoded = encoder.sequence(bands, preset, *encoder.initial_state(1))
    assert all(torch.isfinite(x).all() for x in encoded)
    assert torch.isfinite(decoder.sequence(*encoded[:4])[0]).all()
