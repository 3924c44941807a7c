"""Faults of the audio server and of devices: stopped, restarted, changed, gone, mistaken."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.bench.live.faults.room import another_room
from rtsep.bench.live.faults.stage import Stage
from rtsep.bench.live.faults.told import Told, watched
from rtsep.rt.python_process import environment, module_command


def restarted(
    stage: Stage, away_s: float = 0.0, samplerate: int | None = None, missed: bool = False
) -> float:
    """Ends the server, and starts it again so much later; when it was there again.

    missed: the engine has told that its device is lost before that time begins.
    """
    stage.server.stop()
    if missed:
        stage.until(lambda status: status.state == "device-lost")
    time.sleep(away_s)
    stage.server.samplerate = samplerate or stage.server.samplerate
    stage.server.start()
    return time.monotonic()


def jackd_stopped(folder: Path) -> Told:
    with Stage(folder) as stage, watched(stage, "jackd stopped 2 s", "SIGSTOP, SIGCONT 2 s later") as told:
        os.kill(stage.server.pid, signal.SIGSTOP)
        try:
            time.sleep(2.0)
        finally:
            os.kill(stage.server.pid, signal.SIGCONT)
        told.recover_s = time.monotonic()
    return told


def jackd_restarted(folder: Path) -> Told:
    injected = "jackd is ended, started again 1 s later"
    with Stage(folder) as stage, watched(stage, "jackd restarted", injected) as told:
        told.recover_s = restarted(stage, 1.0)
    told.expect(told.lost.get("frames of holes", 0) > 0, "the take has no hole")
    return told


def other_rate(folder: Path) -> Told:
    injected = "jackd comes back with 44100 Hz where 48000 Hz was asked for, then with 48000 Hz"
    with (
        Stage(folder, samplerate=48000) as stage,
        watched(stage, "other rate", injected) as told,
    ):
        restarted(stage, samplerate=44100)
        stage.until(lambda status: "44100" in status.last_error and "48000" in status.last_error)
        told.recover_s = restarted(stage, samplerate=48000)
    return told


def other_period(folder: Path) -> Told:
    injected = "the server's period goes from 256 to 384 frames"
    with Stage(folder) as stage, watched(stage, "other period", injected) as told:
        told.recover_s = time.monotonic()
        subprocess.run(["jack_bufsize", "384"], check=True, stdout=subprocess.DEVNULL)
        _, status = stage.until(lambda status: status.blocksize == 384)
        told.expect(any("384 frames" in note for note in status.notes), "nothing is told")
    return told


def device_gone(folder: Path) -> Told:
    injected = "PortAudio: the server behind the device is ended, started again 2 s later"
    devices: dict[str, Any] = {"voices": 1, "input": "room", "output": "room", "allow_feedback": True}
    with Stage(folder, **devices) as stage, watched(stage, "device gone", injected) as told:
        told.recover_s = restarted(stage, 2.0, missed=True)
    told.expect(told.lost.get("frames of holes", 0) > 0, "the take has no hole")
    return told


def two_devices(folder: Path) -> Told:
    """PortAudio, two clients that it takes for devices of one name; only the second has music."""
    injected = "PortAudio: two inputs of one name; jackd is ended, started again 1 s later"
    silence = np.zeros(48000, np.float32)
    with Stage(folder, with_session=False) as stage, another_room(silence, "twin-1", folder):
        (folder / "faults" / "twins").touch()
        with another_room(stage.signal, "twin-2", folder):
            asked = module_command("rtsep", "devices", "--json")
            listed = subprocess.run(asked, stdout=subprocess.PIPE, env=environment(), check=True)
            twins = [device["index"] for device in json.loads(listed.stdout) if device["name"] == "USB Audio"]
            stage.start(voices=1, input=twins[1], output="room")
            with watched(stage, "two devices of one name", injected) as told:
                told.recover_s = restarted(stage, 1.0)
            told.expect(len(twins) == 2, f"{len(twins)} devices of that name are listed")
            told.expect(stage.session.status().input_device == "USB Audio", "another device is played from")
    return told
