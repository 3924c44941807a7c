"""Truth about pitch: order with continuity, merged voices, sections."""

import numpy as np
import pytest

from rtsep.models.choir.model import mark_merged
from rtsep.training.choir.render.f0_labels import in_order, merged_voices, pitch_order, section_f0


def hz(midi: list[list[float]]) -> np.ndarray:
    """0 stays 0."""
    notes = np.array(midi, np.float64)
    return np.where(notes > 0, 440.0 * 2.0 ** ((notes - 69.0) / 12.0), 0.0)


def test_order_is_by_pitch() -> None:
    f0_hz = hz([[60] * 3, [72] * 3, [65] * 3])
    assert pitch_order(f0_hz)[:, 0].tolist() == [1, 2, 0]
    assert (np.diff(in_order(f0_hz, pitch_order(f0_hz)), axis=0) <= 0).all()


def test_a_resting_voice_keeps_its_place() -> None:
    # the middle voice rests, then the highest; nobody moves up
    f0_hz = hz([[72, 72, 0, 0, 72], [65, 0, 0, 65, 65], [60, 60, 60, 60, 60]])
    assert (pitch_order(f0_hz) == np.array([[0], [1], [2]])).all()
    # before its first note, a voice waits where it will come in
    f0_hz = hz([[0, 0, 72, 72], [65, 65, 65, 65]])
    assert (pitch_order(f0_hz) == np.array([[0], [1]])).all()


def test_voices_that_cross_swap_and_those_that_only_touch_do_not() -> None:
    f0_hz = hz([[67, 66, 65, 64], [64, 65, 66, 67]])
    assert pitch_order(f0_hz)[0].tolist() == [0, 0, 1, 1]
    wobbling = hz([[65.0, 64.8, 65.0, 64.8], [64.9, 65.1, 64.9, 65.1]])
    assert pitch_order(wobbling)[0].tolist() == [0, 0, 0, 0]


def test_a_silent_voice_comes_last() -> None:
    assert pitch_order(hz([[0, 0], [50, 50]]))[:, 1].tolist() == [1, 0]


def test_merged_is_what_the_engine_calls_merged() -> None:
    rng = np.random.default_rng(0)
    midi = rng.integers(48, 73, size=(4, 500)) + rng.normal(0.0, 0.3, size=(4, 500))
    midi[rng.random(midi.shape) < 0.2] = 0.0
    f0_hz = hz(midi.tolist())
    expected = np.zeros(f0_hz.shape, np.bool_)
    for frame in range(f0_hz.shape[1]):
        column = np.zeros(4, np.bool_)
        mark_merged(f0_hz[:, frame].astype(np.float32), column)
        expected[:, frame] = column
    assert expected.any()
    assert not expected.all()
    assert np.array_equal(merged_voices(f0_hz), expected)


def test_a_section_sings_the_mean_in_cents() -> None:
    f0_hz = 440.0 * 2.0 ** (np.array([[20.0, 20.0, 0.0], [-20.0, 0.0, 0.0]]) / 1200.0)
    f0_hz[:, 2] = 0.0
    f0_hz[1, 1] = 0.0
    even = section_f0(f0_hz, np.ones((2, 3)))
    assert even[0] == pytest.approx(440.0)
    assert even[1] == pytest.approx(440.0 * 2.0 ** (20.0 / 1200.0))
    assert even[2] == 0.0
    louder_first = section_f0(f0_hz, np.array([[3.0] * 3, [1.0] * 3]))
    assert 1200.0 * np.log2(louder_first[0] / 440.0) == pytest.approx(10.0)
