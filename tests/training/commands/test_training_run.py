"""What the training subcommands share: a missing package is one line with a remedy; --minutes rules."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.training_run import lasting, training_extra
from rtsep.training.loop.settings import FitSettings


@dataclass(frozen=True)
class Config:
    other: int = 3
    fit: FitSettings = field(default=FitSettings(minutes=5.0, batch=2))


def test_a_missing_package_is_named_with_its_remedy() -> None:
    with pytest.raises(RtsepError) as refused, training_extra("rendering"):
        import no_such_package  # noqa: F401
    assert refused.value.problem == "rendering needs no_such_package, which is not installed"
    assert refused.value.remedy == "run pip install 'rtsep[train]'"


def test_no_other_error_is_taken_for_a_missing_package() -> None:
    with pytest.raises(ImportError, match="cannot import name"), training_extra():
        from json import no_such_name  # noqa: F401
    with pytest.raises(ZeroDivisionError), training_extra():
        _ = 1 / 0


def test_minutes_are_over_those_of_the_settings_and_nothing_else_changes() -> None:
    config = Config()
    assert lasting(config, None) is config
    assert lasting(config, 0.5) == Config(fit=FitSettings(minutes=0.5, batch=2))


def test_no_minutes_are_none_and_no_default() -> None:
    with pytest.raises(RtsepError, match="never end"):
        lasting(Config(), 0.0)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from rtsep.training.__main__ import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split())
    except SystemExit as left:
        print(line.split()[0], left.code)
"""


def test_without_torch_a_training_says_so_in_one_line(tmp_path: Path) -> None:
    """Each of them in one process, which takes a second to start."""
    trainings = [
        "choir --recipe solo --data x --out y",
        "pitch --data x --out y",
        "band --data x --out y",
        "add-stem guitar --data x --run r --out y",
        "unet --data x --out y",
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_TORCH],
        input="\n".join(trainings), capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{line.split()[0]} 2" for line in trainings]
    assert done.stderr.splitlines() == len(trainings) * [
        "rtsep: error: training needs torch, which is not installed; run pip install 'rtsep[train]'"
    ]
