"""Runs the `rtsep` command in this process, with real file descriptors for standard input and output."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.rt.cli.main import run


@dataclass(frozen=True)
class Result:
    """Exit code and what was said."""

    code: int
    out: str
    err: str


def run_command(capfd: pytest.CaptureFixture[str], *arguments: object, stdin: bytes | None = None) -> Result:
    """The command's result; `stdin` are the bytes of standard input."""
    capfd.readouterr()
    with _stdin(stdin or b""):
        code = run([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return Result(code, captured.out, captured.err)


@contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    """Descriptor 0 becomes a pipe that holds `data`, 64 KiB at most."""
    assert len(data) <= 65536
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    saved = os.dup(0)
    os.dup2(reader, 0)
    os.close(reader)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def two_tones(samplerate: int = 48000, seconds: float = 0.25, channels: int = 1) -> np.ndarray:
    """Harmonic tones at 330 and 220 Hz, float32 [frames, channels], each channel another mixture."""
    t = np.arange(round(samplerate * seconds)) / samplerate
    tones = [sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 8)) for f0 in (330.0, 220.0)]
    rows = [0.1 * (tones[0] + (1 + channel) * tones[1]) / (1 + channel) for channel in range(channels)]
    return np.stack(rows, axis=1).astype(np.float32)


def write_audio(
    path: Path, samplerate: int = 48000, seconds: float = 0.25, channels: int = 1, **kwargs
) -> np.ndarray:
    """Writes `two_tones` and returns what a reader of the file gets."""
    soundfile.write(path, two_tones(samplerate, seconds, channels), samplerate, **kwargs)
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def read_stems(folder: Path) -> dict[str, np.ndarray]:
    """Every WAV file of a folder by stem name, float32 [frames, channels]."""
    stems = {}
    for path in sorted(folder.glob("*.wav")):
        with path.open("rb") as file:  # by Python: the folder's name need not be UTF-8
            stems[path.stem] = soundfile.read(file, dtype="float32", always_2d=True)[0]
    return stems
