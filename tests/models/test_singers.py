"""Singers out of a band: the vocals go through a choir model in the same hop, and nothing is lost."""

import numpy as np
import pytest
from helpers.tiny_band import write_band
from numpy.typing import NDArray

from rtsep.kernels.errors import ModelRefused
from rtsep.models.choir.given_pitches import F0Track
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
STEMS = ("drums", "vocals")
CASCADE = ("drums", "voice-1", "voice-2", "vocals-rest", "residual")


@pytest.fixture(scope="module")
def open_band(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose vocals are the whole input: what follows is the choir alone."""
    return str(write_band(tmp_path_factory.mktemp("models") / "open", ("vocals",), opened=True))


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_band(tmp_path_factory.mktemp("models") / "tiny"))


def singing(seconds: float = 1.0, channels: int = 1) -> F32:
    """A synthetic choir of two and noise: [frames, channels] at 48 kHz."""
    rng = np.random.default_rng(0)
    choir = synthetic_choir(48000, seconds, channels, voices=2)
    return choir + (0.01 * rng.standard_normal(choir.shape)).astype(np.float32)


@pytest.mark.parametrize("latency_ms", [5, 11, 43])
@pytest.mark.parametrize("channels", [1, 2])
def test_singers_and_rest_sum_to_the_vocals_and_nothing_else_changes(
    band: str, channels: int, latency_ms: int
) -> None:
    signal = singing(0.6, channels)
    asked = {"stems": STEMS, "channels": channels, "latency_ms": latency_ms}
    plain = Separator.load(band, **asked)  # type: ignore[arg-type]
    cascade = Separator.load(band, voices=2, **asked)  # type: ignore[arg-type]
    assert cascade.stems == CASCADE
    assert cascade.latency_samples == plain.latency_samples
    drums, vocals, residual = plain.process(signal)
    found = cascade.process(signal)
    np.testing.assert_array_equal(found[0], drums)
    np.testing.assert_allclose(found[1:4].sum(axis=0), vocals, atol=2e-6)
    np.testing.assert_allclose(found[4], residual, atol=2e-6)
    assert np.abs(found[1]).max() > 1e-3


def test_where_the_vocals_are_everything_the_singers_are_those_of_the_choir_model(open_band: str) -> None:
    """Same latency, same hop: the choir behind an open band is the choir by itself."""
    signal = singing(1.5)
    choir = Separator.load("choir", voices=2)
    cascade = Separator.load(open_band, voices=2)
    assert cascade.latency_samples == choir.latency_samples
    reference, found = choir.process(signal), cascade.process(signal)
    np.testing.assert_allclose(found[:2], reference[:2], atol=1e-5)
    np.testing.assert_allclose(found[2], reference[2], atol=1e-5)  # what no singer has, beside an empty rest
    assert np.abs(found[3]).max() < 1e-5
    assert cascade.voices.stems == ("voice-1", "voice-2")
    np.testing.assert_allclose(cascade.voices.f0_hz, choir.voices.f0_hz, rtol=1e-4)
    assert cascade.voices.f0_hz.any()


def test_pitches_may_be_given(open_band: str) -> None:
    signal = singing(0.5)
    track = F0Track(np.array([0.0, 1.0]), np.array([[440.0, 220.0], [440.0, 220.0]]))
    cascade = Separator.load(open_band, voices=2, f0=track)
    cascade.process(signal)
    np.testing.assert_allclose(cascade.voices.f0_hz, [440.0, 220.0])
    with pytest.raises(ModelRefused, match="have no pitch to be given"):
        Separator.load(open_band, f0=track)


def test_state_and_blocks(band: str) -> None:
    signal = singing(0.8)
    one, other = (Separator.load(band, voices=2, stems=STEMS) for _ in range(2))
    whole = Separator.load(band, voices=2, stems=STEMS).process(signal)
    first = [one.process(part) for part in np.split(signal[:20_000], [1, 700, 7007])]
    other.load_state_dict(one.state_dict())
    second = other.process(signal[20_000:])
    np.testing.assert_array_equal(np.concatenate([*first, second], axis=1), whole)
    one.reset()
    np.testing.assert_array_equal(one.process(signal), whole)


def test_one_singer_heard_keeps_the_vocals_awake_and_none_lets_both_models_rest(band: str) -> None:
    signal = singing(0.6)
    reference = Separator.load(band, voices=2, stems=STEMS).process(signal)
    separator = Separator.load(band, voices=2, stems=STEMS)
    separator.listen_to(np.array([False, True, False, False, False]))
    found = separator.process(signal)
    np.testing.assert_array_equal(found[1:4], reference[1:4])
    assert not found[0, 8000:].any()

    separator.listen_to(np.array([True, False, False, False, False]))
    quiet = separator.process(signal)
    assert not quiet[1:4, 8000:].any()
    drums = Separator.load(band, voices=2, stems=STEMS)
    both = np.concatenate([drums.process(signal), drums.process(signal)], axis=1)[0, len(signal) :]
    # The drums' decoder has a memory of its own, begun anew when it woke: after 47 hops 0.8^47 of it is left.
    np.testing.assert_allclose(quiet[0, 12_000:], both[12_000:], atol=1e-4)


def test_a_batch_of_cascades(band: str) -> None:
    signal = singing(0.3)
    batch = BatchSeparator.load(band, streams=2, voices=2, stems=STEMS)
    assert batch.voices.f0_hz.shape == (2, 2)
    single = Separator.load(band, voices=2, stems=STEMS)
    hop = batch.hop
    out, own = np.empty((2, 5, hop, 1), np.float32), np.empty((5, hop, 1), np.float32)
    for k in range(len(signal) // hop):
        part = np.ascontiguousarray(signal[k * hop : (k + 1) * hop])
        batch.process_hop(np.stack([part, 0.5 * part]), out)
        single.process_hop(part, own)
        np.testing.assert_array_equal(out[0], own)
