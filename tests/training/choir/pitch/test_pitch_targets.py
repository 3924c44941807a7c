"""Labels of the pitch network, where the truth is plain."""

import numpy as np

from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ
from rtsep.training.choir.pitch.targets import pitch_targets, tails


def _hz(place: float) -> float:
    return LOWEST_CANDIDATE_HZ * 2 ** (place * CANDIDATE_CENTS / 1200)


def _targets(places: list[float], level_db: list[float] | None = None, tail: float = 0.0):  # type: ignore[no-untyped-def]
    f0 = np.array([[_hz(p)] if p else [0.0] for p in places])
    levels = np.array(level_db or [-20.0] * len(places), np.float32)[:, None]
    ringing = np.zeros_like(f0)
    ringing[0] = _hz(tail) if tail else 0.0
    return pitch_targets(f0, ringing, levels)


def test_a_voice_lies_between_its_candidates() -> None:
    found = _targets([40.3])
    np.testing.assert_allclose(found.salience[0, 39:43], [0, 1, 0.6, 0], atol=1e-6)
    np.testing.assert_allclose(found.offset[0, 40:42], [0.3, -0.7], atol=1e-6)
    assert found.salience.sum() == np.float32(1.6)
    assert found.weight.all()
    assert not found.unison.any()


def test_silence_is_silence() -> None:
    found = _targets([0.0, 0.0])
    assert not found.salience.any()
    assert found.weight.all()


def test_a_unison_is_marked_and_a_semitone_is_not() -> None:
    assert _targets([60.0, 60.5]).unison[0, 60] == 1.0
    assert not _targets([60.0, 62.5]).unison.any()


def test_the_nearest_of_two_voices_gives_the_offset() -> None:
    found = _targets([60.2, 61.9])
    np.testing.assert_allclose(found.offset[0, [60, 62]], [0.2, -0.1], atol=1e-6)


def test_an_inaudible_voice_is_neither_asked_for_nor_forbidden() -> None:
    found = _targets([50.0, 80.0], [-20.0, -70.0])
    assert found.salience[0, 50] == 1
    assert found.salience[0, 80] == 0
    assert found.weight[0, 80] == 0
    assert found.weight[0, 50] == 1


def test_a_tail_is_open_where_nobody_sings() -> None:
    found = _targets([50.0, 70.0], tail=90.0)
    assert found.weight[0, 90] == 0
    assert found.weight[0, 60] == 1
    over = _targets([50.0, 70.0], tail=70.0)
    assert over.weight[0, 70] == 1
    assert over.salience[0, 70] == 1


def test_tails_end_with_time_and_with_level() -> None:
    frame_s = 0.01
    f0 = np.zeros((2, 200), np.float32)
    f0[:, 20:50] = 220.0
    level = np.full((2, 200), -20.0, np.float32)
    level[1, 55:] = -90.0
    ringing = tails(f0, level, frame_s)
    assert not ringing[:, :50].any()
    assert (ringing[0, 50:59] == 220.0).all()
    assert not ringing[0, 61:].any()
    assert (ringing[1, 50:55] == 220.0).all()
    assert not ringing[1, 55:].any()


def test_pitches_outside_the_grid_are_silence() -> None:
    found = _targets([-5.0, CANDIDATES + 5.0])
    assert not found.salience.any()
