"""Reliability of a tracker's log odds: what counts as right, and the bins."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluating import confidence as command_module
from rtsep.training.evaluation.confidence import EDGES, Pitches, bins, calibration_error, heard, judged
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.measures.stem_pitch import F0Truth


def _truth() -> F0Truth:
    """Two voices at 0, 16, 32 ms: sung and silent; silent and in dispute; both silent."""
    first = np.array([[220.0, 0.0], [0.0, 300.0], [0.0, 0.0]])
    second = np.array([[221.0, 0.0], [0.0, 200.0], [0.0, 0.0]])
    return F0Truth(np.array([0.0, 0.016, 0.032]), first, second)


def test_a_pitch_is_right_within_half_a_semitone_and_unknown_beside_a_dispute() -> None:
    near, far = 220.0 * 2 ** (49 / 1200), 220.0 * 2 ** (51 / 1200)
    pitches = Pitches(
        np.array([0.001, 0.0, 0.016, 0.033, -0.1, 9.0]),
        np.array([near, far, 250.0, 220.0, 220.0, 220.0]),
        np.array([3.0, 2.0, 1.0, 0.0, 5.0, 5.0]),
    )
    log_odds, right = judged(pitches, _truth())
    assert log_odds.tolist() == [3.0, 2.0, 0.0]  # the third is in dispute, the last two lie outside
    assert right.tolist() == [True, False, False]


def test_probabilities_that_come_true_are_no_error() -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.uniform(-4.0, 5.0, 200_000)
    right = rng.random(log_odds.size) < 1.0 / (1.0 + np.exp(-log_odds))
    found = bins(log_odds, right)
    assert sum(each.pitches for each in found) == log_odds.size
    assert calibration_error(found) < 0.005
    timid = bins(log_odds - 1.0, right)  # said to be less likely than it is
    assert calibration_error(timid) > 0.08
    assert all(each.right >= each.said for each in timid if each.pitches > 1000)


def test_nothing_heard_is_no_error() -> None:
    found = bins(np.zeros(0), np.zeros(0, np.bool_))
    assert len(found) == len(EDGES) - 1
    assert calibration_error(found) == 0.0


def test_a_loud_tone_is_heard_at_its_pitch_with_confidence() -> None:
    t = np.arange(2 * SAMPLERATE) / SAMPLERATE
    tone = sum(0.1 / k * np.sin(2 * np.pi * 220.0 * k * t) for k in range(1, 9)).astype(np.float32)
    pitches = heard(tone, SAMPLERATE, 43, "choir")
    late = pitches.times_s > 1.0
    sure = late & (pitches.log_odds > 2.0)
    assert sure.sum() > 20
    assert np.abs(1200.0 * np.log2(pitches.f0_hz[sure] / 220.0)).max() < 30.0
    # in the mixture's time: the last hop is heard as of before its end
    assert pitches.times_s.max() < 2.0


def test_a_model_without_a_network_is_refused() -> None:
    with pytest.raises(RtsepError, match="choir-comb has no network for pitches at 43 ms"):
        heard(np.zeros(SAMPLERATE, np.float32), SAMPLERATE, 43, "choir-comb")


def test_the_command_writes_numbers_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times_s = np.arange(126) * 0.016
    f0_hz = np.full((126, 1), 220.0)
    monkeypatch.setattr(command_module, "mixture_truth", lambda *_: F0Truth(times_s, f0_hz, f0_hz))
    t = np.arange(2 * SAMPLERATE) / SAMPLERATE
    (tmp_path / "stems").mkdir()
    soundfile.write(tmp_path / "stems" / "voice.wav", 0.2 * np.sin(2 * np.pi * 220.0 * t), SAMPLERATE)
    arguments = [
        tmp_path / "stems", "--latency", "43", "--plot", tmp_path / "sure.png",
        "--json", tmp_path / "sure.json",
    ]  # fmt: skip
    result = CliRunner().invoke(command_module.command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads((tmp_path / "sure.json").read_text())["bins"]["43"]
    assert found[-1]["high"] is None
    assert sum(each["pitches"] for each in found) > 20
    assert (tmp_path / "sure.png").stat().st_size > 10_000
    for place in (tmp_path / "sure.txt", tmp_path / "nowhere" / "sure.png"):
        with pytest.raises(RtsepError, match="is no PNG in a folder"):
            CliRunner().invoke(
                command_module.command,
                [str(tmp_path / "stems"), "--plot", str(place)],
                catch_exceptions=False,
            )
