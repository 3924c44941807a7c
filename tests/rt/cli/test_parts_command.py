"""`--order`, `--parts` and `--range` from the command line to the stems."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import run_command
from numpy.typing import NDArray

from rtsep import F0Track, GpuMissing, ModelRefused, Parts, Score, Separator
from rtsep.rt.live.settings import LiveSettings

PARTS = Parts.parse("S,B", {})


def sung(seconds: float, *f0_hz: float) -> NDArray[np.float32]:
    """Tones with partials, at 16 kHz."""
    t = np.arange(round(seconds * 16000)) / 16000
    tones = [np.sin(2 * np.pi * f * k * t) / k for f in f0_hz for k in range(1, 8)]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


def test_a_lone_bass_is_the_bass_and_a_state_goes_on() -> None:
    separator = Separator.load(samplerate=16000, latency_ms=43, parts=PARTS)
    assert separator.stems == ("soprano", "bass", "residual")
    separator.process(sung(1.0, 98.0))
    assert separator.voices.stems == ("soprano", "bass")
    assert separator.voices.f0_hz == pytest.approx([0.0, 98.0], rel=0.02)
    state, later = separator.state_dict(), sung(0.5, 523.3, 98.0)
    first = separator.process(later)
    assert separator.voices.f0_hz == pytest.approx([523.3, 98.0], rel=0.02)
    other = Separator.load(samplerate=16000, latency_ms=43, parts=PARTS)
    other.load_state_dict(state)
    np.testing.assert_array_equal(
        np.concatenate([other.process(later[:977]), other.process(later[977:])], axis=1), first
    )


def test_what_does_not_go_with_parts_is_refused() -> None:
    with pytest.raises(ModelRefused, match="2 parts are named, --voices is 3"):
        Separator.load(voices=3, parts=PARTS)
    with pytest.raises(ModelRefused, match="has no parts that cross"):
        Separator.load("band", parts=PARTS)
    score = Score(("a", "b"), (((0.0, 1.0, 60.0),), ((0.0, 1.0, 55.0),)))
    with pytest.raises(ModelRefused, match="a score and --order part both say"):
        Separator.load(score=score, parts=PARTS)
    with pytest.raises(ModelRefused, match="given F0 say who sings what"):
        Separator.load(f0=F0Track(np.array([0.0]), np.array([[440.0, 220.0]])), parts=PARTS)
    with pytest.raises(GpuMissing, match="does not follow parts that cross"):
        Separator.load(backend="cuda", parts=PARTS)


def test_parts_travel_to_an_engine() -> None:
    values = {
        "voices": None, "model": None, "latency_ms": 11, "input": "mic", "input_channels": None,
        "output": None, "output_channels": None, "samplerate": None, "blocksize": None, "backend": "cpu",
    }  # fmt: skip
    settings = LiveSettings.from_json(LiveSettings.asked(None, None, PARTS, **values).to_json())
    assert settings.parts == PARTS
    assert settings.choice.names() == ("soprano", "bass")


def test_a_file_and_its_parts_from_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "duet.wav", sung(1.0, 440.0, 261.6), 16000)
    options = ["--input", f"{tmp_path}/duet.wav", "--output", f"{tmp_path}/out"]
    assert run_command(capfd, *options, "--parts", "S,T").code == 0
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["residual", "soprano", "tenor"]
    for more, words in (
        (["--order", "pitch", "--parts", "S,T"], "--parts is for parts that cross, and --order is pitch"),
        (["--order", "part", "--voices", "2", "--range", "voice-3:C4-A5"], "is no part"),
        (["--range", "voice-1:A5-C4"], "runs backwards"),
        (["--parts", "S,T", "--voices", "3"], "--parts S,T names 2 parts"),
        (["--parts", "S,T", "--offline", "on"], "parts that cross are followed forward alone"),
    ):
        refused = run_command(capfd, *options, *more)
        assert refused.code == 2, more
        assert words in refused.err
    again = run_command(capfd, *options, "--order", "part", "--voices", "2", "--range", "voice-2:C3-G4")
    assert again.code == 0
    assert (tmp_path / "out" / "voice-2.wav").exists()
