"""`--score` from the command line to the stems, and `rtsep control score` to the engine."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import run_command
from numpy.typing import NDArray

import rtsep
from rtsep import Separator
from rtsep.kernels.errors import ModelRefused, RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.rt.cli.session_actions import set_score
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.parameters import SCORE_PARAMETERS, mixer_parameters
from rtsep.rt.process.shared_memory import SharedMemory

SCORE = Score(
    ("high", "low"),
    (((0.0, 2.0, 69.0), (2.0, 4.0, 62.0)), ((0.0, 2.0, 60.0), (2.0, 4.0, 67.0))),
    ((0.0, 1, 1.0), (2.0, 2, 1.0)),
    0.0,
)


def sung(seconds: float, *f0_hz: float) -> NDArray[np.float32]:
    """Tones with partials, at 16 kHz."""
    t = np.arange(round(seconds * 16000)) / 16000
    tones = [np.sin(2 * np.pi * f * k * t) / k for f in f0_hz for k in range(1, 8)]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


def test_stems_are_named_after_the_parts_and_cross_with_them() -> None:
    separator = Separator.load(samplerate=16000, latency_ms=43, score=SCORE)
    assert separator.stems == ("high", "low", "residual")
    assert separator.guide is not None
    separator.process(sung(1.5, 440.0, 261.6))
    assert separator.voices.f0_hz == pytest.approx([440.0, 261.6], rel=0.02)
    state, later = separator.state_dict(), np.concatenate([sung(0.5, 440.0, 261.6), sung(1.0, 392.0, 293.7)])
    first = separator.process(later)
    assert separator.voices.f0_hz == pytest.approx([293.7, 392.0], rel=0.02)
    other = Separator.load(samplerate=16000, latency_ms=43, score=SCORE)
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.process(later), first)


def test_a_file_is_aligned_with_its_score_from_both_ends() -> None:
    """Parts cross at 2 s: each stem holds its own part before and after."""
    sound = np.concatenate([sung(2.0, 440.0, 261.6), sung(2.0, 392.0, 293.7)])
    stems = rtsep.separate(sound, 16000, score=SCORE, offline="on")
    assert list(stems) == ["high", "low", "residual"]
    t = np.arange(16000) / 16000
    for part, first_hz, then_hz in (("high", 440.0, 293.7), ("low", 261.6, 392.0)):
        for start_s, own_hz, other_hz in ((0.5, first_hz, 701.6 - first_hz), (2.5, then_hz, 685.7 - then_hz)):
            stem = stems[part][round(start_s * 16000) :][:16000]
            own, other = (abs(np.exp(-2j * np.pi * hz * t) @ stem) for hz in (own_hz, other_hz))
            assert own > 10 * other
    auto, live = (rtsep.separate(sound, 16000, score=SCORE, offline=wish) for wish in ("auto", "off"))
    np.testing.assert_array_equal(auto["high"], stems["high"])
    assert np.abs(live["high"] - stems["high"]).max() > 1e-4


def test_a_score_of_other_parts_than_voices_is_refused() -> None:
    with pytest.raises(ModelRefused, match="the score has 2 parts, --voices is 3"):
        Separator.load(voices=3, score=SCORE)
    with pytest.raises(ModelRefused, match="follows no score"):
        Separator.load("choir-comb", score=SCORE)
    with pytest.raises(ModelRefused, match="follows no score"):
        Separator.load("band", score=SCORE)


def test_a_file_and_its_score_from_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("partitura")
    file = mido.MidiFile(ticks_per_beat=480)
    for name, note in (("Sopran", 69), ("Alt", 60)):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        track += [mido.Message("note_on", note=note), mido.Message("note_off", note=note, time=1920)]
        file.tracks.append(track)
    file.save(tmp_path / "piece.mid")
    soundfile.write(tmp_path / "choir.wav", sung(1.0, 440.0, 261.6), 16000)
    options = ["--input", f"{tmp_path}/choir.wav", "--output", f"{tmp_path}/out"]
    score = ["--score", f"{tmp_path}/piece.mid"]
    said = run_command(capfd, *options, *score)
    assert said.code == 0
    assert "decided from both ends of the file" in said.out
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["alt", "residual", "sopran"]
    for more, words in (([*score, "--voices", "3"], "2 parts"), (["--transpose", "2"], "is for --score")):
        refused = run_command(capfd, *options, *more)
        assert refused.code == 2
        assert words in refused.err


def test_where_the_choir_is_can_be_told() -> None:
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    layout, _ = lay_desk(("a", "residual"), [[0]], [0], 1)
    control = Control(shared, mixer_parameters(replace(layout, bars=(1, 20))))
    bar, times = SCORE_PARAMETERS
    assert set_score(control, "bar 17") == 17
    assert (control.get(bar), control.get(times)) == (17, 1)
    set_score(control, "bar 17")
    assert control.get(times) == 2
    assert set_score(control, "start") == 1
    for words in ("bar 21", "bar", "verse 2"):
        with pytest.raises(RtsepError):
            set_score(control, words)
