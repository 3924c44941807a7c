"""What is installed is what the repository holds: cards and weights travel in the wheel and in the sdist."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.kernels import _core

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


def test_the_wheel_holds_every_module_and_little_else(built: Path) -> None:
    """What a stage needs: the networks that others are compared with stay in the repository."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    rooms = [ROOT / room for room in ("kernels", "models", "rt", "training", "bench")]
    modules = {str(file.relative_to(ROOT)) for room in rooms for file in room.rglob("*.py")}
    assert {f"rtsep/{name}" for name in modules} <= sizes.keys()
    assert not [
        name for name in sizes if name.startswith(("rtsep/training/weights", "rtsep/training/recipes"))
    ]
    networks = {name: size for name, size in sizes.items() if name.endswith((".onnx", ".safetensors"))}
    assert all(name.startswith("rtsep/models/weights/") for name in networks)
    rest = sum(sizes.values()) - sum(networks.values())
    assert rest < 3e6, sorted(sizes, key=lambda name: -sizes[name])[:5]


def test_the_unpacked_wheel_separates_from_another_folder(built: Path, tmp_path: Path) -> None:
    """With its dependencies and nothing of the checkout: without site, the editable install is not there."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shutil.copy(_core.__file__, tmp_path / "installed" / "rtsep" / "kernels")
    (tmp_path / "elsewhere").mkdir()
    tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)
    soundfile.write(tmp_path / "elsewhere" / "tone.wav", tone, 16000)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        paths = f"sys.path += {[str(tmp_path / 'installed'), sysconfig.get_path('purelib')]!r}"
        code = f"import sys; {paths}; from rtsep.rt.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-S", "-P", "-c", code, *arguments],
            cwd=tmp_path / "elsewhere",
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )

    told = run("--help")
    assert told.returncode == 0, told.stderr
    assert "--voices" in told.stdout
    done = run("--input", "tone.wav", "--voices", "2", "--output", "stems")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "elsewhere" / "stems").glob("*.wav"))) == 3


def test_the_sdist_holds_cards_weights_and_sources(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted() <= names
    assert "kernels/src/module.cpp" in names
