"""What orders of parts learn, each for itself."""

import numpy as np
import pytest

from rtsep.models.choir.parts.part_memory import PartMemory
from rtsep.models.choir.parts.part_places import COUNTS, REMEMBERED_S, PartPlaces
from rtsep.models.choir.parts.slot_timbre import TIMBRE_BANDS

HOP_S = 0.02
ORDERS = np.array([[0, 1], [1, 0]], np.intp)


def heard(pitches: tuple[float, float], levels_db: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """What the parts would sing in both orders, of pitches with flat spectra."""
    midi, level_db = np.array(pitches, np.float32), np.array(levels_db, np.float32)
    bands = np.repeat(level_db[:, None], TIMBRE_BANDS, axis=1)
    return midi[ORDERS], bands[ORDERS]


def learnt(levels_db: tuple[float, float]) -> PartMemory:
    memory = PartMemory(2, 2, None)
    for _ in range(500):
        memory.learn(*heard((67.0, 60.0), levels_db), HOP_S)
    return memory


@pytest.mark.parametrize("levels_db", [(-20.0, -40.0), (-30.0, -30.0)])
def test_every_order_believes_in_itself_until_it_goes_on_with_another(
    levels_db: tuple[float, float],
) -> None:
    """By timbre, and where that is the same by register."""
    memory = learnt(levels_db)
    same, turned = memory.evidence(*heard((67.0, 60.0), levels_db)).sum(axis=1)
    assert same == pytest.approx(turned)
    memory.follow(np.array([0, 0]))
    same, turned = memory.evidence(*heard((67.0, 60.0), levels_db)).sum(axis=1)
    assert same > turned + 0.5
    memory.follow(np.array([1, 1]))  # a copy of what the first had learnt
    assert memory.evidence(*heard((67.0, 60.0), levels_db)).sum(axis=1) == pytest.approx([same, turned])


def test_a_part_of_which_nothing_is_known_neither_wins_nor_loses() -> None:
    memory = PartMemory(2, 2, None)
    assert (memory.evidence(*heard((67.0, 60.0), (-20.0, -40.0))) == 0).all()


def test_a_rest_says_nothing() -> None:
    memory = learnt((-20.0, -40.0))
    before = memory.state_dict()
    midi, level_db = heard((np.nan, np.nan), (np.nan, np.nan))
    assert (memory.evidence(midi, level_db) == 0).all()
    memory.learn(midi, level_db, HOP_S)
    for name, array in memory.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_places_of_parts_that_never_cross_are_believed_and_of_others_not() -> None:
    alone, _ = heard((np.nan, 60.0), (0.0, 0.0))
    both, _ = heard((67.0, 60.0), (0.0, 0.0))
    for share_crossed, sure in ((0.0, True), (0.5, False)):
        places = PartPlaces(ORDERS)
        for hop in range(2000):
            places.learn(both if hop >= share_crossed * 2000 else both[::-1], HOP_S)
        places.follow(np.array([0, 0]))
        same, turned = places.evidence(alone)
        # 40 s of singing, and the few seconds that are taken for granted
        crossed_s, sorted_s = 2.0 + 40.0 * share_crossed, 6.0 + 40.0 * (1.0 - share_crossed)
        assert same - turned == pytest.approx(COUNTS * np.log(sorted_s / crossed_s), rel=1e-3)
        assert (same - turned > 1.0) == sure
        assert (places.evidence(both) == 0).all()


def test_old_places_are_forgotten() -> None:
    places = PartPlaces(ORDERS)
    both, _ = heard((67.0, 60.0), (0.0, 0.0))
    for _ in range(round(3 * REMEMBERED_S / 0.1)):
        places.learn(both, 0.1)
    assert places.sorted_s[0] == pytest.approx(REMEMBERED_S)
    for _ in range(round(REMEMBERED_S / 0.1)):
        places.learn(both[::-1], 0.1)
    assert places.sorted_s[0] < 0.4 * REMEMBERED_S
    places.reset()
    assert places.sorted_s[0] == 0
