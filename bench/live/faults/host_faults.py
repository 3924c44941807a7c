"""Faults of the host and of those who steer: killed, flooded, a file with errors."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from pythonosc.udp_client import SimpleUDPClient

from rtsep.bench.live.faults.room import Gap
from rtsep.bench.live.faults.stage import WAIT_S, WIRES, Stage
from rtsep.bench.live.faults.told import WATCHED_S, Told, unheard, watched
from rtsep.bench.live.osc_flood import flooding
from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.socket_server import ask, running_sessions
from rtsep.rt.python_process import environment, module_command
from rtsep.rt.takes.take_log import TakeLog

LIVE = (
    *("--input", "mic", "--driver", "jack", "--connect", WIRES),
    *("--voices", "2", "--quiet", "--name", "evening"),
)
SHOW = """
input = "mic"
driver = "jack"
voices = 2
connect = "{wires}"
name = "evening"
[parameters]
"voice-1.gain" = {gain}
"""


@contextlib.contextmanager
def _command_line(stage: Stage, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`rtsep` in a process of its own, from when it sounds to its end."""
    process = subprocess.Popen(
        module_command("rtsep", *options),
        env=environment(),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while not stage.sounds() or "evening" not in running_sessions():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RtsepError("rtsep does not start", "look why")
            time.sleep(0.005)
        yield process
    finally:
        process.terminate()
        process.wait()


def main_killed(folder: Path) -> Told:
    options = (*LIVE, "--record", str(folder / "takes"))
    with Stage(folder, with_session=False) as stage:
        with _command_line(stage, *options) as process:
            time.sleep(2.0)
            begin = time.monotonic()
            process.kill()
            process.wait()
            time.sleep(1.0)
        again = time.monotonic()
        with _command_line(stage, *options):
            time.sleep(WATCHED_S)
            gap = stage.room.gap(begin, time.monotonic())
        told = Told(
            "main killed", "SIGKILL to the host; started again by hand 1 s later", gap, gap.end - again
        )
        log = TakeLog.load(folder / "takes" / "take-001")
        told.lost = {"the first take": f"{log.state}, {log.frames / log.samplerate:.2f} s"}
        told.expect(log.frames > 1.5 * log.samplerate and not log.holes, "the take is not whole")
        told.expect((folder / "takes" / "take-002").exists(), "there is no second take")
        return told


def flood(folder: Path) -> Told:
    injected = "20 000 OSC messages a second for 3 s, a fifth of them wrong"
    with Stage(folder) as stage, watched(stage, "control flood", injected) as told:
        assert stage.surfaces.osc is not None
        port = stage.surfaces.osc.address[1]
        with flooding(port, 20000.0, ("residual",)) as sent:
            time.sleep(3.0)
        begin = time.monotonic()
        way = SimpleUDPClient("127.0.0.1", port)
        while stage.session.control.get("residual.gain") != -3.0:
            way.send_message("/rtsep/residual/gain", -3.0)
            time.sleep(0.005)
        told.recover_s, told.recovered = time.monotonic() - begin, "the next value is in force"
        server = stage.surfaces.osc
        counted = {"obeyed": server.accepted, "refused": server.refused, "no OSC": server.malformed}
    told.lost |= counted | {"sent": sent.get("sent")}
    return unheard(told)


def config_with_errors(folder: Path) -> Told:
    path = folder / "show.toml"
    path.write_text(SHOW.format(wires=WIRES, gain=-6))
    with (
        Stage(folder, with_session=False) as stage,
        _command_line(stage, "--config", str(path), "--quiet", "--no-restore"),
    ):
        time.sleep(1.0)
        begin = time.monotonic()
        path.write_text(SHOW.format(wires=WIRES, gain=99))
        told = Told(
            "config with errors", "a value out of its range is reloaded, then mended", Gap(0, 0, 0, 0), 0
        )
        try:
            _reload()
            told.wrong.append("the file is not refused")
        except RtsepError as error:
            told.lost["said"] = str(error)
        told.expect(ask("evening", {"do": "get", "name": "voice-1.gain"}) == -6.0, "a wrong file was taken")
        path.write_text(SHOW.format(wires=WIRES, gain=-9))
        mended = time.monotonic()
        _reload()
        while ask("evening", {"do": "get", "name": "voice-1.gain"}) != -9.0:
            time.sleep(0.005)
        told.recover_s, told.recovered = time.monotonic() - mended, "the values are in force"
        time.sleep(WATCHED_S)
        told.heard = stage.room.gap(begin, time.monotonic())
        return unheard(told)


def _reload() -> None:
    ask("evening", {"do": "action", "name": "reload", "words": ""})
