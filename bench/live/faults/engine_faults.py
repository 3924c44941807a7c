"""Faults of the engine and of what comes in: late, dead, no numbers, absurd, a howl."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from rtsep.bench.live.faults.room import Gap
from rtsep.bench.live.faults.stage import Stage
from rtsep.bench.live.faults.told import Told, watched
from rtsep.rt.live.engine_watch import CRASHES
from rtsep.rt.takes.take_log import TakeLog


@contextlib.contextmanager
def waiting(stage: Stage, fault: str, injected: str) -> Iterator[Told]:
    """As `watched`, once an engine in waiting is there, as it is some seconds after the start of a show."""
    stage.await_spare()
    with watched(stage, fault, injected) as told:
        yield told


def overload(folder: Path) -> Told:
    """Hops take 20 ms each for a second, four times as long as they may."""
    with Stage(folder) as stage, watched(stage, "overload", "hops of 20 ms for 1 s") as told:
        stage.switch("slow", True)
        time.sleep(1.0)
        stage.switch("slow", False)
        told.recover_s = time.monotonic()
    told.expect(told.heard.mixture_s > 0.5, "the mixture is not heard in place of the stems")
    told.expect(told.heard.silent_s == 0.0, f"silence of {told.heard.silent_s:.3f} s")
    return told


def engine_killed(folder: Path) -> Told:
    with Stage(folder) as stage, waiting(stage, "engine killed", "SIGKILL to the engine") as told:
        stage.session.control.set("voice-1.gain", -6.0)
        os.kill(stage.session.status().engine_pid, signal.SIGKILL)
        told.recover_s = time.monotonic()
        stage.until(lambda status: status.engine_restarts == 1)
    told.expect(told.lost.get("frames of holes", 0) > 0, "the take has no hole")
    return told


def crash_loop(folder: Path) -> Told:
    """Engines that end as soon as they run; what is heard is counted from the last of them on."""
    injected = f"SIGKILL to {CRASHES} engines in a row"
    with Stage(folder) as stage, watched(stage, "crash loop", injected, ends_in="bypassed") as told:
        for number in range(CRASHES):
            _, status = stage.until(lambda status: status.engine_restarts == number and stage.sounds())  # noqa: B023
            os.kill(status.engine_pid, signal.SIGKILL)
        killed = time.monotonic()
        told.heard = Gap(killed, killed, 0.0, 0.0)
        back, _ = stage.until(lambda status: status.state == "bypassed" and stage.mixture_sounds())
        told.recover_s, told.recovered = back - killed, "the mixture"
    log = TakeLog.load(next(stage.takes.glob("take-*")))
    bypassed = sum(event["frames"] for event in log.events if event["kind"] == "bypassed")
    silence = [hole for hole in log.holes if hole["first_frame"] + hole["frames"] == log.frames]
    told.expect(bypassed > log.samplerate // 2, "the take does not go on with the mixture")
    told.expect(not silence, "the take ends in silence")
    return told


def nan_input(folder: Path) -> Told:
    with Stage(folder) as stage, watched(stage, "NaN storm", "NaN from another client for 1 s") as told:
        begin = time.monotonic()
        stage.room.storm = float("nan")
        time.sleep(1.0)
        stage.room.storm = None
        told.recover_s = time.monotonic()
        told.expect(stage.room.loudest(begin, told.recover_s) <= 1.0, "something else than numbers goes out")
    told.expect(told.lost.get("samples zeroed", 0) > 40000, "what was zeroed is not counted")
    return told


def nan_model(folder: Path) -> Told:
    injected = "the model gives NaN until it is started again"
    with Stage(folder) as stage, waiting(stage, "NaN from the model", injected) as told:
        told.recover_s = time.monotonic()
        stage.switch("nan", True)
        stage.until(lambda status: status.engine_restarts == 1)
        stage.switch("nan", False)
        told.expect(stage.room.loudest(told.recover_s, time.monotonic()) <= 1.0, "no number goes out")
    return told


def absurd(folder: Path) -> Told:
    with Stage(folder) as stage, watched(stage, "1e30", "samples of 1e30, then of 1e11, 1 s each") as told:
        begin = time.monotonic()
        for storm in (1e30, 1e11):
            stage.room.storm = storm
            time.sleep(1.0)
        stage.room.storm = None
        told.recover_s = time.monotonic()
        time.sleep(0.2)
        loudest = stage.room.loudest(begin, time.monotonic())
        told.expect(loudest <= 1.0 * 3, f"{loudest:g} goes out")  # two voices and the residual in one room
    told.expect("samples limited" in told.lost, "what was limited is not counted")
    return told


def feedback(folder: Path, loop_db: float = 1.2) -> Told:
    injected = f"a loop with a gain of {loop_db:g} dB at 1 kHz"
    with Stage(folder) as stage, watched(stage, "feedback", injected) as told:
        stage.session.control.set("output.howl-guard", True)
        begin = time.monotonic()
        stage.room.loop_db = loop_db
        dimmed, _ = stage.until(lambda status: any("dimmed by 20 dB" in note for note in status.notes))
        time.sleep(1.0)
        told.lost["dimmed after s"] = round(dimmed - begin, 2)
        louder = stage.room.loudest(dimmed + 0.5, time.monotonic())
        told.expect(louder < 0.5, f"the howl goes on at {louder:.2f}")
        stage.room.loop_db = None
        opened = time.monotonic()
        back, _ = stage.until(lambda status: any("the output is back" in note for note in status.notes))
        told.recover_s, told.recovered = back - opened, "full level"
        after = told.lost
    told.lost |= after
    return told
