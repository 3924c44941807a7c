"""Duets whose parts cross, as they are written, sung and scored."""

from functools import partial

import numpy as np
import pytest
from helpers.sung import note, sing

from rtsep.training.evaluation.crossing_duets import BEAT_S, PIECES, written
from rtsep.training.evaluation.part_orders import Performance, Sung, compare_orders
from rtsep.training.measures.protocol import SAMPLERATE


def test_a_line_is_read_with_its_rests() -> None:
    notes, long_s = written("E4:2 R:0.5 F#4 Bb3")
    assert [n.midi for n in notes] == [64, 66, 58]
    assert [n.onset_s for n in notes] == pytest.approx([0, 2.5 * BEAT_S, 3.5 * BEAT_S])
    assert [n.last for n in notes] == [True, False, True]
    assert long_s == pytest.approx(4.5 * BEAT_S)


@pytest.mark.parametrize("piece", PIECES)
def test_both_lines_of_a_piece_are_about_as_long_and_do_what_it_says(piece: str) -> None:
    lines = [written(text) for text in PIECES[piece]]
    assert abs(lines[0][1] - lines[1][1]) < 3.0
    times_s = np.arange(0.0, lines[0][1], 0.1)
    midi = np.full((2, len(times_s)), np.nan)
    for row, (notes, _) in zip(midi, lines, strict=True):
        for each in notes:
            row[(times_s >= each.onset_s) & (times_s < each.end_s)] = each.midi
    both = ~np.isnan(midi).any(axis=0)
    above = float(np.mean(midi[0, both] > midi[1, both]))
    equal = float(np.mean(midi[0, both] == midi[1, both]))
    resting = 1.0 - float(both.mean())
    if piece in ("crossing scales", "melody across a drone"):
        assert 0.2 < above < 0.8
    elif piece == "meeting in unison":
        assert equal > 0.25
    else:
        assert resting > 0.4


def _crossing() -> Sung:
    """A tone of the formants of a voice that glides across a held one of another timbre, and back."""
    t = np.arange(12 * SAMPLERATE) / SAMPLERATE
    moving = sing(note(1) * 2 ** ((59 + 6.0 * np.cos(2 * np.pi * t / 6.0)) / 12), SAMPLERATE)
    held = 0.05 * sum((-1) ** k * np.sin(2 * np.pi * k * note(60) * t) / k**2 for k in range(1, 6))
    stems = np.stack([moving, held])
    return stems.astype(np.float32), stems.sum(axis=0).astype(np.float32)


def test_orders_are_scored_against_the_parts_whatever_the_pitch() -> None:
    performances = [Performance("glide", name, 2, partial(_crossing)) for name in ("a", "b")]
    seen: list[tuple[int, int]] = []
    (found,) = compare_orders(
        performances, 43, progress=lambda done, total, label: seen.append((done, total))
    )
    assert set(found.mean_db) == {"pitch", "part"}
    assert found.performances_db["a"] == found.performances_db["b"] == pytest.approx(found.mean_db)
    assert found.mean_db["part"] > found.mean_db["pitch"] + 5.0
    assert seen == [(1, 2), (2, 2)]
    assert Performance("recorded", "x", 4, _crossing).orders == ("pitch", "part", "part S,A,T,B")
