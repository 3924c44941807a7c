"""A band in stereo: mid and side, each by itself, and back to left and right."""

import numpy as np
import pytest
from helpers.tiny_band import write_band
from numpy.typing import NDArray

from rtsep.models.band.model import BandModel
from rtsep.models.build import build_model
from rtsep.models.mid_side import MidSideModel
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.hop.masking import masking
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_band(tmp_path_factory.mktemp("models") / "tiny"))


def noise(seconds: float, seed: int = 0) -> F32:
    """Two channels that share little: [frames, 2]."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((round(seconds * 48000), 2))
    return np.asarray(0.1 * (signal + np.array([0.6, -0.3]) * signal[:, ::-1]), np.float32)


@pytest.mark.parametrize("latency_ms", [21, 43])
def test_stems_are_those_of_the_sum_and_of_the_difference(band: str, latency_ms: int) -> None:
    signal = noise(0.4)
    found = Separator.load(band, channels=2, latency_ms=latency_ms).process(signal)
    mid, side = (
        Separator.load(band, latency_ms=latency_ms).process(np.ascontiguousarray(part, np.float32))[..., 0]
        for part in ((signal[:, 0] + signal[:, 1]) / 2, (signal[:, 0] - signal[:, 1]) / 2)
    )
    np.testing.assert_allclose(found[:-1, :, 0], (mid + side)[:-1], atol=1e-5)
    np.testing.assert_allclose(found[:-1, :, 1], (mid - side)[:-1], atol=1e-5)
    assert np.abs(found[0, :, 0] - found[0, :, 1]).max() > 1e-3


def test_two_equal_channels_are_one_channel_twice(band: str) -> None:
    mono = noise(0.4)[:, :1]
    alone = Separator.load(band, latency_ms=21).process(mono)
    both = Separator.load(band, channels=2, latency_ms=21).process(np.repeat(mono, 2, axis=1))
    np.testing.assert_array_equal(both[..., 0], both[..., 1])
    np.testing.assert_allclose(both[..., :1], alone, atol=1e-6)


def test_what_comes_from_one_side_stays_there(band: str) -> None:
    signal = noise(0.4)
    signal[:, 1] = 0
    found = Separator.load(band, channels=2, latency_ms=21).process(signal)
    assert not found[..., 1].any()
    assert np.abs(found[0, :, 0]).max() > 1e-3


def test_state_goes_on_in_stereo_while_decoders_fall_asleep(band: str) -> None:
    signal = noise(0.5)
    one, other = (Separator.load(band, channels=2, latency_ms=21) for _ in range(2))
    one.process(signal[:10_000])
    one.listen_to(np.array([stem == "drums" for stem in one.stems]))
    one.process(signal[10_000:10_600])
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(other.process(signal[10_600:]), one.process(signal[10_600:]))
    bad = one.state_dict() | {"model.side.decoder.other.open_hops": np.array(99, np.int64)}
    before = one.state_dict()
    with pytest.raises(ValueError, match="open_hops"):
        one.load_state_dict(bad)
    after = one.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_reset_is_a_new_start_in_stereo(band: str) -> None:
    signal = noise(0.2)
    separator = Separator.load(band, channels=2, latency_ms=21)
    fresh = separator.process(signal)
    separator.reset()
    np.testing.assert_array_equal(separator.process(signal), fresh)


def test_other_numbers_of_channels_and_short_hops_share_one_mask(band: str) -> None:
    for ms, channels, kind in (
        (21, 1, BandModel), (21, 2, MidSideModel), (43, 2, MidSideModel), (43, 3, BandModel),
        (5, 2, BandModel), (11, 2, BandModel),
    ):  # fmt: skip
        for rate in (16000, 44100, 96000):
            framing = Preset(rate, ms).framing
            assert isinstance(build_model(band, framing=framing, channels=channels), kind)
    stereo = build_model(band, framing=Preset(48000, 21).framing, channels=2)
    with pytest.raises(ValueError, match="mid and side are of 2 channels, not 3"):
        masking(stereo, 3, Preset(48000, 21).framing.bins)


def test_a_stem_that_nobody_hears_is_silent_in_mid_and_side(band: str) -> None:
    separator = Separator.load(band, channels=2, latency_ms=21)
    separator.listen_to(np.array([stem == "drums" for stem in separator.stems]))
    found = dict(zip(separator.stems, separator.process(noise(0.3)), strict=True))
    asleep = found["other"][7200:]  # 150 ms: faded out
    assert not asleep.any()
    assert np.abs(found["drums"][7200:]).max() > 1e-3


def test_singers_in_stereo_have_the_pitches_and_levels_of_one_channel(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = str(write_band(tmp_path_factory.mktemp("models") / "open", ("vocals",), opened=True))
    mono = synthetic_choir(48000, 1.0, 1, voices=2)
    one, two = (Separator.load(model, voices=2, channels=channels, latency_ms=21) for channels in (1, 2))
    alone, both = one.process(mono), two.process(np.repeat(mono, 2, axis=1))
    assert (one.voices.f0_hz > 0).all()
    np.testing.assert_allclose(two.voices.f0_hz, one.voices.f0_hz, rtol=1e-5)
    np.testing.assert_allclose(two.voices.level_db, one.voices.level_db, atol=0.01)
    np.testing.assert_allclose(both[..., :1], alone, atol=1e-4)
