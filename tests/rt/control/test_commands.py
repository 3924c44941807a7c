"""Parameters by name, the way into the engine, and what mute and solo mean."""

import math
import multiprocessing
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import BLOCK_BYTES, CommandReader, Control, lay_out
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.mixer import Mixer
from rtsep.rt.control.parameters import RAMP_S, mixer_parameters
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.process.write_lock import WriteLock

STEMS = ("vocals", "drums", "residual")
LAYOUT, _ = lay_desk(STEMS, [[0]], [0, 1, 2], 3)
COUNT = len(mixer_parameters(LAYOUT))
GAINS = [i for i, p in enumerate(mixer_parameters(LAYOUT)) if p.name in [f"{stem}.gain" for stem in STEMS]]


def block() -> SharedMemory:
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    return shared


def both_ends() -> tuple[Control, CommandReader]:
    shared = block()
    return Control(shared, mixer_parameters(LAYOUT)), CommandReader(shared.memory, COUNT)


def heard(control: Control, reader: CommandReader) -> tuple[list[float], float]:
    """Gains in dB, off as -inf, and that of the mixture (the bypass), as the engine takes them."""
    assert reader.poll()
    mixer = Mixer(LAYOUT, 48000)
    mixer.set(reader.values)
    with np.errstate(divide="ignore"):
        levels_db = 20 * np.log10(np.diag(mixer.gains[:, :3]).astype(float))
    return [round(float(level), 3) for level in levels_db], float(mixer.gains[2, 3])


def test_parameters_describe_themselves() -> None:
    control, _ = both_ends()
    names = [parameter.name for parameter in control.parameters]
    of_stem = ["gain", "mute", "solo", "solo-safe", "pan", "polarity", "delay", "to-1", "to-2", "to-3"]
    assert names[:11] == [*(f"vocals.{name}" for name in of_stem), "drums.gain"]
    assert names[-2:] == ["dry", "bypass"]
    gain, mute = control.parameters[:2]
    assert (gain.unit, gain.minimum, gain.maximum, gain.default, gain.ramp_s) == ("dB", -60, 12, 0, RAMP_S)
    assert gain.off == -math.inf
    assert (mute.unit, mute.minimum, mute.maximum, mute.default, mute.off) == ("on/off", 0, 1, 0, None)
    assert all(control.get(parameter.name) == parameter.default for parameter in control.parameters)


def test_nothing_is_sent_before_something_is_set() -> None:
    control, reader = both_ends()
    assert not reader.poll()
    control.set("vocals.gain", -6)
    assert reader.poll()
    assert not reader.poll()  # once


def test_defaults_change_nothing() -> None:
    mixer = Mixer(LAYOUT, 48000)
    np.testing.assert_array_equal(mixer.gains, np.eye(3, 4))
    np.testing.assert_array_equal(mixer.input_gains, [[1.0]])
    np.testing.assert_array_equal(mixer.delays, 0)
    assert mixer.ceiling == 1.0


def test_gain_and_off() -> None:
    control, reader = both_ends()
    control.set("vocals.gain", -6.0)
    control.set("drums.gain", -math.inf)
    control.set("residual.gain", np.float32(12))
    assert heard(control, reader) == ([-6.0, -math.inf, 12.0], 0.0)
    assert control.get("drums.gain") == -math.inf


@pytest.mark.parametrize(
    ("on", "silent"),
    [
        ((), ()),
        (("drums.mute",), ("drums",)),
        (("drums.solo",), ("vocals", "residual")),
        (("drums.solo", "residual.solo"), ("vocals",)),
        (("drums.solo", "drums.mute"), STEMS),  # mute wins
        (("drums.solo", "vocals.mute"), ("vocals", "residual")),
        (("vocals.mute", "drums.mute", "residual.mute"), STEMS),
    ],
)
def test_mute_and_solo(on: tuple[str, ...], silent: tuple[str, ...]) -> None:
    """Silence where they ask for it, and the faders' own levels elsewhere and afterwards."""
    control, reader = both_ends()
    levels_db = [-3.0, -1.0, 2.0]
    control.update({f"{stem}.gain": level for stem, level in zip(STEMS, levels_db, strict=True)})
    control.update(dict.fromkeys(on, True))
    expected = [-math.inf if s in silent else level for s, level in zip(STEMS, levels_db, strict=True)]
    assert heard(control, reader) == (expected, 0.0)
    control.update({name: False for name in (*on, "bypass")})
    assert heard(control, reader)[0] == levels_db


def test_bypass_leaves_the_faders() -> None:
    control, reader = both_ends()
    control.update({"vocals.gain": -9.0, "bypass": True})
    assert heard(control, reader) == ([-math.inf] * 3, 1.0)
    control.set("bypass", False)
    assert heard(control, reader) == ([-9.0, 0.0, 0.0], 0.0)


@pytest.mark.parametrize(
    ("name", "value", "problem", "remedy"),
    [
        ("vocal.gain", 0.0, "there is no parameter 'vocal.gain'", "did you mean vocals.gain"),
        ("voice-1.gain", 0.0, "there is no parameter 'voice-1.gain'", "parameters"),
        (7, 0.0, "there is no parameter 7", "parameters"),
        ("vocals.gain", 12.1, "vocals.gain 12.1 dB is out of its range", r"-60..12 dB, or -inf for off"),
        ("vocals.gain", -61, "vocals.gain -61 dB is out of its range", r"-60..12 dB, or -inf for off"),
        ("vocals.gain", math.inf, "vocals.gain inf dB is out of its range", "-60..12"),
        ("vocals.gain", math.nan, "vocals.gain nan dB is out of its range", "-60..12"),
        ("vocals.gain", "loud", "vocals.gain is a level in dB, not 'loud'", "-60..12"),
        ("vocals.gain", None, "vocals.gain is a level in dB, not None", "-60..12"),
        ("vocals.gain", True, "vocals.gain is a level in dB, not True", "-60..12"),
        ("vocals.mute", 0.5, "vocals.mute is on or off, not 0.5", "True or False"),
        ("vocals.mute", "off", "vocals.mute is on or off, not 'off'", "True or False"),
        ("vocals.mute", math.nan, "vocals.mute is on or off, not nan", "True or False"),
        ("bypass", 2, "bypass is on or off, not 2", "True or False"),
        ("bypass", np.zeros(2), "bypass is on or off", "True or False"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_and_changes_nothing(
    name: str, value: float, problem: str, remedy: str
) -> None:
    control, reader = both_ends()
    with pytest.raises(RtsepError) as caught:
        control.update({"drums.gain": -3.0, name: value})
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert not reader.poll()
    assert control.get("drums.gain") == 0.0


def test_an_engine_that_starts_again_finds_what_was_set() -> None:
    shared = block()
    control, first = Control(shared, mixer_parameters(LAYOUT)), CommandReader(shared.memory, COUNT)
    control.set("vocals.gain", -6.0)
    assert first.poll()
    second = CommandReader(SharedMemory(shared.fd).memory, COUNT)
    assert second.poll()
    np.testing.assert_array_equal(second.values, first.values)


def _set_for_ever(fd: int) -> None:
    control, number = Control(SharedMemory(fd), mixer_parameters(LAYOUT)), 0
    while True:
        number += 1
        level = -(number % 1000) / 100
        control.update({f"{stem}.gain": level for stem in STEMS} | {"bypass": number % 2 == 0})


def test_many_set_at_once_arrive_at_once() -> None:
    """Another process sets all gains to one number, over and over: the engine never sees two numbers."""
    shared = block()
    reader = CommandReader(shared.memory, COUNT)
    writer = multiprocessing.get_context("fork").Process(target=_set_for_ever, args=(shared.fd,))
    writer.start()
    try:
        seen: set[float] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 500 and time.monotonic() < deadline:
            if reader.poll():
                gains = reader.values[GAINS]
                assert (gains == gains[0]).all()
                assert reader.values[-1] == round(-100 * gains[0] + 1) % 2
                seen.add(float(gains[0]))
        assert len(seen) > 20  # on a busy machine the two processes seldom run side by side
    finally:
        writer.terminate()
        writer.join()


def test_threads_of_a_host_lose_nothing() -> None:
    """Two front ends set different parameters as fast as they can: both of the last values stand."""
    control, reader = both_ends()

    def fade(name: str) -> None:
        for step in range(2000):
            control.set(name, -step / 100)

    threads = [threading.Thread(target=fade, args=(name,)) for name in ("vocals.gain", "drums.gain")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reader.poll()
    assert tuple(reader.values[GAINS][:2]) == (-19.99, -19.99)


def _fade(fd: int, name: str) -> None:
    control = Control(SharedMemory(fd), mixer_parameters(LAYOUT))
    for step in range(2000):
        control.set(name, -step / 100)


def test_processes_lose_nothing_of_each_other() -> None:
    """Two processes set different parameters as fast as they can: both of the last values stand."""
    shared = block()
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_fade, args=(shared.fd, n)) for n in ("vocals.gain", "drums.gain")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    control, reader = Control(shared, mixer_parameters(LAYOUT)), CommandReader(shared.memory, COUNT)
    assert reader.poll()
    assert tuple(reader.values[GAINS][:2]) == (-19.99, -19.99)
    assert (control.get("vocals.gain"), control.values()["drums.gain"]) == (-19.99, -19.99)


def test_the_next_writer_makes_good_what_one_that_died_left() -> None:
    """An odd sequence number: the engine reads nothing more, and all of it again with the next Control."""
    shared = block()
    Control(shared, mixer_parameters(LAYOUT)).set("vocals.gain", -6.0)
    sequence = int.from_bytes(shared.memory[16:24], sys.byteorder)
    shared.memory[16:24] = (sequence + 1).to_bytes(8, sys.byteorder)
    reader = CommandReader(shared.memory, COUNT)
    assert not reader.poll()
    assert Control(shared, mixer_parameters(LAYOUT)).get("vocals.gain") == -6.0
    assert reader.poll()
    assert reader.values[0] == -6.0


def _hold_for_ever(fd: int, held: Any) -> None:
    with WriteLock(fd).held():
        held.set()
        time.sleep(60)


def test_a_writer_that_stands_still_is_told_and_one_that_dies_gives_way() -> None:
    shared = block()
    control, context = Control(shared, mixer_parameters(LAYOUT)), multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold_for_ever, args=(shared.fd, held))
    holder.start()
    try:
        assert held.wait(30)
        with pytest.raises(RtsepError, match="held by another process"):
            control.set("vocals.gain", -6.0)
        assert control.get("vocals.gain") == 0.0
    finally:
        holder.kill()
        holder.join()
    control.set("vocals.gain", -6.0)
    assert control.get("vocals.gain") == -6.0
