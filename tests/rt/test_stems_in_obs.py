"""OBS without a screen: every audio track of what it records holds its stem, sample for sample the take's."""

import asyncio
import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.audio.test_signals import synthetic_choir

MISSING = [name for name in ("obs", "Xvfb", "ffmpeg", "jackd") if shutil.which(name) is None]
if not list(Path("/usr/lib").glob("*/obs-plugins/linux-jack.so")):
    MISSING.append("obs-plugins")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.jack,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{', '.join(MISSING)} missing: apt install obs-studio obs-plugins xvfb ffmpeg"
    ),
]

EXAMPLE = Path(__file__).parents[2] / "examples" / "obs_tracks.py"
STEMS = ("voice-1", "voice-2", "residual")
RATE, PATIENCE_S, SOUND_S = 48000, 120.0, 4.0
WINDOW = 4800  # samples that must be the take's, every one
F32 = NDArray[np.float32]


def await_true(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


async def request(port: int, kind: str) -> dict[str, Any]:
    """What OBS answers (obs-websocket, protocol 5: hello, identify, request)."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{port}/") as socket_,
    ):
        await socket_.receive_json()
        await socket_.send_json({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}})
        await socket_.receive_json()
        await socket_.send_json({"op": 6, "d": {"requestType": kind, "requestId": kind}})
        answer: dict[str, Any] = (await socket_.receive_json())["d"]
        return answer


def asked(port: int, kind: str) -> dict[str, Any]:
    """The answer, as soon as OBS gives one that it is content with: it refuses while it starts."""
    found: dict[str, Any] = {}

    def answers() -> bool:
        nonlocal found
        with contextlib.suppress(aiohttp.ClientError, OSError, TypeError):
            found = asyncio.run(request(port, kind))
        return bool(found and found["requestStatus"]["result"])

    await_true(answers, f"OBS does not take {kind}")
    answer: dict[str, Any] = found.get("responseData", {})
    return answer


@contextlib.contextmanager
def running(*command: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **how)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tracks_of(recording: Path) -> list[F32]:
    """Its audio tracks, mono, as they were written."""
    look = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_streams", "-of", "json", str(recording)]
    streams = json.loads(subprocess.run(look, check=True, stdout=subprocess.PIPE).stdout)["streams"]
    assert [(stream["codec_name"], stream["channels"]) for stream in streams] == [("pcm_f32le", 1)] * len(
        streams
    )
    found = []
    for number in range(len(streams)):
        read = ["ffmpeg", "-v", "error", "-i", str(recording), "-map", f"0:a:{number}", "-f", "f32le", "-"]
        done = subprocess.run(read, check=True, stdout=subprocess.PIPE)
        found.append(np.frombuffer(done.stdout, np.float32))
    return found


def windows_in(track: F32, stem: F32) -> int:
    """How many windows of a track with sound in them are a stretch of the stem, bit for bit."""
    whole = stem.tobytes()
    cut = (track[start : start + WINDOW] for start in range(0, len(track) - WINDOW, WINDOW))
    return sum(whole.find(window.tobytes()) >= 0 for window in cut if window.any())


def test_every_track_is_its_stem(
    jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    made = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tmp_path), *STEMS], check=True, stdout=subprocess.PIPE, text=True
    )
    of_obs, of_rtsep = (shlex.split(line) for line in made.stdout.splitlines())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / ".config" / "obs-studio" / "global.ini").write_text(  # no questions at the first start
        "[General]\nFirstRun=true\n"
        f"[OBSWebSocket]\nFirstLoad=false\nServerEnabled=true\nServerPort={port}\nAuthRequired=false\n"
    )
    rtsep = [str(Path(sys.executable).with_name("rtsep")), "--input", "mic", "--voices", "2", "--quiet"]
    take = tmp_path / "takes" / "take-001"
    with contextlib.ExitStack() as stack:
        screen = stack.enter_context(
            running(
                "Xvfb",
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
        assert screen.stdout is not None
        monkeypatch.setenv("DISPLAY", f":{screen.stdout.readline().strip()}")
        log = stack.enter_context((tmp_path / "obs.log").open("w"))
        stack.enter_context(running(*of_obs, "--multi", stdout=log, stderr=log))
        asked(port, "GetVersion")
        rig = stack.enter_context(Rig(0, 1.0, "rtsep"))
        with running(*rtsep, *of_rtsep, "--record", str(take.parent)):
            rig.connect(PATIENCE_S)

            def wired() -> bool:
                graph = subprocess.run(["jack_lsp", "-c"], stdout=subprocess.PIPE, text=True).stdout
                return all(f"rtsep:{stem}\n   OBS {stem}:in_1\n" in graph for stem in STEMS)

            await_true(wired, "OBS and rtsep are not connected")
            asked(port, "StartRecord")
            rig.play(synthetic_choir(RATE, SOUND_S, voices=2)[:, 0], settle_s=1.0, tail_s=1.0)
            recording = Path(asked(port, "StopRecord")["outputPath"])
            await_true(lambda: not asked(port, "GetRecordStatus")["outputActive"], "OBS does not stop")
    tracks = tracks_of(recording)
    stems = [soundfile.read(take / f"{stem}.wav", dtype="float32")[0] for stem in STEMS]
    found = np.array([[windows_in(track, stem) for stem in stems] for track in tracks])
    # a busy machine loses windows now and then, but no track has any of another stem
    assert (np.diag(found) >= 10).all(), found
    assert found.sum() == np.trace(found), found
