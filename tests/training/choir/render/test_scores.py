"""Scores: what is read is monophonic, what is drawn can be sung."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.scores import (
    LINE_CENTRES,
    LINE_REACH,
    Note,
    Score,
    load_scores,
    random_score,
)


def assert_monophonic(score: Score) -> None:
    for part in score.parts:
        for note, after in itertools.pairwise(part):
            assert note.end <= after.onset + 1e-9
        assert all(note.duration > 0 for note in part)


def test_json_list(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    # the second part overlaps with itself, out of order
    parts = [[[0, 1, 72, False], [1, 2, 74, True]], [[2, 2, 60, False], [0, 3, 62, False]]]
    file.write_text(json.dumps([{"file": "two.mxl", "parts": parts}]))
    (score,) = load_scores(file)
    assert score.name == "two.mxl"
    assert score.parts[0] == (Note(0, 1, 72), Note(1, 2, 74, True))
    assert score.parts[1] == (Note(0, 2, 62), Note(2, 2, 60))
    assert score.end == 4
    assert_monophonic(score)


def test_folder_of_musicxml(tmp_path: Path) -> None:
    music21 = pytest.importorskip("music21", reason="MusicXML needs music21 (extra `train`)")
    written = music21.stream.Score()
    for pitches in (("G3", "A3"), ("C5", "D5")):
        part = music21.stream.Part()
        for name in pitches:
            part.append(music21.note.Note(name, quarterLength=2.0))
        part.notes[-1].expressions.append(music21.expressions.Fermata())
        written.insert(0, part)
    written.write("musicxml", tmp_path / "duet.musicxml")
    (score,) = load_scores(tmp_path)
    # highest first, whatever the order in the file
    assert score.parts[0] == (Note(0, 2, 72), Note(2, 2, 74, True))
    assert score.parts[1] == (Note(0, 2, 55), Note(2, 2, 57, True))


@pytest.mark.parametrize("text", ["no json", "[]", '[{"parts": []}]', '[{"file": "x", "parts": [[[1]]]}]'])
def test_broken_lists(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scores.json"
    file.write_text(text)
    with pytest.raises(RtsepError, match=r"scores\.json"):
        load_scores(file)


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_random_lines(parts: int) -> None:
    for seed in range(20):
        score = random_score(parts, 40.0, np.random.default_rng(seed))
        assert len(score.parts) == parts
        assert_monophonic(score)
        for part in score.parts:
            assert part[-1].end >= 39.0  # a rest of one quarter may come last
            pitches = [note.midi for note in part]
            assert max(pitches) - min(pitches) <= 2 * LINE_REACH
            assert min(pitches) >= LINE_CENTRES[0] - LINE_REACH
            assert max(pitches) <= LINE_CENTRES[1] + LINE_REACH
