"""Trackers on choirs whose F0 is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.rendered_fixture import write_choirs

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluating.pitch import command
from rtsep.training.evaluation import rendered_choirs as evaluate_rendered
from rtsep.training.evaluation.evaluate import Run
from rtsep.training.evaluation.systems import Estimate, System
from rtsep.training.measures.contours import Contours


def test_slots_times_and_rests_are_those_that_were_sung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker that is right by construction, but for a lower voice that never rests."""
    write_choirs(tmp_path / "choirs", 1)
    times_s = np.arange(0.0, 5.0, 0.01)
    sways = 2 ** (20 / 1200 * np.sin(2 * np.pi * 5.5 * times_s))
    exact = Contours(times_s, np.stack([440.0 * sways, 196.0 * sways], axis=1))
    fake = System("exact", lambda stems, *_: Estimate(stems, exact), "tracked", streaming=True)
    monkeypatch.setattr(evaluate_rendered, "find_system", lambda _: fake)
    file = tmp_path / "pitch.json"
    arguments = (tmp_path / "choirs", "--items", 1, "--latency", 43, "--systems", "any", "--json", file)
    result = CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert "items of 2" in result.output
    (row,) = json.loads(file.read_text())["results"]
    upper, lower, *others = row["by_slot"]
    assert others == [None, None]
    assert row["by_voices"][0] is None
    # 4 s after the warm-up, of which the lower voice rests for one
    assert (upper["voiced_points"], upper["silent_points"]) == (800, 0)
    assert (lower["voiced_points"], lower["silent_points"]) == (600, 200)
    assert (upper["recall"], lower["recall"], lower["wrong_voice"]) == (1.0, 1.0, 0.0)
    assert (upper["false_voicing"], lower["false_voicing"]) == (None, 1.0)
    assert row["all"]["median_error_cents"] < 3  # half a step of the tracker's grid
    assert row["all"]["voiced_points"] == 1400


def test_a_tracker_of_the_package_runs(tmp_path: Path) -> None:
    write_choirs(tmp_path, 1, seconds=2.5)
    found = evaluate_rendered.evaluate_rendered(tmp_path, 1, [Run("choir-comb-tracked", 43)])
    (row,) = found["results"]
    assert row["all"]["recall_any"] > 0.5


def test_voices_by_themselves_with_swift_f0_beside(tmp_path: Path) -> None:
    pytest.importorskip("swift_f0", reason="swift-f0 is not installed (extra `eval`)")
    write_choirs(tmp_path / "choirs", 1, seconds=4.0)
    file = tmp_path / "pitch.json"
    arguments = (tmp_path / "choirs", "--items", 1, "--latency", 43, "--systems", "choir-tracked", "--solo")
    result = CliRunner().invoke(
        command, [*(str(a) for a in arguments), "--json", str(file)], env={"COLUMNS": "100"}
    )
    assert result.exit_code == 0, result.output
    ours, single = json.loads(file.read_text())["results"]
    assert (single["title"], single["latency_ms"]) == ("swift-f0, offline", None)
    for row in (ours, single):
        assert row["title"] in result.output
        assert row["all"]["recall"] > 0.9  # nobody to be confused with
        assert row["all"]["wrong_voice"] in (None, 0.0)
        assert row["all"]["median_error_cents"] < 20


def test_mistakes(tmp_path: Path) -> None:
    write_choirs(tmp_path, 1, seconds=1.0)
    with pytest.raises(RtsepError, match="holds 1 items, not 2"):
        evaluate_rendered.evaluate_rendered(tmp_path, 2, [Run("choir-tracked", 43)])
    with pytest.raises(RtsepError, match="choir-given tracks no pitch"):
        evaluate_rendered.evaluate_rendered(tmp_path, 1, [Run("choir-given", 43)])
    with pytest.raises(RtsepError, match="swift-f0"):
        evaluate_rendered.evaluate_rendered(tmp_path, 1, [Run("swift-f0", None)])
