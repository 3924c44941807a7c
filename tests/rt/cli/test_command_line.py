"""The command's surface: help, version, subcommands, start-up."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from helpers.cli_helpers import run_command, write_audio
from helpers.model_folder import write_model

from rtsep.rt.cli import command_group

Capture = pytest.CaptureFixture[str]


def test_version(capfd: Capture) -> None:
    result = run_command(capfd, "--version")
    assert result.code == 0
    assert result.out.startswith("rtsep 0.")


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_questions_about_the_command_load_neither_engine_nor_screen(argument: str) -> None:
    script = (
        "import sys\nfrom rtsep.rt.cli.main import run\n"
        f"run([{argument!r}])\n"
        "heavy = {'numpy', 'rich', 'soundfile', 'sounddevice', 'soxr', 'torch'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "assert not [m for m in sys.modules if m.startswith(('rtsep.training', 'rtsep.bench'))]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_help_names_every_option_and_command_under_a_heading(capfd: Capture) -> None:
    out = run_command(capfd, "--help").out
    headings = ["Sound in:", "Separation:", "Files and pipes out:", "Live:", "Messages:", "Commands:"]
    assert [line for line in out.splitlines() if line in headings] == headings
    words = "--input --voices --latency --record devices models eval bench Examples:"
    for word in words.split():
        assert word in out


def test_without_arguments_the_help_is_shown(capfd: Capture) -> None:
    assert run_command(capfd).out == run_command(capfd, "--help").out


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "rtsep", "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"rtsep ")


def test_a_command_whose_needs_are_not_installed_names_the_extra(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("eval", "no_such_module_here:command", "rtsep.commands")
    monkeypatch.setattr(command_group, "_entry_points", lambda: {"eval": broken})
    result = run_command(capfd, "eval")
    assert result.code == 2
    assert "no_such_module_here" in result.err
    assert "pip install 'rtsep[eval]'" in result.err
    assert result.err.count("\n") == 1


def test_a_command_of_another_package_runs(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "extra_command.py").write_text(
        "import click\n@click.command()\n@click.option('--n', type=int)\n"
        "def command(n):\n    click.echo(n + 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("extra", "extra_command:command", "rtsep.commands")
    monkeypatch.setattr(command_group, "_entry_points", lambda: {"extra": entry})
    assert run_command(capfd, "extra", "--n", 41).out == "42\n"
    assert "extra" in run_command(capfd, "--help").out


def test_models_lists_the_cards(capfd: Capture) -> None:
    out = run_command(capfd, "models").out
    assert out.startswith("band (band):")
    assert "\nchoir (choir):" in out
    assert "voice-4, residual" in out
    listed = json.loads(run_command(capfd, "models", "--json").out)
    assert [card["name"] for card in listed] == [
        "band",
        "band-large",
        "choir",
        "choir-comb",
        "choir-fixed",
        "choir-levels",
    ]


def test_models_checks_a_folder(capfd: Capture, tmp_path: Path) -> None:
    write_model(tmp_path / "mine", [("tracker", "t", b"network")], credits=["Anna Alt, CC BY 4.0"])
    out = run_command(capfd, "models", tmp_path / "mine").out
    for words in ("mine (choir)", "t.onnx, SHA-256", "verified", "Anna Alt", "1000 parameters", "seed 1"):
        assert words in out
    assert "choir-fixed" not in out


def test_public_names() -> None:
    import rtsep
    from rtsep.rt.separator import Separator

    assert rtsep.Separator is Separator
    assert set(rtsep.__all__) <= set(dir(rtsep))
    with pytest.raises(AttributeError, match="no attribute 'Seperator'"):
        rtsep.Seperator  # noqa: B018 - the access is the test


def test_a_gpu_that_cannot_be_had_is_told_and_replaced(capfd: Capture, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav")
    (tmp_path / "f0.csv").write_text("0,330,220\n1,330,220\n")
    files = ("--input", tmp_path / "in.wav", "--f0", tmp_path / "f0.csv", "--voices", 2, "--offline", "off")
    said = [
        run_command(capfd, *files, "--backend", backend, "--output", tmp_path / backend)
        for backend in ("cpu", "cuda")
    ]
    assert [result.code for result in said] == [0, 0]
    note = "rtsep: note: --backend cuda does not take given pitches: it runs on the processor\n"
    assert said[1].err == said[0].err + note
    for stem in (tmp_path / "cpu").iterdir():
        assert stem.read_bytes() == (tmp_path / "cuda" / stem.name).read_bytes()
