"""Parts that cross: whoever sounds alike goes on, where pitch order would change over."""

import numpy as np
import pytest

from rtsep.models.choir.parts.part_order import PartOrder
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.parts.slot_timbre import SlotTimbre
from rtsep.rt.hop.presets import Preset

FRAMING = Preset(16000, 43).framing
HOPS_A_SECOND = round(FRAMING.samplerate / FRAMING.hop)
TWO = Parts.parse(None, {}, voices=2)
DULL, BRIGHT = -30.0, -6.0  # dB for each octave
VOWELS = -20.0, -12.0


def spectrum(sung: list[tuple[float, float]]) -> np.ndarray:
    """Power of partials of voices (F0, dB for each octave), 1 = a full-scale sine."""
    power = np.full(FRAMING.bins, 1e-9, np.float32)
    for f0_hz, slope_db in sung:
        for number in range(1, int(6000 / f0_hz)):
            level_db = -20.0 + slope_db * np.log2(number * f0_hz / 200.0)
            power[round(number * f0_hz / FRAMING.bin_hz)] += 10 ** (level_db / 10)
    return power


def hz(midi: float) -> float:
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


def told(order: PartOrder, lines: list[tuple[float, float]]) -> np.ndarray:
    """MIDI of what the parts get [hops, 2]: the first is bright, the second dull, 0 = rests."""
    out = np.zeros((len(lines), 2), np.float32)
    for hop, midi in enumerate(lines):
        sung = [(hz(m), slope) for m, slope in zip(midi, (BRIGHT, DULL), strict=True) if m]
        f0_hz = np.array(sorted((hz(m) if m else 0.0 for m in midi), reverse=True), np.float32)
        confident = f0_hz > 0
        order.step(spectrum(sung), f0_hz, confident)
        assert (confident == (f0_hz > 0)).all()
        out[hop] = [69 + 12 * np.log2(f / 440) if f else 0 for f in f0_hz]
    return out


def crossing(hold_s: float = 2.0, meet_s: float = 0.3) -> list[tuple[float, float]]:
    """The bright part comes down from E4 through the dull one's C4 to A3."""
    hold, meet = round(hold_s * HOPS_A_SECOND), round(meet_s * HOPS_A_SECOND)
    return [(64.0, 60.0)] * hold + [(62.0, 60.0)] * meet + [(60.0, 60.0)] * meet + [(57.0, 60.0)] * hold


def test_parts_that_pass_each_other_keep_their_stems() -> None:
    lines = crossing()
    out = told(PartOrder(TWO, FRAMING), lines)
    late = round(0.5 * HOPS_A_SECOND)  # after they have parted
    end = len(lines) - round(2.0 * HOPS_A_SECOND) + late
    np.testing.assert_allclose(out[end:], np.array(lines)[end:], atol=0.01)
    np.testing.assert_allclose(out[: 2 * HOPS_A_SECOND], np.array(lines)[: 2 * HOPS_A_SECOND], atol=0.01)


def test_parts_that_turn_back_from_a_unison_keep_theirs_too() -> None:
    lines = [*crossing()[: -2 * HOPS_A_SECOND], *[(64.0, 60.0)] * (2 * HOPS_A_SECOND)]
    out = told(PartOrder(TWO, FRAMING), lines)
    np.testing.assert_allclose(out[-HOPS_A_SECOND:], np.array(lines)[-HOPS_A_SECOND:], atol=0.01)


def test_what_never_crosses_stays_in_pitch_order() -> None:
    """Even where both sound alike: then nothing speaks for a change."""
    rng = np.random.default_rng(3)
    order = PartOrder(TWO, FRAMING)
    for _ in range(20):
        high, low = 67.0 + rng.integers(0, 5), 57.0 + rng.integers(0, 5)
        for _ in range(HOPS_A_SECOND // 4):
            f0_hz = np.array([hz(high), hz(low)], np.float32)
            before = f0_hz.copy()
            order.step(spectrum([(hz(high), BRIGHT), (hz(low), BRIGHT)]), f0_hz, np.ones(2, np.bool_))
            np.testing.assert_array_equal(f0_hz, before)


def sung_vowels(seed: int, hops: int = HOPS_A_SECOND // 2) -> list[tuple[np.ndarray, np.ndarray]]:
    """Power and pitches, hop by hop, of a high and a low voice that sing vowels alike, together and alone by
    turns, with rests of seconds in between.
    """
    rng = np.random.default_rng(seed)
    out = []
    for note in range(60):
        who = note // 3 % 3  # both, the high one, the low one; three notes each
        midi = [
            0.0 if who == 2 else 66.0 + rng.integers(0, 5),
            0.0 if who == 1 else 59.0 + rng.integers(0, 5),
        ]
        sung = [(hz(m), rng.uniform(*VOWELS)) for m in midi if m]
        power, f0_hz = spectrum(sung), np.array([hz(m) if m else 0.0 for m in midi], np.float32)
        out += [(power, f0_hz)] * hops
        if note % 3 == 2:
            out += [(spectrum([]), np.zeros(2, np.float32))] * (3 * HOPS_A_SECOND)
    return out


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_who_comes_back_after_a_rest_is_not_taken_for_the_other_by_a_vowel(seed: int) -> None:
    """Neither for a note nor for good: both vowels and rests are many."""
    order = PartOrder(TWO, FRAMING)
    taken = sounding = 0
    for power, f0_hz in sung_vowels(seed):
        given = f0_hz.copy()
        order.step(power, given, f0_hz > 0)
        sounding += f0_hz.any()
        taken += not np.array_equal(given, f0_hz)
    assert taken < 0.03 * sounding


def test_who_begins_alone_is_known_by_the_range() -> None:
    """The bass opens a fugue: in pitch order it would be whatever voice the tracker takes it for."""
    order = PartOrder(Parts.parse("S,B", {}), FRAMING)
    for _ in range(HOPS_A_SECOND):
        f0_hz, confident = np.array([hz(43.0), 0.0], np.float32), np.array([True, False])
        order.step(spectrum([(hz(43.0), DULL)]), f0_hz, confident)
    assert f0_hz[0] == 0
    assert f0_hz[1] == pytest.approx(hz(43.0))
    assert confident.tolist() == [False, True]


def test_all_pitches_are_given_to_somebody() -> None:
    rng = np.random.default_rng(4)
    order = PartOrder(Parts.parse("S,A,T,B", {}), FRAMING)
    for _ in range(200):
        f0_hz = np.sort(rng.uniform(100, 800, 4) * (rng.random(4) < 0.7))[::-1].astype(np.float32)
        before = np.sort(f0_hz)
        order.step(spectrum([(float(f), DULL) for f in f0_hz if f]), f0_hz, f0_hz > 0)
        np.testing.assert_array_equal(np.sort(f0_hz), before)


def test_a_state_is_continued_exactly() -> None:
    lines = crossing()
    whole = told(PartOrder(TWO, FRAMING), lines)
    first, second = PartOrder(TWO, FRAMING), PartOrder(TWO, FRAMING)
    cut = 2 * HOPS_A_SECOND + 3
    told(first, lines[:cut])
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(told(second, lines[cut:]), whole[cut:])
    first.reset()
    np.testing.assert_array_equal(told(first, lines), whole)


@pytest.mark.parametrize(
    ("name", "value"),
    [("playing", 2), ("rest_s", -1.0), ("score", 1.0), ("memory.timbre_s", 99.0), ("places.crossed_s", -1.0)],
)
def test_a_state_that_cannot_be_is_refused(name: str, value: float) -> None:
    order = PartOrder(TWO, FRAMING)
    told(order, crossing()[:20])
    before = order.state_dict()
    spoilt = {key: array.copy() for key, array in before.items()}
    spoilt[name][...] = value
    with pytest.raises(ValueError, match=name):
        order.load_state_dict(spoilt)
    for key, array in order.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_a_timbre_is_read_where_partials_stand_alone() -> None:
    timbre = SlotTimbre(2, FRAMING)
    both = [(hz(64.0), BRIGHT), (hz(57.0), DULL)]
    timbre.read(spectrum(both), np.array([f for f, _ in both], np.float32))
    together = timbre.level_db.copy()
    timbre.read(spectrum(both[:1]), np.array([both[0][0], 0.0], np.float32))
    assert np.isnan(timbre.level_db[1]).all()
    there = ~np.isnan(together[0])
    assert there.sum() >= 3
    np.testing.assert_allclose(together[0, there], timbre.level_db[0, there], atol=3.0)
    timbre.read(spectrum(both[:1]), np.full(2, both[0][0], np.float32))
    assert np.isnan(timbre.level_db).all()  # in unison nothing stands alone
