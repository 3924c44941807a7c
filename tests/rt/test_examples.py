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
        [sys.executable, str(EXAMPLES / "embed_sounddevice.py"), "4"],
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
    assert process.wait(20) in (0, 1)  # 1: dropouts, which a busy machine may cause
    assert np.isfinite(heard).all()
