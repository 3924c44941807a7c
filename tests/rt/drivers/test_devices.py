"""Names, numbers and channels of devices; routing; block sizes."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.drivers.device_stream import device_timeout_s
from rtsep.rt.drivers.devices import (
    Device,
    find_device,
    find_same,
    known_latency_s,
    number_twins,
    pick_channels,
)
from rtsep.rt.live.stream_choice import buffering_samples, default_blocksize


def device(index: int, name: str, api: str, inputs: int, outputs: int, default: bool = False) -> Device:
    return Device(
        index, name, api, inputs, outputs, 48000.0, 5.0, 5.0, default and inputs > 0, default and outputs > 0
    )


DEVICES = [
    device(0, "HDA Intel: ALC295", "ALSA", 2, 2),
    device(1, "USB Audio CODEC", "ALSA", 2, 2),
    device(2, "Scarlett 18i20 USB", "ALSA", 18, 20, default=True),
    device(3, "HDMI", "ALSA", 0, 8),
    device(4, "system", "JACK Audio Connection Kit", 2, 8),
]


@pytest.mark.parametrize(
    ("spec", "kind", "index"),
    [
        (1, "input", 1),
        ("3", "output", 3),
        ("scarlett", "input", 2),
        ("CODEC", "output", 1),
        ("usb audio codec", "input", 1),
        ("mic", "input", 2),
        (None, "output", 2),
        ("SYSTEM", "input", 4),
    ],
)
def test_found(spec: int | str | None, kind: str, index: int) -> None:
    assert find_device(spec, kind, DEVICES).index == index  # type: ignore[arg-type]


def test_default_output_stays_with_the_inputs_host_api() -> None:
    assert find_device(None, "output", DEVICES, host_api="JACK Audio Connection Kit").index == 4


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        (9, "input", ["no device 9", "0 'HDA Intel: ALC295'", "4 'system'"]),
        (3, "input", ["'HDMI' has no input channels", "choose"]),
        ("usb", "input", ["names 2 input devices", "1 'USB Audio CODEC'", "2 'Scarlett 18i20 USB'"]),
        ("zoom", "output", ["no output device has 'zoom'", "3 'HDMI'"]),
        ("hdmi", "input", ["no input device has 'hdmi'"]),
        ("", "input", ["no input device has ''"]),
    ],
)
def test_not_found_lists_the_choices(spec: int | str, kind: str, words: list[str]) -> None:
    with pytest.raises(RtsepError) as caught:
        find_device(spec, kind, DEVICES)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_no_devices_at_all() -> None:
    with pytest.raises(RtsepError, match="no audio input device found; connect one"):
        find_device("mic", "input", [])


def test_a_portaudio_that_does_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is while a JACK server is in trouble; an engine that waits for a device then goes on waiting."""
    broken = "class PortAudioError(Exception): pass\nraise PortAudioError('Unanticipated host error')\n"
    (tmp_path / "sounddevice.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(RtsepError, match=r"PortAudio does not start .* look whether the audio server"):
        find_device("mic", "input")


def test_a_lost_device_is_told_from_others_of_its_name() -> None:
    alike = [device(i, "USB Audio", "Core Audio", 2, 2) for i in range(3)]
    other_api = device(3, "USB Audio", "JACK Audio Connection Kit", 2, 2)
    playback = device(4, "USB Audio", "Core Audio", 0, 2)
    before = number_twins([*alike, other_api, playback])
    assert [(d.twin, d.twins) for d in before] == [(0, 3), (1, 3), (2, 3), (0, 1), (0, 1)]
    now = [replace(d, index=d.index + 7) for d in before]
    for lost in before:
        assert find_same(lost, "output", now).index == lost.index + 7
    with pytest.raises(RtsepError, match="2 of 3 devices named 'USB Audio' are there, which ones cannot"):
        find_same(before[1], "input", now[1:])
    with pytest.raises(RtsepError, match="'USB Audio' is not there; connect it"):
        find_same(before[1], "input", now[3:4])


@pytest.mark.parametrize("name", ["1", "0", "99", "USB"])
def test_a_name_is_no_index_and_no_part_of_a_name(name: str) -> None:
    lost = device(3, name, "ALSA", 2, 2)
    with pytest.raises(RtsepError, match="is not there"):
        find_same(lost, "input", DEVICES)
    assert find_same(lost, "input", [*DEVICES, replace(lost, index=5)]).index == 5


def alsa(index: int, card: str, number: int, inputs: int = 2) -> Device:
    return device(index, f"{card} (hw:{number},0)", "ALSA", inputs, 2)


def test_an_alsa_device_comes_back_under_another_card_number() -> None:
    onboard, hdmi = alsa(0, "HDA Intel: ALC295 Analog", 0), device(1, "HDA: HDMI (hw:0,3)", "ALSA", 0, 8)
    usb, other = alsa(2, "USB Audio CODEC: -", 1), alsa(3, "USB Microphone: -", 2)
    before = number_twins([onboard, hdmi, usb, other])
    assert [d.twins for d in before] == [1, 1, 1, 1]
    back = replace(usb, index=2, name="USB Audio CODEC: - (hw:3,0)")
    assert find_same(before[2], "input", number_twins([onboard, hdmi, other, back])) == back
    # another card that took its number meanwhile is not it
    with pytest.raises(RtsepError, match=r"'USB Audio CODEC: - \(hw:1,0\)' is not there; connect it"):
        find_same(before[2], "input", number_twins([onboard, hdmi, alsa(2, "USB Microphone: -", 1)]))
    # nor is another device of a card of that name
    with pytest.raises(RtsepError, match="is not there"):
        find_same(before[2], "input", [replace(usb, name="USB Audio CODEC: - (hw:1,1)")])
    # nor a device of another driver whose name only looks like it
    with pytest.raises(RtsepError, match="is not there"):
        find_same(before[2], "input", [replace(back, host_api="OSS")])


def test_two_alsa_cards_of_one_make_are_told_by_their_order_when_both_are_there() -> None:
    before = number_twins([alsa(0, "USB Audio CODEC: -", 1), alsa(1, "USB Audio CODEC: -", 2)])
    assert [(d.twin, d.twins) for d in before] == [(0, 2), (1, 2)]
    now = number_twins([alsa(4, "USB Audio CODEC: -", 2), alsa(5, "USB Audio CODEC: -", 4)])
    assert [find_same(lost, "output", now).index for lost in before] == [4, 5]
    # the first card took the number of the second, which is away: it must not be taken for it
    with pytest.raises(RtsepError, match=r"1 of 2 devices named 'USB Audio CODEC: - \(hw:2,0\)' are there"):
        find_same(before[1], "output", number_twins([alsa(4, "USB Audio CODEC: -", 2)]))


def test_an_audio_server_may_come_back_with_other_ports() -> None:
    assert find_same(replace(DEVICES[4], outputs=2), "output", DEVICES) == DEVICES[4]


@pytest.mark.parametrize(
    ("reported_s", "known_s"),
    [(0.0, 0.0), (0.01, 0.01), (178956.9707, None), (2**33 / 48000, None), (-1.0, None), (math.nan, None)],
)
def test_a_latency_that_cannot_be_is_unknown(reported_s: float, known_s: float | None) -> None:
    assert known_latency_s(reported_s) == known_s


@pytest.mark.parametrize(
    ("samplerate", "blocksize"), [(48000, 128), (8000, 8192), (8000, 4096), (192000, 8192)]
)
def test_no_block_is_a_lost_device(samplerate: int, blocksize: int) -> None:
    """Two blocks in a row may be missing before anyone speaks of a loss."""
    assert device_timeout_s(blocksize, samplerate) >= max(1.0, 3 * blocksize / samplerate)
    assert device_timeout_s(blocksize, samplerate) <= 5.0


def test_channels_count_from_one() -> None:
    assert pick_channels(None, DEVICES[2], "input") == [0]
    assert pick_channels(3, DEVICES[2], "input") == [2]
    assert pick_channels([4, 2], DEVICES[2], "input") == [3, 1]
    assert pick_channels(None, DEVICES[1], "output") == [0, 1]
    for wrong, message in (
        (3, "outside 1..2"),
        (0, "outside 1..2"),
        ([1, 1], "twice"),
        ([], "no input channel"),
    ):
        with pytest.raises(RtsepError, match=message):
            pick_channels(wrong, DEVICES[1], "input")


def test_default_blocks_add_no_buffering_where_they_can() -> None:
    assert [default_blocksize(hop) for hop in (64, 128, 256, 1024, 96, 320)] == [64, 128, 128, 128, 32, 64]
    assert default_blocksize(88) == 128
    assert buffering_samples(128, 256) == 0
    assert buffering_samples(128, 96) == 96
    assert buffering_samples(256, 128) == 128
