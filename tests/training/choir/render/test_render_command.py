"""`render-choir`: whole items or none, resumed after a kill, one line for every mistake."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.rt.cli.main import run_group
from rtsep.training.__main__ import group
from rtsep.training.choir.render.dataset import ChoirFolder, RenderedChoir
from rtsep.training.choir.render.item import load_materials
from rtsep.training.choir.render.settings import ChoirConfig

ITEM_S = 3.0
CONFIG = f"item_s = {ITEM_S}\nsamplerate = 16000\n"


@pytest.fixture
def arguments(tmp_path: Path, bank_folders: tuple[Path, ...], bank_cache: Path) -> list[str]:
    (tmp_path / "choir.toml").write_text(CONFIG)
    banks = [text for folder in bank_folders for text in ("--voicebank", str(folder))]
    return [
        sys.executable, "-m", "rtsep.training", "render-choir", *banks, "--cache", str(bank_cache),
        "--config", str(tmp_path / "choir.toml"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip


def hours(items: int) -> list[str]:
    return ["--hours", repr(items * ITEM_S / 3600.0 - 1e-6)]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300)


def test_a_killed_run_goes_on_where_it_was(
    arguments: list[str], tmp_path: Path, bank_folders: tuple[Path, ...], bank_cache: Path
) -> None:
    out, items = tmp_path / "out", 3
    killed = subprocess.Popen([*arguments, *hours(60)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not list(out.glob("0*.json")):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for audio in out.glob("*.flac"):  # whatever has its name is whole
        assert soundfile.info(audio).frames == round(ITEM_S * 16000)
    done = {file: file.stat().st_mtime_ns for file in out.glob("0*.json")}
    assert len(done) >= 1

    finished = run([*arguments, *hours(max(items, len(done) + 2)), "--jobs", "2"])
    assert finished.returncode == 0, finished.stderr
    assert all(file.stat().st_mtime_ns == written for file, written in done.items())
    assert not list(out.glob(".part-*"))

    config = ChoirConfig(item_s=ITEM_S, samplerate=16000)
    rendered = RenderedChoir(config, load_materials(bank_folders, None, None, bank_cache), 1, items)
    stored = ChoirFolder(out)
    assert len(stored) == max(items, len(done) + 2)
    for index in range(items):
        on_disk, fresh = stored[index], rendered[index]
        assert np.abs(on_disk.stems - fresh.stems).max() <= 2.0**-15
        assert np.array_equal(on_disk.order, fresh.order)
        assert np.array_equal(on_disk.f0_hz, fresh.f0_hz)
        assert on_disk.facts == fresh.facts
        assert on_disk.samplerate == 16000

    card = json.loads((out / "choir.json").read_text())
    assert card["seed"] == 1
    assert card["config"]["item_s"] == ITEM_S
    assert [bank["name"] for bank in card["voicebanks"]] == [folder.name for folder in bank_folders]
    assert card["versions"]["numpy"] == np.__version__

    refused = run([*arguments, *hours(items), "--seed", "2"])
    assert refused.returncode == 2
    assert "was begun with other seed" in refused.stderr


def test_a_full_disk_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))  # an item's FLAC is larger

    assert run([*arguments, *hours(1)]).returncode == 0  # voicebanks and choir.json are there
    for jobs in ("1", "2"):
        result = subprocess.run(
            [*arguments, *hours(4), "--jobs", jobs], capture_output=True, text=True, timeout=300,
            preexec_fn=small_files,
        )  # fmt: skip
        assert result.returncode == 2
        assert "cannot be written" in result.stderr
        assert "finished items are kept" in result.stderr
        assert "Traceback" not in result.stderr
        assert not list((tmp_path / "out").glob(".part-*"))
        assert len(ChoirFolder(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--hours", "-1"], "--hours -1.0 is outside"),
        (["--hours", "nan"], "--hours nan is outside"),
        (["--hours", "1", "--seed", "-1"], "--seed"),
        (["--hours", "1", "--irs", "/nowhere"], "--irs /nowhere holds no audio"),
        (["--hours", "1", "--scores", "/nowhere"], "--scores /nowhere cannot be read"),
        (["--hours", "1", "--voicebank", "/nowhere"], "syllables.csv cannot be read"),
        (["--hours", "1", "--config", "/nowhere"], "--config /nowhere cannot be read"),
        ([], "Missing option '--hours'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], extra: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_group(group, "rtsep-train", [*arguments[3:], *extra]) == 2
    errors = capfd.readouterr().err
    assert message in errors
    assert errors.strip().count("\n") == 0
