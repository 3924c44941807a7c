"""What a live run shows."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rtsep.rt.cli.live_screen import (
    LineView,
    TerminalView,
    choose_view,
    clock_text,
    latency_text,
    meter,
    note_name,
    plain_line,
    render,
)
from rtsep.rt.live.status import Status

RUNNING = Status(
    state="running",
    samplerate=48000,
    hop=256,
    stems=("voice-1", "voice-2", "residual"),
    frames=96000,
    xruns=1,
    late_hops=2,
    fallback_samples=300,
    peak_db=(-3.0, 0.5, -50.0),
    rms_db=(-12.0, -6.0, -60.0),
    clip=(False, True, False),
    f0_hz=(443.06, 0.0, None),
    merged=(False, False, None),
    hop_time_p99=0.21,
    cpu_load=0.25,
    algorithmic_samples=512,
    buffering_samples=64,
    live_latency_samples=576,
    device_input_samples=128,
    device_output_samples=256,
    last_error="",
)


@pytest.mark.parametrize(
    ("f0_hz", "name"),
    [
        (440.0, "A4 +0"),
        (443.06, "A4 +12"),
        (261.6256, "C4 +0"),
        (65.4064, "C2 +0"),
        (1046.502, "C6 +0"),
        (246.0, "B3 -7"),
        (466.16, "A#4 +0"),
        (0.0, "-"),
        (-1.0, "-"),
        (float("nan"), "-"),
    ],
)
def test_note_names(f0_hz: float, name: str) -> None:
    assert note_name(f0_hz) == name


@given(st.floats(20.0, 5000.0))
def test_note_names_can_be_read_back(f0_hz: float) -> None:
    name, cents = note_name(f0_hz).split(" ")
    assert -50 <= int(cents) <= 50
    letters = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    midi = letters.index(name.rstrip("-0123456789")) + 12 * (int(name.lstrip("ABCDEFG#")) + 1)
    assert 440.0 * 2 ** ((midi + int(cents) / 100 - 69) / 12) == pytest.approx(f0_hz, rel=0.0004)


@given(st.floats(-200, 30), st.floats(-200, 30))
def test_meters_rise_with_level_and_keep_their_width(low: float, high: float) -> None:
    assert len(meter(low)) == len(meter(high)) == 30
    if low <= high:
        assert len(meter(low).rstrip()) <= len(meter(high).rstrip())


def test_meter_ends() -> None:
    assert meter(0.0) == "█" * 30
    assert meter(-30.0) == "█" * 15 + " " * 15
    assert meter(-60.0) == " " * 30


def test_latency_is_split_and_adds_up() -> None:
    text = latency_text(RUNNING)
    assert "latency 20.0 ms = algorithmic 10.67 + buffering 1.33 + device 8.0" in text
    assert "576 samples, exact" in text


def test_a_latency_that_the_driver_does_not_know_is_not_shown() -> None:
    text = latency_text(replace(RUNNING, device_input_samples=None))
    assert "latency 12.0 ms = algorithmic 10.67 + buffering 1.33, and the device's" in text
    assert "its driver does not say" in text


def rendered(status: Status) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(render(status))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("show", [rendered, plain_line])
def test_everything_a_stage_needs_is_shown(show) -> None:
    text = show(replace(RUNNING, last_error="device lost; plug it in", merged=(True, False, None)))
    words = ["voice-1", "voice-2", "residual", "A4 +12 merged", "CLIP", "xruns 1", "late hops 2"]
    for word in [*words, "fallback samples 300", "CPU 25 %", "p99 21 %", "576 samples", "device lost"]:
        assert word in text


@pytest.mark.parametrize("show", [rendered, plain_line])
def test_a_stem_without_a_pitch_has_a_meter_without_one(show) -> None:
    """Whichever stems of a model have one."""
    band = replace(
        RUNNING,
        stems=("drums", "vocals", "bass", "residual"),
        peak_db=(-3.0, -3.0, -3.0, -50.0),
        rms_db=(-12.0, -13.0, -14.0, -60.0),
        clip=(False, False, False, False),
        f0_hz=(None, 443.06, None, None),
        merged=(None, False, None, None),
    )
    text = show(band)
    assert text.count("A4 +12") == 1
    assert all(stem in text for stem in band.stems)
    assert "None" not in text
    after_drums, after_vocals = text[text.index("drums") :], text[text.index("vocals") :]
    assert after_drums.index("vocals") < after_drums.index("A4 +12")
    assert after_vocals.index("A4 +12") < after_vocals.index("bass")
    drums_alone = replace(band, f0_hz=(None,) * 4, merged=(None,) * 4)
    assert "A4" not in show(drums_alone)
    assert " - " not in show(drums_alone).replace(" -> ", "").replace("| ", "")


@pytest.mark.parametrize("show", [rendered, plain_line])
def test_the_first_moment_has_no_numbers_yet(show) -> None:
    assert "starting" in show(Status())


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    with choose_view(quiet=True, as_json=True, stream=stream) as view:
        view.update(RUNNING)
        view.update(RUNNING)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["live_latency_samples"] == 576
    assert view.period_s == 1.0


def test_quiet_is_silent_and_a_pipe_gets_lines() -> None:
    stream = io.StringIO()
    with choose_view(quiet=True, as_json=False, stream=stream) as view:
        view.update(RUNNING)
    assert stream.getvalue() == ""
    with choose_view(quiet=False, as_json=False, stream=stream) as view:
        view.update(RUNNING)
    assert isinstance(view, LineView)
    assert stream.getvalue().count("\n") == 1


def test_a_terminal_gets_meters() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    view = choose_view(quiet=False, as_json=False, stream=stream)
    assert isinstance(view, TerminalView)
    with view:
        view.update(RUNNING)
    assert "voice-2" in stream.getvalue()


def test_two_clocks_are_shown_and_one_is_not() -> None:
    two = replace(
        RUNNING, clock_bridge_samples=352, live_latency_samples=928, clock_ppm=-12.34, clock_fill_samples=230
    )
    assert clock_text(two) == "clocks: input -12.3 ppm against output, 230 samples waiting, 0 slips"
    assert "+ between the clocks 7.33" in latency_text(two)
    assert "clocks: input -12.3 ppm" in plain_line(two)
    assert "input ? ppm" in clock_text(replace(two, clock_ppm=None))
    assert "clocks" not in plain_line(RUNNING) + latency_text(RUNNING)
