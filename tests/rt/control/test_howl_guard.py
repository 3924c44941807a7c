"""The howl guard: it dims once, lets go after a time without a howl, and at once where it is switched off."""

import numpy as np

from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.howl_guard import QUIET_S, HowlGuard
from rtsep.rt.control.mixer import Mixer

RATE, HOP = 48_000, 256


def howl(seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (10 ** ((50 * t - 60) / 20) * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)[:, None]


def feed(guard: HowlGuard, sound: np.ndarray, *, on: bool = True) -> None:
    for start in range(0, len(sound) - HOP + 1, HOP):
        guard.feed(sound[start : start + HOP], on=on)


def test_it_dims_and_lets_go() -> None:
    told: list[bool] = []
    guard = HowlGuard(RATE, told.append)
    feed(guard, howl())
    assert told == [True]
    assert "feedback at 10" in guard.notes[0]
    feed(guard, np.zeros((round((QUIET_S - 0.5) * RATE), 1), np.float32))
    assert told == [True]
    feed(guard, np.zeros((RATE, 1), np.float32))
    assert told == [True, False]
    assert "is back" in guard.notes[0]


def test_off_it_hears_nothing_and_lets_go_at_once() -> None:
    told: list[bool] = []
    guard = HowlGuard(RATE, told.append)
    feed(guard, howl(), on=False)
    assert (told, guard.notes) == ([], [])
    feed(guard, howl())
    feed(guard, howl()[:HOP], on=False)
    assert told == [True, False]


def test_a_howl_takes_20_db_off_every_gain() -> None:
    mixer = Mixer(lay_desk(("voice-1", "residual"), [[0]], [0, 1], 2, guarded=True)[0], RATE)
    before = mixer.gains.copy()
    mixer.howling = True
    mixer.set(mixer.defaults)
    np.testing.assert_allclose(mixer.gains, 0.1 * before, rtol=1e-6)


def test_what_is_limited_at_the_output_counts() -> None:
    """A sine that stands still is a note, and a howl where the output is at its ceiling all the while."""
    t = np.arange(2 * RATE) / RATE
    still = (0.3 * np.sin(2 * np.pi * 700 * t)).astype(np.float32)[:, None]
    told: list[bool] = []
    guard = HowlGuard(RATE, told.append)
    for start in range(0, len(still) - HOP + 1, HOP):
        guard.feed(still[start : start + HOP], on=True, limited_samples=17)
    assert told == []
    for start in range(0, len(still) - HOP + 1, HOP):
        guard.feed(still[start : start + HOP], on=True, limited_samples=start)
    assert told == [True]
