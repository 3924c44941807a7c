"""Two devices with a clock each: what is chosen, what is said of it, and the two streams of the bridge."""

import ctypes
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rtsep.kernels import _core
from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers import bridged_stream, clocks
from rtsep.rt.drivers.bridged_stream import BridgedStream
from rtsep.rt.drivers.clocks import bridge_samples, have_one_clock
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.drivers.devices import Device
from rtsep.rt.drivers.stream import open_stream
from rtsep.rt.live import stream_choice
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import StreamChoice, choose_stream

RATE, BLOCK = 48000, 512
JACK = "JACK Audio Connection Kit"


def device(index: int, name: str, api: str = "ALSA", inputs: int = 2, outputs: int = 2) -> Device:
    return Device(index, name, api, inputs, outputs, float(RATE), 5.0, 5.0, False, False)


MIC = device(0, "USB mic: Audio (hw:2,0)", outputs=0)
SPEAKERS = device(1, "HDA: ALC295 Analog (hw:0,0)")
DIGITAL = device(2, "HDA: ALC295 Digital (hw:0,1)", inputs=0)
POCKET = device(3, "Pocket (hw:3,0)")
SYSTEM = device(4, "system", JACK)
OTHER = device(5, "PulseAudio JACK Sink", JACK)
DEVICES = [MIC, SPEAKERS, DIGITAL, POCKET, SYSTEM, OTHER]


@pytest.fixture(name="library")
def has_library() -> None:
    if not bridge_samples(RATE, BLOCK):
        pytest.skip("libsamplerate is not installed: apt install libsamplerate0")


@pytest.fixture(name="no_library")
def has_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> _core.ClockBridge:
        raise RuntimeError("libsamplerate.so.0: cannot open")

    monkeypatch.setattr(clocks, "make_bridge", refuse)
    monkeypatch.setattr(bridged_stream, "make_bridge", refuse)


@pytest.mark.parametrize(
    ("source", "target", "one"),
    [
        (SPEAKERS, SPEAKERS, True),
        (SPEAKERS, DIGITAL, True),
        (MIC, SPEAKERS, False),
        (MIC, POCKET, False),
        (SYSTEM, OTHER, True),
        (MIC, SYSTEM, False),
        (device(6, "default"), device(7, "pulse"), False),
        (device(6, "Band", "Core Audio", 2, 0), device(7, "Band", "Core Audio", 0, 2), True),
        (device(6, "Band", "MME", 2, 0), device(7, "Band", "Windows WASAPI", 0, 2), False),
    ],
)
def test_what_has_one_clock(source: Device, target: Device, one: bool) -> None:
    assert have_one_clock(source, target) is one


def choose(monkeypatch: pytest.MonkeyPatch, source: int, target: int, latency_ms: int = 11) -> StreamChoice:
    monkeypatch.setattr(stream_choice, "list_devices", lambda: DEVICES)
    monkeypatch.setattr(stream_choice, "jack_period", lambda fmt: 128)
    settings = LiveSettings(2, None, latency_ms, source, None, target, None, None, None, "auto", None, None)
    return choose_stream(settings)


@pytest.mark.usefixtures("library")
def test_two_cards_are_bridged_and_the_delay_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose(monkeypatch, 0, 1)
    assert choice.format.bridge_samples == bridge_samples(RATE, 128) == 352
    assert StreamChoice.from_dict(json.loads(json.dumps(choice.as_dict()))) == choice
    notes = choice.desk(("voice-1", "voice-2", "residual"))[1]
    assert any("a clock each" in note and "352 samples (7.3 ms)" in note for note in notes)
    assert not choice.muted


@pytest.mark.parametrize(("source", "target"), [(1, 1), (1, 2), (4, 4), (4, 5)])
def test_one_clock_is_opened_as_ever(monkeypatch: pytest.MonkeyPatch, source: int, target: int) -> None:
    choice = choose(monkeypatch, source, target)
    assert choice.format.bridge_samples == 0
    notes = choice.desk(("voice-1", "voice-2", "residual"))[1]
    assert not any("clock" in note for note in notes)


@pytest.mark.usefixtures("no_library")
def test_without_the_library_it_is_said_what_will_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose(monkeypatch, 0, 1)
    assert choice.format.bridge_samples == 0
    notes = choice.desk(("voice-1", "voice-2", "residual"))[1]
    assert any(
        "libsamplerate is not there" in note and "apt install libsamplerate0" in note for note in notes
    )


class FakeStream:
    """One of PortAudio's: a thread calls the C function at the pace of its own clock."""

    latency, cpu_load = 0.01, 0.02

    def __init__(self, kind: str, function: int, userdata: int, channels: int, rate: float) -> None:
        kinds = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int, *kinds, ctypes.c_void_p)(function)
        self._userdata, self._is_input = userdata, kind == "input"
        self.samples = np.full((BLOCK, channels), 0.25 * self._is_input, np.float32)
        self.block_s, self.active, self.loudest = BLOCK / rate, False, 0.0
        self.held = False

    def start(self) -> None:
        self.active = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while self.active:
            due += self.block_s
            time.sleep(max(0.0, due - time.monotonic()))
            if self.held:
                continue
            address = self.samples.ctypes.data
            ends = (address, None) if self._is_input else (None, address)
            self._call(*ends, BLOCK, None, 0, self._userdata)
            self.loudest = max(self.loudest, float(np.abs(self.samples).max()))

    def abort(self, ignore_errors: bool = True) -> None:
        self.active = False
        if hasattr(self, "_thread"):
            self._thread.join()

    def close(self, ignore_errors: bool = True) -> None:
        self.abort()


FORMAT = StreamFormat(MIC, SPEAKERS, RATE, BLOCK, 1, 2, bridge_samples=1)


class Rig:
    """A bridged stream on two fake devices; the input's clock is 1000 ppm too fast."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.streams: dict[str, FakeStream] = {}

        def opened(fmt: StreamFormat, kind: str, function: int, userdata: int) -> FakeStream:
            rate = RATE * 1.001 if kind == "input" else RATE
            channels = fmt.inputs if kind == "input" else fmt.outputs
            self.streams[kind] = FakeStream(kind, function, userdata, channels, rate)
            return self.streams[kind]

        monkeypatch.setattr(bridged_stream, "open_portaudio", opened)
        self.callback = self._callback()
        self.stream = open_stream(FORMAT, self.callback, 0)
        assert isinstance(self.stream, BridgedStream)

    @staticmethod
    def _callback() -> _core.DeviceCallback:
        """Plays the delayed mixture on both outputs."""
        gains, bypass = np.zeros((2, 2), np.float32), np.ones((2, 1), np.float32)
        callback = _core.DeviceCallback([0], 1, gains, 2, BLOCK, 2 * BLOCK, BLOCK, 48000, bypass, 1)
        callback.set_gains(np.ones(2, np.float32), 1.0)
        return callback

    def wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(name="rig")
def running_rig(monkeypatch: pytest.MonkeyPatch, library: None) -> Iterator[Rig]:
    rig = Rig(monkeypatch)
    rig.stream.start()
    yield rig
    assert rig.stream.close()


def test_both_streams_run_and_the_clocks_are_told(rig: Rig) -> None:
    output = rig.streams["output"]
    rig.wait(lambda: output.loudest > 0.2)
    news = rig.stream.news()
    assert news is not None
    assert news.keys() == {"clock_ppm", "clock_fill_samples", "clock_slips"}
    assert news["clock_fill_samples"] is not None
    assert rig.stream.news() is None  # four times a second
    assert rig.stream.latency_s == (0.01, 0.01)
    assert rig.stream.load == pytest.approx(0.04)
    assert rig.stream.blocksize == BLOCK
    rig.stream.replace(rig._callback(), 0)


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_side_that_stands_still_or_goes_is_a_lost_device(rig: Rig, side: str) -> None:
    rig.wait(lambda: rig.callback.position > 0 and rig.stream.stalled_s() < 0.2)
    rig.streams[side].held = True
    rig.wait(lambda: rig.stream.stalled_s() > 0.5)
    rig.streams[side].active = False
    assert rig.stream.stalled_s() == math.inf


def test_an_input_that_is_refused_leaves_no_output_open(
    monkeypatch: pytest.MonkeyPatch, library: None
) -> None:
    closed = []

    def opened(fmt: StreamFormat, kind: str, function: int, userdata: int) -> Any:
        if kind == "input":
            raise DeviceRefused("'USB mic' cannot be opened", "choose another one")
        stream = FakeStream(kind, function, userdata, 2, RATE)
        monkeypatch.setattr(stream, "close", lambda ignore_errors: closed.append(kind))
        return stream

    monkeypatch.setattr(bridged_stream, "open_portaudio", opened)
    with pytest.raises(DeviceRefused, match="USB mic"):
        BridgedStream(FORMAT, Rig._callback())
    assert closed == ["output"]


@pytest.mark.usefixtures("no_library")
def test_a_library_that_went_away_is_an_error_for_people() -> None:
    with pytest.raises(DeviceRefused, match="apt install libsamplerate0"):
        BridgedStream(FORMAT, Rig._callback())
