"""What a run imports, writes and starts: nothing of the folder it is started in, nothing unasked."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli_helpers import write_audio

import rtsep
from rtsep.rt.python_process import environment, spawn_context

ROOT = Path(rtsep.__file__).resolve().parent.parent
# The standard library, dependencies and rtsep itself, as a folder of somebody's could name its files.
POISONED = ("onnxruntime", "numpy", "json", "select", "multiprocessing", "struct", "sounddevice", "rtsep")

SESSION = """
from rtsep import RtsepError, Session
try:
    Session(input="no such device").start()
except RtsepError:
    pass
"""
RECORDER = """
from rtsep.rt.takes.recorder_process import RecordPlan
from rtsep.rt.session import Session
from rtsep.rt.process.block import Block
session = Session()
process = session._spawn("rtsep.rt.takes.recorder_process", [Block.create().shared], "{}")
process.wait()
"""
POOL = """
import os
from rtsep.rt.python_process import spawn_context
if __name__ == "__main__":
    with spawn_context().Pool(1) as pool:
        assert pool.apply(abs, (-1,)) == 1
"""
SUCCESSOR = """
import os
from rtsep.models.mask_model import State
from rtsep.rt.drivers.devices import Device
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.live.engine_process import Carried, replace_self
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.process.block import Block
from rtsep.rt.live.stream_choice import StreamChoice
settings = LiveSettings(2, "choir", 11, "mic", None, None, None, None, None, "cpu")
device = Device(0, "gone", "none", 1, 3, 48000.0, 0.0, 0.0, True, True)
choice = StreamChoice(StreamFormat(device, device, 48000, 128, 1, 3), [[0]], [0, 1, 2])
block = Block.create()
os.set_inheritable(block.shared.fd, True)
os.close(0)
os.open(os.devnull, os.O_RDONLY)  # standard input at its end: the successor stops at once
replace_self(block.shared.fd, -1, Carried(settings, choice, {}))
"""


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose Python files say so when they are run; the current folder."""
    for name in POISONED:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("script", "path"),
    [
        *itertools.product([SESSION, RECORDER, SUCCESSOR], ["", os.pathsep, ".", f"{os.pathsep}/nowhere"]),
        (POOL, ""),
    ],
)
def test_nothing_of_the_current_folder_runs(
    poisoned: Path, tmp_path_factory: pytest.TempPathFactory, script: str, path: str
) -> None:
    program = tmp_path_factory.mktemp("elsewhere") / "host.py"
    # the host's own path is its own affair
    clean = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(poisoned)!r}]\n"
    program.write_text(clean + script)
    variables = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, str(program)], env=variables, check=False, timeout=60)
    assert not (poisoned / "ran").exists(), (poisoned / "ran").read_text()


@pytest.mark.parametrize("program", ["rtsep", "rtsep.training"])
def test_run_as_a_module_it_leaves_the_current_folder(tmp_path: Path, program: str) -> None:
    """Python itself looks there first while it starts the module; what rtsep imports then it must not."""
    (tmp_path / "click.py").write_text("open('ran', 'w')\n")
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_every_python_is_started_that_way() -> None:
    """No other place names the interpreter or makes a pool."""
    home = ROOT / "rt" / "python_process.py"
    folders = [ROOT / name for name in ("kernels", "models", "rt", "training", "bench", "rtsep")]
    if not home.exists():
        pytest.skip("rtsep's sources are not here")
    files = {file.resolve() for folder in folders for file in folder.rglob("*.py")}
    assert home in files
    for file in files - {home}:
        text = file.read_text()
        for word in ("sys.executable", "get_context(", "os.execv(", "multiprocessing.Pool"):
            assert word not in text, f"{file} starts a Python of its own: {word}"


def test_the_environment_of_a_started_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/one", "", ".", "./", "two"]))
    assert environment()["PYTHONPATH"] == os.pathsep.join(["/one", "two"])
    assert environment()["PYTHONSAFEPATH"] == "1"
    monkeypatch.setenv("PYTHONPATH", "")
    assert "PYTHONPATH" not in environment()
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    spawn_context()
    assert os.environ["PYTHONSAFEPATH"] == "1"


OFFLINE = """
import os, sys
from rtsep.rt.cli.main import run
code = run(["--input", "in.wav", "--output", "out", "--voices", "2", *sys.argv[1:]])
print(code, len(os.listdir("/proc/self/task")))
"""
EMBEDDED = """
import os
import numpy as np
from rtsep import Separator
separator = Separator.load(voices=2, backend="cpu")
separator.process(np.zeros(48000, np.float32))
print(0, len(os.listdir("/proc/self/task")))
"""


def run_in_a_fresh_home(folder: Path, script: str, *arguments: str) -> tuple[str, set[str]]:
    """What the script prints, and which files are new in its home, temporary and current folder."""
    before = set(os.listdir(folder))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_"))}
    variables = {
        **kept,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "OPENBLAS_NUM_THREADS": "1",
    }
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        cwd=folder, env=variables, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return done.stdout, files - before


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_a_run_writes_its_stems_alone_and_starts_no_thread(tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", seconds=1.0)
    out, files = run_in_a_fresh_home(tmp_path, OFFLINE, "--quiet")
    assert out.split() == ["0", "1"]
    assert files == {f"out/{stem}.wav" for stem in ("voice-1", "voice-2", "residual")}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_embedded_it_writes_nothing_and_starts_no_thread(tmp_path: Path) -> None:
    out, files = run_in_a_fresh_home(tmp_path, EMBEDDED)
    assert out.split() == ["0", "1"]
    assert files == set()


def test_openvino_reports_nothing(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    script = "import rtsep.models.runtimes.openvino_step, sys; print('openvino_telemetry' in sys.modules)"
    out, files = run_in_a_fresh_home(tmp_path, script)
    assert out.split() == ["False"]
    assert files == set()


def test_a_user_who_wants_reports_keeps_them() -> None:
    script = "import os, rtsep; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for given, expected in ((None, "1"), ("0", "0"), ("1", "1")):
        variables = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
        variables |= {} if given is None else {"ORT_DISABLE_TELEMETRY": given}
        done = subprocess.run(
            [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected
