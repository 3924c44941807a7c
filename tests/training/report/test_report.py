"""What `rtsep eval --report` writes: every file, and numbers that agree with each other."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluate import command
from rtsep.training.evaluation.evaluate import Evaluation, Result, Run, Settings
from rtsep.training.evaluation.frame_pitch import frame_pitch
from rtsep.training.evaluation.stems import Mixture
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import Scores
from rtsep.training.measures.stem_pitch import F0Truth
from rtsep.training.report.report import places, report
from rtsep.training.report.tables import distinct_trackers, over_latency, sheets

PICTURES = ("overview", "quality_over_latency", "trackers", "pitch_errors", "masks")


def made_up(tracked_hz: dict[str, float]) -> Evaluation:
    """One mixture of one voice at 200 Hz, one excerpt of four frames; the last frame is silent."""
    times_s = 4.0 + np.arange(0, 4, 0.016)
    true = np.where(times_s < 7, 200.0, 0.0)[:, None]
    scores = Scores(np.array([[1.0, 2.0, 3.0, np.nan]]), np.array([[True, True, True, False]]))
    results = {
        Run(name, 43): [Result(scores, Contours(times_s, np.full_like(true, hz)))]
        for name, hz in tracked_hz.items()
    }
    settings = Settings(tuple(tracked_hz), (43,), 1, False, Path())
    return Evaluation(
        [Mixture("m", (Path("solo.wav"),))], settings, results, [F0Truth(times_s, true, true)], []
    )


def test_pitch_errors_of_frames() -> None:
    evaluation = made_up({"choir-tracked": 202.0, "choir-fixed-tracked": 230.0})
    near = frame_pitch(evaluation, Run("choir-tracked", 43), 0)
    assert near.missed[0, :3].tolist() == [0, 0, 0]
    assert near.error_cents[0, :3] == pytest.approx(1200 * np.log2(202 / 200))
    far = frame_pitch(evaluation, Run("choir-fixed-tracked", 43), 0)
    assert far.missed[0, :3].tolist() == [1, 1, 1]
    assert np.isnan(far.error_cents).all()
    assert np.isnan(near.missed[0, 3])  # nothing to find where nobody sings


def test_systems_with_one_tracker_share_a_row() -> None:
    same = report(made_up({"choir-tracked": 202.0, "choir-fixed-tracked": 202.0}))
    assert [name for name, _ in distinct_trackers(same)] == ["choir / choir-fixed, 43 ms"]
    other = report(made_up({"choir-tracked": 202.0, "choir-fixed-tracked": 230.0}))
    assert len(distinct_trackers(other)) == 2


def test_pairs_are_pooled_by_part() -> None:
    mixtures = [
        Mixture(str(i), tuple(map(Path, names)))
        for i, names in enumerate((("alto1", "bass1"), ("soprano1", "alto2")))
    ]
    assert places(mixtures) == {"soprano": [(1, 0)], "alto": [(0, 0), (1, 1)], "bass": [(0, 1)]}


def test_tables_in_markdown() -> None:
    text = "\n".join(sheet.markdown() for sheet in sheets(report(made_up({"choir-tracked": 202.0}))))
    assert "| choir, tracked F0 | 2.0/2.0 | 2.0/2.0 |" in text
    assert "| - solo | 100.0 | 100.0 | 0.0 | 100.0 | 2.00 Hz, 17 ct |" in text


def test_what_was_not_run_is_a_dash() -> None:
    def row(title: str, latency_ms: int | None, mean_db: float | None) -> dict[str, object]:
        return {"title": title, "latency_ms": latency_ms, "overall": {"mean_db": mean_db}}

    results = [
        row("a", 43, 4.75),
        row("a", 143, 5.42),
        row("b", 43, 6.4),
        row("c", None, 7.0),
        row("d", 43, None),
    ]
    presets = [{"latency_ms": 43}, {"latency_ms": 143}]
    sheet = over_latency({"latencies": presets, "results": results})
    assert sheet.headings == ("system", "43 ms", "143 ms", "offline")
    assert sheet.rows == [
        ("a", "4.8", "5.4", "-"),
        ("b", "6.4", "-", "-"),
        ("c", "-", "-", "7.0"),
        ("d", "-", "-", "-"),
    ]


def test_a_folder_of_everything(tmp_path: Path) -> None:
    t = np.arange(int(8.2 * 16000)) / 16000
    for name, f0_hz in (("a", 330.0), ("b", 220.0)):
        voice = sum(np.sin(2 * np.pi * k * f0_hz * t + 0.3 * np.sin(30 * t)) / k for k in range(1, 12))
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * voice, 16000)
    folder = tmp_path / "report"
    arguments = (
        tmp_path, "--latency", "43", "--systems", "mixture,choir-comb-tracked,choir-comb-given,ideal",
        "--cache", tmp_path / "f0", "--report", folder,
    )  # fmt: skip
    result = CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    content = json.loads((folder / "report.json").read_text())
    text = (folder / "report.md").read_text()
    for picture in PICTURES:
        assert f"({picture}.png)" in text
        assert (folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    with gzip.open(folder / "frames.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * 4  # runs, voices, frames
    for entry in content["results"]:
        kept = [
            float(row["si_sdr_db"])
            for row in rows
            if row["system"] == entry["system"] and row["kept"] == "1" and row["si_sdr_db"]
        ]
        assert np.mean(kept) == pytest.approx(entry["overall"]["mean_db"], abs=0.01)
    assert {row["f0_missed"] != "" for row in rows if row["system"] == "choir-comb-tracked"} == {True}
    assert {row["f0_missed"] for row in rows if row["system"] != "choir-comb-tracked"} == {""}


def test_a_report_folder_that_is_a_file_is_a_mistake(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000 * 9), 16000)
    result = CliRunner().invoke(command, [str(tmp_path), "--report", str(tmp_path / "a.wav")])
    assert isinstance(result.exception, RtsepError)
    assert "is a file" in str(result.exception)
