"""A show as a file: what it may say, one line for each fault, and the command line before it."""

from pathlib import Path

import pytest
from helpers.cli_helpers import run_command

from rtsep.rt.cli.main import root
from rtsep.rt.cli.show.show_file import option_names, read_show

RIGHT = """
input = "mic"
voices = 2
latency = 21
input-channels = [2]
route = "voice-1>1,2; residual>3"
yes-feedback = true
name = "evening"
osc = 9001

[parameters]
"voice-1.gain" = -6
"voice-2.mute" = true
"residual.gain" = "off"
output.dim = "on"

[scenes.verse]
"voice-1.gain" = -inf
"""


def check(capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> tuple[int, list[str], str]:
    path = tmp_path / "show.toml"
    path.write_text(text)
    done = run_command(capfd, "--config", str(path), "--check")
    return done.code, done.err.splitlines(), done.out


def test_a_right_one_is_ok(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check(capfd, tmp_path, RIGHT) == (0, [], "ok\n")


FAULTS = {
    'inputt = "mic"\ninput = "mic"': ["inputt: there is no such option; did you mean input"],
    'input = "mic"\nvoices = 9': ["voices: --voices 9 is outside 1..4"],
    'input = "mic"\nvoices = true': ["voices: it is a text, a number"],
    'input = "mic"\nrecord-format = "mp3"': ["record-format: 'mp3' is not one of"],
    'input = "mic"\npre-roll = "yes"': ["pre-roll: it is true or false"],
    'input = "mic"\npre-roll = true': ["pre-roll: --pre-roll is for --record"],
    'input = "mic"\nname = "a/b"': ["name: --name 'a/b' is no name"],
    'input = "mic"\nosc = "x"': ["osc: --osc 'x' is no port"],
    'input = "mic"\nroute = "voice-9>1"': ["route: --route names 'voice-9', which is no stem"],
    'input = "mic"\nstems = "drumms"': ["stems: "],
    'input = "mic"\nconfig = "x"': ["config: there is no such option"],
    'input = "mic"\n[parameters]\n"voice-1.gian" = 1': ["parameters.voice-1.gian: there is no parameter"],
    'input = "mic"\n[parameters]\n"voice-1.gain" = 99': [
        "parameters.voice-1.gain: voice-1.gain 99 dB is out"
    ],
    'input = "mic"\n[parameters]\n"voice-1.mute" = 2': ["parameters.voice-1.mute: "],
    'input = "mic"\nparameters = 3': ["parameters: it is a table"],
    'input = "mic"\n[scenes.a]\n"voice-7.gain" = 1': ["scenes.a.voice-7.gain: there is no parameter"],
    "voices = 2": ["input: it is missing"],
    "input = ": ["it is no TOML"],
    'input = "mic"\nvoices = 9\nlatency = 7\n[parameters]\n"x" = 1': [
        "voices: ",
        "latency: ",
        "parameters.x: ",
    ],
}


@pytest.mark.parametrize("text", FAULTS)
def test_each_fault_is_one_line_with_file_and_key(
    text: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines, out = check(capfd, tmp_path, text)
    assert (code, out) == (2, "")
    assert len(lines) == len(FAULTS[text]), lines
    for line, told in zip(lines, FAULTS[text], strict=True):
        assert line.startswith(f"{tmp_path}/show.toml: {told}"), line


def test_a_file_with_a_fault_starts_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text('input = "mic"\nvoices = 9\nlatency = 7')
    done = run_command(capfd, "--config", str(path))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "(2 faults in all)" in done.err
    assert "--check" in done.err


def test_no_file_and_no_config(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = run_command(capfd, "--config", str(tmp_path / "none.toml"), "--check")
    assert (done.code, "cannot be read" in done.err) == (2, True)
    assert run_command(capfd, "--check").code == 2
    done = run_command(capfd, "--config", str(tmp_path / "none.toml"), "devices")
    assert "--config does not go with the command devices" in done.err


def test_the_command_line_wins(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file's two voices have no output 4; a route on the command line has."""
    path = tmp_path / "show.toml"
    path.write_text('input = "mic"\nroute = "voice-1>1"\n[parameters]\n"voice-1.to-4" = true')
    assert run_command(capfd, "--config", str(path), "--check").code == 2
    assert run_command(capfd, "--config", str(path), "--check", "--route", "voice-1>1,4").out == "ok\n"


def test_values_of_stems_that_may_come_are_right(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of more voices, and of another shipped model; their values are looked at like all others."""
    told = 'input = "mic"\nvoices = 2\n[parameters]\n"voice-4.gain" = -1\n"drums.to-3" = true\n'
    assert check(capfd, tmp_path, told + '[scenes.a]\n"vocals.mute" = true') == (0, [], "ok\n")
    code, lines, _ = check(capfd, tmp_path, told + '"voice-3.gain" = 99\n"voice-5.gain" = 1')
    assert code == 2
    assert "voice-3.gain 99 dB is out" in lines[0]
    assert "there is no parameter 'voice-5.gain'" in lines[1]


def test_every_long_option_may_stand_in_the_file(tmp_path: Path) -> None:
    """With a value that its type takes; flags as true."""
    values = {"voices": "2", "stems": '"vocals"', "latency": "5", "input-channels": '"1-2"',
              "driver": '"jack"', "output-channels": "[1, 2]", "samplerate": "48000", "blocksize": "64",
              "record-format": '"flac"', "add-on": '["a", "b"]', "render": '"masks"',
              "offline": '"off"', "transpose": "-2", "order": '"part"'}  # fmt: skip
    known = option_names(root)
    lines = [
        f"{n} = {'true' if o.is_flag else values.get(n, chr(34) + 'x' + chr(34))}" for n, o in known.items()
    ]
    path = tmp_path / "show.toml"
    path.write_text("\n".join(lines))
    show = read_show(str(path), root)
    assert show.faults == []
    assert set(show.defaults) == {o.name for o in known.values()}
