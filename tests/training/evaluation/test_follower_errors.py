"""What is done to a recording, and how far a follower is from it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.sung import note, sing

from rtsep.models.choir.score.score import Score
from rtsep.training.evaluation.disturbances import GRID_S, disturbances, stretched, with_wrong_notes
from rtsep.training.evaluation.follower_errors import summary

RATE = 16000


def test_a_stretched_tone_keeps_its_pitch_and_level_and_takes_its_time() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE).astype(np.float32)
    slow = stretched(tone, RATE, np.arange(0.0, 3.0, GRID_S / 1.25))
    assert len(slow) == pytest.approx(3.75 * RATE, abs=GRID_S * RATE)
    middle = slow[RATE : 2 * RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(RATE)))
    assert np.argmax(spectrum) == 440
    assert np.std(middle) == pytest.approx(np.sqrt(0.5), rel=0.05)


def test_a_moment_is_heard_when_the_map_says_so() -> None:
    """A click at 1 s; heard once where it comes once, twice where it is repeated, and after a late start."""
    click = np.zeros(3 * RATE, np.float32)
    click[RATE] = 1.0
    for wanted in disturbances(3.0):
        heard = stretched(click, RATE, wanted.source_s)
        loud = np.flatnonzero(np.abs(heard) > 0.5 * np.abs(heard).max()) / RATE
        times = np.arange(len(wanted.source_s)) * GRID_S
        near = np.abs(wanted.source_s - 1.0) < GRID_S
        expected = times[near]
        if len(expected) > 4 or not len(expected):  # held, or cut out
            continue
        assert np.abs(loud[:, None] - expected[None, :]).min(axis=1).max() < 0.05, wanted.name
    names = [wanted.name for wanted in disturbances(3.0)]
    assert len(set(names)) == len(names) == 9


def test_wrong_notes_are_some_and_the_same_each_time() -> None:
    score = Score(("a",), (tuple((float(i), i + 1.0, 60.0) for i in range(500)),))
    changed = with_wrong_notes(score)
    assert 0.03 < np.mean([note[2] != 60 for note in changed.notes[0]]) < 0.1
    assert changed == with_wrong_notes(score)


def test_a_summary_counts_what_was_never_told_as_wrong() -> None:
    error_s = np.full(1000, 0.05)
    error_s[:200] = 2.0
    error_s[-50:] = np.nan
    found = summary("x", error_s, 0.02)
    assert (found.median_ms, found.near_percent, found.found_s) == (50, 75.0, 4.0)
    assert summary("x", error_s + 1.0, 0.02).found_s is None


@pytest.mark.slow
def test_the_command_tells_each_disturbance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mido = pytest.importorskip("mido")
    pytest.importorskip("partitura")
    from rtsep.training.__main__ import main

    midi = np.random.default_rng(3).integers(60, 72, 20)
    f0_hz = np.repeat([note(int(each)) for each in midi], RATE // 2)
    soundfile.write(tmp_path / "soprano1.wav", sing(f0_hz, RATE), RATE)
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    for each in midi:  # half seconds at 120
        track += [mido.Message("note_on", note=int(each)), mido.Message("note_off", note=int(each), time=480)]
    file.tracks.append(track)
    file.save(tmp_path / "piece.mid")
    words = [
        "eval-score", str(tmp_path), "--score", f"{tmp_path}/piece.mid", "--json", f"{tmp_path}/e.json",
        "--quality", "--other", f"{tmp_path}/piece.mid", "--jobs", "2",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code in (0, None)
    said = capsys.readouterr()
    assert "how far the follower is" in said.out
    assert "15 % faster" in said.out  # whole words where there is no terminal
    assert "0 %  0 of" not in said.err
    assert " of 9  " in said.err
    found = json.loads((tmp_path / "e.json").read_text())
    (rows,) = found["errors"].values()
    assert len(rows) == 9
    assert rows[0]["live"]["median_ms"] < 200
    assert rows[0]["file"]["median_ms"] < 150
    by_name = {row["name"]: row for row in found["quality"]}
    assert by_name["of another piece"] | {"name": ""} == by_name["the right one"] | {
        "name": ""
    }  # the same file
    assert len(by_name) == 5
