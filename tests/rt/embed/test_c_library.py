"""librtsep as a program in C uses it: the samples, the latency, and an engine that is late or dies."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers.embedded import Library, Stream

from rtsep.rt.embed.built_files import LIBRARY, built_file, header
from rtsep.rt.separator import Separator

EXAMPLE = Path(__file__).parents[3] / "examples" / "separate.c"
WAIT_S = 30.0
RATE = 48000


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(built_file(LIBRARY))


@pytest.fixture
def duet(library: Library) -> Iterator[Stream]:
    stream = library.open(RATE, voices=2, latency_ms=11, max_block_frames=96)
    yield stream
    stream.close()


def chord(seconds: float, samplerate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * samplerate)) / samplerate
    return sum(0.05 / k * np.sin(2 * np.pi * k * f * t) for f in (220.0, 330.0) for k in range(1, 8)).astype(
        np.float32
    )


def expected(sound: np.ndarray, voices: int, samplerate: int, latency_ms: int) -> np.ndarray:
    """Stems [S, frames] as a file's, without their latency."""
    separator = Separator.load(voices=voices, samplerate=samplerate, latency_ms=latency_ms)
    stems = np.concatenate([separator.process(sound), separator.flush()], axis=1)[..., 0]
    return stems[:, separator.latency_samples :]


def engines() -> list[psutil.Process]:
    """Engine processes of this one."""
    children = psutil.Process().children()
    return [p for p in children if "rtsep.rt.embed.hop_server" in " ".join(p.cmdline())]


def until(stream: Stream, engine: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while stream.status().engine != engine:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt install gcc")
@pytest.mark.parametrize(("samplerate", "voices", "latency_ms"), [(48000, 2, 11), (44100, 4, 43)])
def test_a_program_in_c_gets_the_samples_of_a_file(
    tmp_path: Path, samplerate: int, voices: int, latency_ms: int
) -> None:
    library, program = built_file(LIBRARY), tmp_path / "separate"
    flags = [f"-I{header().parent}", f"-L{library.parent}", f"-Wl,-rpath,{library.parent}", "-lrtsep"]
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *strict, str(EXAMPLE), "-o", str(program), *flags], check=True)
    sound = chord(0.7, samplerate)
    asked = [str(samplerate), str(voices), str(latency_ms)]
    run = subprocess.run([str(program), *asked], input=sound.tobytes(), capture_output=True, check=True)
    told = run.stderr.decode().splitlines()
    block, latency = 160, int(told[0].split()[1])
    separator = Separator.load(voices=voices, samplerate=samplerate, latency_ms=latency_ms)
    assert latency == separator.latency_samples + block - 1  # blocks of any length up to that
    assert told[1:] == [*(f"stem {stem}" for stem in separator.stems), "late hops 0"]
    played, at, total = [], 0, np.frombuffer(run.stdout, np.float32)
    for part in (len(sound), latency):
        for done in range(0, part, block):
            frames = min(block, part - done)
            size = (voices + 1) * frames
            played.append(total[at : at + size].reshape(voices + 1, frames))
            at += size
    stems = np.concatenate(played, axis=1)
    assert at == total.size
    assert not stems[:, : latency - separator.latency_samples].any()
    np.testing.assert_array_equal(
        stems[:, latency : latency + len(sound)], expected(sound, voices, samplerate, latency_ms)
    )


def test_a_fixed_block_that_divides_the_hop_adds_nothing(library: Library) -> None:
    stream = library.open(RATE, voices=2, latency_ms=11, max_block_frames=128, block_is_fixed=1)
    try:
        assert stream.latency_samples == 512
        sound = chord(0.3)
        blocks = [
            stream.process(sound[at : at + 128, None], wait_s=WAIT_S) for at in range(0, len(sound), 128)
        ]
        heard = np.concatenate(blocks, axis=1)[..., 0]
        np.testing.assert_array_equal(heard[:, 512:], expected(sound, 2, RATE, 11)[:, : len(sound) - 512])
    finally:
        stream.close()


def test_blocks_of_odd_lengths_play_the_same(duet: Stream) -> None:
    sound, played, at = chord(0.4), [], 0
    rng = np.random.default_rng(1)
    while at < len(sound):
        frames = int(rng.integers(1, 97))
        played.append(duet.process(sound[at : at + frames, None], wait_s=WAIT_S))
        at += frames
    heard, latency = np.concatenate(played, axis=1)[..., 0], duet.latency_samples
    assert latency == 512 + 95
    assert duet.status().late_hops == 0
    np.testing.assert_array_equal(heard[:, latency:], expected(sound, 2, RATE, 11)[:, : len(sound) - latency])


def test_an_engine_that_is_late_gives_way_to_the_mixture(duet: Stream) -> None:
    """An engine that is stopped for some blocks: every frame is still there."""
    sound, played = chord(1.0), []
    (engine,) = engines()
    for number, at in enumerate(range(0, len(sound) // 96 * 96, 96)):
        if number == 100:
            engine.send_signal(signal.SIGSTOP)
        if number == 150:
            engine.send_signal(signal.SIGCONT)
        played.append(duet.process(sound[at : at + 96, None], wait_s=0.0 if 100 <= number < 150 else WAIT_S))
    heard, latency, status = np.concatenate(played, axis=1)[..., 0], duet.latency_samples, duet.status()
    assert status.late_hops > 0
    assert status.fallback_frames > 0
    assert status.engine_restarts == 0
    np.testing.assert_allclose(heard.sum(0)[latency:], sound[: heard.shape[1] - latency], atol=1e-6)


def test_an_engine_that_is_killed_comes_back(duet: Stream) -> None:
    sound, played = chord(0.5), []
    for at in range(0, len(sound) // 96 * 96, 96):
        if at == 96 * 100:
            (engine,) = engines()
            engine.send_signal(signal.SIGKILL)
            until(duet, 2)
            until(duet, 1)
        played.append(duet.process(sound[at : at + 96, None], wait_s=0.0 if at < 96 * 130 else WAIT_S))
    heard, latency = np.concatenate(played, axis=1)[..., 0], duet.latency_samples
    np.testing.assert_allclose(heard.sum(0)[latency:], sound[: heard.shape[1] - latency], atol=1e-6)
    status = duet.status()
    assert status.engine_restarts == 1
    assert np.abs(heard[0, -2000:]).max() > 0.01  # separated again, not the mixture in the residual


def test_gains_and_bypass_ramp(duet: Stream) -> None:
    sound = np.ones((96, 1), np.float32) * 0.1
    for _ in range(40):
        duet.process(sound, wait_s=WAIT_S)
    duet.set_bypass(True)
    heard = np.concatenate([duet.process(sound, wait_s=WAIT_S) for _ in range(30)], axis=1)[..., 0]
    np.testing.assert_allclose(heard[:, -1], [0.0, 0.0, 0.1], atol=1e-6)
    assert np.abs(np.diff(heard, axis=1)).max() < 0.2 / (0.02 * RATE) + 1e-3
    duet.set_bypass(False)
    duet.set_gain(2, 0.0)
    for _ in range(30):
        last = duet.process(sound, wait_s=WAIT_S)
    assert not last[2].any()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"voices": 9}, "9"),
        ({"latency_ms": 12}, "12"),
        ({"model": b'no\tsuch "model"'}, "model"),
        ({"python": b"/nowhere/python"}, "/nowhere/python cannot be started"),
        ({"max_block_frames": 9000}, "max_block_frames 9000"),
        ({"channels": 0}, "0 channels"),
        ({"api_version": 7}, "version 7"),
    ],
)
def test_what_cannot_be_had_is_one_line(library: Library, options: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=line) as refused:
        library.open(RATE, **options)
    assert "; " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not engines()


def test_closing_leaves_no_engine_and_no_descriptor(library: Library) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        library.open(RATE, voices=1, latency_ms=11).close()
    assert not engines()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_engine_does_not_outlive_its_host(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from helpers.embedded import Library; from rtsep.rt.embed.built_files import LIBRARY, built_file;"
        "s = Library(built_file(LIBRARY)).open(48000.0, voices=1); print('open', flush=True); time.sleep(60)"
    )
    import sys

    host = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parents[2])], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    assert host.stdout.readline() == "open\n"
    (engine,) = psutil.Process(host.pid).children()
    host.kill()
    host.wait()
    engine.wait(WAIT_S)
