"""pymatchmaker beside our follower: what it is asked, what becomes of its answers, and where it is not."""

import sys
from pathlib import Path

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.training.evaluation.matchmaker import Matchmaker

SCORE = Score(("a", "b"), (((0.5, 1.0, 60.0), (1.0, 1.5, 62.0)), ((0.5004, 1.5, 50.0), (1.5, 3.0, 52.0))))
STAND_IN = """
import numpy as np, soundfile
class Matchmaker:
    def __init__(self, score_file, performance_file, input_type):
        assert input_type == "audio" and open(score_file).read() == "score"
        seconds = soundfile.info(performance_file).duration
        times = np.arange(0.0, seconds, 0.5)
        self.score_follower = type("", (), {"alignment_path": np.stack([1.0 + times, times])})
        notes = {"onset_beat": np.array([1.0, 1.0, 2.0, 4.0])}
        self.score_part = type("", (), {"note_array": lambda self: notes})()
    def run(self, verbose):
        yield from range(3)
"""


@pytest.fixture
def rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Matchmaker:
    (tmp_path / "matchmaker.py").write_text(STAND_IN)
    (tmp_path / "piece.mid").write_text("score")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Matchmaker(Path(sys.executable), tmp_path / "piece.mid", SCORE)


def test_its_beats_become_seconds_of_the_score(rival: Matchmaker) -> None:
    assert rival.why_not() is None
    times_s, places_s = rival.follow(np.zeros(32000, np.float32), 16000)
    np.testing.assert_allclose(times_s, [0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(places_s, [0.5, 0.75, 1.0, 1.125])


def test_another_reading_of_the_score_is_no_answer(rival: Matchmaker) -> None:
    other = Score(("a",), (((0.5, 1.0, 60.0),),))
    with pytest.raises(RtsepError, match=r"reads 3 onsets from .*, rtsep 1"):
        Matchmaker(rival.python, rival.score_file, other).follow(np.zeros(32000, np.float32), 16000)


def test_where_it_is_not_it_is_said_why(rival: Matchmaker, tmp_path: Path) -> None:
    (tmp_path / "matchmaker.py").unlink()
    assert rival.why_not() == "ModuleNotFoundError: No module named 'matchmaker'"
    nowhere = Matchmaker(tmp_path / "python", rival.score_file, SCORE)
    assert nowhere.why_not() == f"{tmp_path}/python cannot be run (No such file or directory)"
