"""What is installed is what the repository holds: cards and weights travel in the wheel and in the sdist."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = """
import sys
from scikit_build_core.build import build_sdist, build_wheel
build_sdist(sys.argv[1])
build_wheel(sys.argv[1], {"wheel.cmake": "false"})  # files alone: nothing is compiled
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of a copy of the sources, with weights of a model added."""
    folder = tmp_path_factory.mktemp("package")
    skipped = shutil.ignore_patterns(".git", ".venv", ".*cache", ".hypothesis", "build", "__pycache__")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=skipped)
    weights = folder / "source" / "models" / "weights"
    weights.mkdir(exist_ok=True)
    for suffix in ("onnx", "safetensors"):
        (weights / f"later.{suffix}").write_bytes(b"weights")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=folder / "source",
        env={**os.environ, "SOURCE_DATE_EPOCH": "1000000000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def wanted() -> set[str]:
    """Files of the repository that a model needs."""
    files = [*ROOT.glob("models/cards/*"), *ROOT.glob("models/weights/*")]
    return {str(file.relative_to(ROOT)) for file in files} | {
        "models/weights/later.onnx",
        "models/weights/later.safetensors",
    }


def test_the_wheel_holds_cards_and_weights(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"rtsep/{name}" for name in wanted()} <= names
    assert "rtsep/models/runtimes/onnx_step.py" in names
    assert not [name for name in names if name.endswith((".cpp", ".hpp"))]


def test_the_sdist_holds_cards_weights_and_sources(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted() <= names
    assert "kernels/src/module.cpp" in names
