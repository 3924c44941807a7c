"""The Python files without their compiled part say in one line what happened and what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtsep.kernels

SOURCES = Path(rtsep.kernels.__file__).resolve().parents[1]
ROOMS = ("kernels", "models", "rt")


def copy_of_sources(folder: Path, *, with_cpp: bool) -> Path:
    """`rtsep` as in a checkout (with the C++ sources) or as installed (without), and no `_core`."""
    package = folder / "rtsep"
    package.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(SOURCES / "rtsep" / name, package)
    left_out = shutil.ignore_patterns("_core*.so", "__pycache__", *([] if with_cpp else ["src"]))
    for room in ROOMS:
        shutil.copytree(SOURCES / room, folder / room, ignore=left_out)
        (package / room).symlink_to(Path("..") / room)
    return folder


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`, which comes first on the path, without what an editable install adds."""
    prepare = (
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith('_editable')]\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", prepare + arguments[0], *arguments[1:]],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    ["from rtsep.kernels import _core", "import rtsep; rtsep.Separator"],
)
def test_a_checkout_that_hides_the_installed_package_says_so(tmp_path: Path, statement: str) -> None:
    folder = copy_of_sources(tmp_path / "checkout", with_cpp=True)
    done = run_python(folder, statement)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "CoreMissingError" in last
    assert str(folder) in last
    assert "start Python in another folder, or run pip install -e ." in last


def test_an_installed_package_without_core_is_to_be_installed_again(tmp_path: Path) -> None:
    folder = copy_of_sources(tmp_path / "site", with_cpp=False)
    last = run_python(folder, "from rtsep.kernels import _core").stderr.strip().splitlines()[-1]
    assert "has no compiled part for this Python" in last
    assert "install rtsep again" in last
    assert "source folder" not in last


def test_a_core_that_does_not_load_is_told_apart_from_one_that_is_missing(tmp_path: Path) -> None:
    folder = copy_of_sources(tmp_path / "checkout", with_cpp=True)
    (folder / "kernels" / "_core.abi3.so").write_bytes(b"no library")
    last = run_python(folder, "from rtsep.kernels import _core").stderr.strip().splitlines()[-1]
    assert "cannot be loaded" in last
    assert "install rtsep again" in last


def test_the_command_says_it_in_one_line_with_exit_code_2(tmp_path: Path) -> None:
    folder = copy_of_sources(tmp_path / "checkout", with_cpp=True)
    sound = folder / "sound.raw"
    sound.write_bytes(bytes(4096))
    command = (
        "from rtsep.rt.cli.main import run\n"
        "sys.exit(run(['--input', '-', '--raw', 'f32le:16000:1', '--output', 'stems']))"
    )
    done = run_python(folder, command)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("rtsep: error: rtsep was imported from its source folder")


def test_it_is_an_import_error_and_other_names_stay_unknown(tmp_path: Path) -> None:
    folder = copy_of_sources(tmp_path / "checkout", with_cpp=True)
    caught = "try:\n import rtsep; rtsep.Separator\nexcept ImportError as e: print('caught', e)"
    assert run_python(folder, caught).stdout.startswith("caught rtsep was imported")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rtsep.kernels.nothing  # noqa: B018
