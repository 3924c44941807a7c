"""The examples do what they say: they are run as a user would run them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from rtsep.bench.jack_rig import JackServer, Rig, delay_samples
from rtsep.rt.audio.test_signals import synthetic_choir

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.3, 0.3, (frames, channels)).astype(np.float32)


def test_offline_numpy_is_aligned(tmp_path: Path) -> None:
    mixture = noise(22050, 2)
    soundfile.write(tmp_path / "choir.wav", mixture, 22050, subtype="FLOAT")
    subprocess.run(
        [sys.executable, str(EXAMPLES / "offline_numpy.py"), "choir.wav"],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    names = ["voice-1", "voice-2", "voice-3", "voice-4", "residual"]
    stems = [soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0] for name in names]
    np.testing.assert_allclose(np.sum(stems, axis=0), mixture, atol=1e-5)


def test_many_files_are_as_if_alone(tmp_path: Path) -> None:
    """Three files of different lengths on two streams: the third joins while the longest goes on."""
    lengths = {"long": 12000, "short": 3000, "last": 4001}
    for name, frames in lengths.items():
        soundfile.write(tmp_path / f"{name}.wav", noise(frames + 1, 2)[1:], 16000, subtype="FLOAT")
    subprocess.run(
        [sys.executable, str(EXAMPLES / "many_files.py"), "2", *(f"{name}.wav" for name in lengths)],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    for name in lengths:
        mixture = soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0].mean(1)[:, None]
        for stem, alone in load("offline_numpy").separate(mixture, 16000).items():
            found = soundfile.read(tmp_path / f"{name}-stems" / f"{stem}.wav", dtype="float32")[0]
            np.testing.assert_array_equal(found, alone[:, 0])


def run_example(folder: Path, *arguments: str) -> str:
    """What an example prints, run in `folder`, where choir.wav has two voices."""
    soundfile.write(
        folder / "choir.wav", synthetic_choir(16000, 1.0, channels=1, voices=2), 16000, subtype="FLOAT"
    )
    command = [sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]]
    return subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, text=True).stdout


def test_any_block_size(tmp_path: Path) -> None:
    assert run_example(tmp_path, "any_block_size.py", "choir.wav") == "largest difference: 0.0\n"


def test_pause_and_resume(tmp_path: Path) -> None:
    assert run_example(tmp_path, "pause_and_resume.py", "choir.wav") == "the same samples: True\n"


def test_pitches_out_and_in_again(tmp_path: Path) -> None:
    """The table of one example is what the other follows."""
    table = run_example(tmp_path, "pitch_table.py", "choir.wav")
    rows = [[float(cell) for cell in line.split(",")] for line in table.splitlines()]
    assert {len(row) for row in rows} == {5}
    two = [f"{row[0] + 0.001 * i:.4f},{row[1]},{row[2]}\n" for i, row in enumerate(rows[3:])]
    (tmp_path / "pitches.csv").write_text("".join(two))
    run_example(tmp_path, "known_pitches.py", "choir.wav", "pitches.csv")
    assert soundfile.info(tmp_path / "voice-2.wav").frames == 16000


def test_remix_without_a_voice(tmp_path: Path) -> None:
    run_example(tmp_path, "remix.py", "choir.wav", "1", "2", "out.wav")
    before, after = (soundfile.read(tmp_path / name)[0] for name in ("choir.wav", "out.wav"))
    assert len(before) == len(after)
    assert np.sum(after[4000:] ** 2) < 0.8 * np.sum(before[4000:] ** 2)


def test_measure_latency(tmp_path: Path) -> None:
    lines = run_example(tmp_path, "measure_latency.py").splitlines()
    assert [line.split("declared ")[1] for line in lines] == [
        f"{n}, measured {n} samples" for n in (256, 512, 1024, 2048)
    ]


def test_through_a_pipe(tmp_path: Path) -> None:
    lines = run_example(tmp_path, "through_a_pipe.py", "choir.wav").splitlines()
    assert [line.split(":")[0] for line in lines] == ["voice-1", "voice-2", "residual"]
    assert all("16000 frames" in line for line in lines)


def test_hop_budget(tmp_path: Path) -> None:
    lines = run_example(tmp_path, "hop_budget.py").splitlines()
    assert [line.split(" ms")[0] for line in lines] == ["5", "11", "21", "43"]


def test_gpu_or_processor(tmp_path: Path) -> None:
    assert run_example(tmp_path, "gpu_or_processor.py").startswith(
        "voice-1, voice-2, voice-3, voice-4, residual: "
    )


def test_guide_track(tmp_path: Path) -> None:
    lines = run_example(tmp_path, "guide_track.py", "choir.wav", "2").splitlines()
    assert [line.split(":")[0] for line in lines] == ["1 s"]
    assert lines[0].count("Hz") == 2
    for name in ("voice-1", "voice-2"):
        assert soundfile.read(tmp_path / f"guide-{name}.wav")[0].std() > 0.01


def test_one_call(tmp_path: Path) -> None:
    lines = run_example(tmp_path, "one_call.py", "choir.wav").splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["voice-1", "voice-2", "residual"]
    assert float(lines[3].split("within ")[1]) < 1e-5


@pytest.mark.jack
def test_live_mixer(jack_server: JackServer, tmp_path: Path) -> None:
    said = run_example(tmp_path, "live_mixer.py", "2")
    assert "voice-1.gain: -60..12 dB" in said
    assert "late hops" in said


@pytest.mark.jack
def test_embed_jack_has_the_declared_delay(jack_server: JackServer) -> None:
    example = load("embed_jack")
    with example.Client(voices=2, latency_ms=5) as client, Rig(3, 3, rtsep_client=client.client.name) as rig:
        rig.connect()
        rig.play(noise(12000)[:, 0])
        played, heard = rig.recording[:, 0], rig.recording[:, 1:]
    assert delay_samples(played, heard.sum(1)) == client.separator.latency_samples == 256


@pytest.mark.jack
def test_embed_sounddevice_runs(jack_server: JackServer) -> None:
    """The port carries the voice while it runs; the process prints the latency and ends by itself."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "embed_sounddevice.py"), "8"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("latency: 512 samples, and ")
    t = np.arange(24000) / 48000
    tone = sum(0.1 / k * np.sin(2 * np.pi * 330 * k * t) for k in (1, 2, 3, 4))
    with Rig(1, 3) as rig:
        rig.connect()
        rig.play(np.asarray(tone, np.float32))
        heard = rig.recording[:, 1].copy()
    assert process.wait(60) in (0, 1)  # 1: dropouts, which a busy machine may cause
    assert np.isfinite(heard).all()
