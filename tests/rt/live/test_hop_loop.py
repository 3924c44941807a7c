"""The hop loop without a device: the test is the device, block by block, and may keep the loop waiting."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_band import write_band

from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.parameters import RAMP_S, Parameter, mixer_parameters
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.drivers.devices import Device
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live import hop_loop
from rtsep.rt.live.hop_loop import HopLoop
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.status import Status
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.separator import Separator
from rtsep.rt.takes.hop_record import Layout, segments
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory

BLOCK, VOICES, RATE = 128, 2, 48000
SETTINGS = LiveSettings(
    VOICES, "choir", 11, "mic", None, None, None, None, None, "auto", [0.0], [[440.0, 220.0]]
)
STEMS = ("voice-1", "voice-2", "residual")
DEVICE = Device(0, "test", "none", 1, 3, float(RATE), 0.0, 0.0, True, True)


def parameters(stems: Sequence[str]) -> tuple[Parameter, ...]:
    """Of a desk with three outputs."""
    return mixer_parameters(lay_desk(stems, [[0]], [0, 1, 2], 3)[0])


def command_block() -> SharedMemory:
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    return shared


def build(
    block: Block,
    record: TakeMemory | None = None,
    settings: LiveSettings = SETTINGS,
    commands: SharedMemory | None = None,
) -> HopLoop:
    choice = StreamChoice(StreamFormat(DEVICE, DEVICE, RATE, BLOCK, 1, VOICES + 1), [[0]], [0, 1, 2])
    memory = (commands or command_block()).memory
    return HopLoop(settings, choice, block, memory, record, "SCHED_FIFO 4")


def play(loop: HopLoop, mixture: np.ndarray, delays: dict[int, int]) -> np.ndarray:
    """Runs block by block; hop k is started `delays[k]` blocks after it could be. Returns float32 [frames,
    stems].
    """
    return play_on(loop, mixture, 0, delays)


def play_on(
    loop: HopLoop, mixture: np.ndarray, played_before: int, delays: dict[int, int] | None = None
) -> np.ndarray:
    """`play` of a loop that has played so many frames, whole hops, before."""
    delays = delays or {}
    played, hop_index, waited = [], played_before // 256, 0
    for at in range(0, len(mixture), BLOCK):
        out = np.zeros((BLOCK, VOICES + 1), np.float32)
        loop.callback.process(mixture[at : at + BLOCK], out)
        played.append(out)
        while loop.callback.wait_input(hop_index, 0.0):
            if waited < delays.get(hop_index, 0):
                waited += 1
                break
            loop.run_hop()
            hop_index, waited = hop_index + 1, 0
    return np.concatenate(played)


def voiced(frames: int) -> np.ndarray:
    t = np.arange(frames) / RATE
    tones = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220, 440, 660, 880))
    return np.ascontiguousarray(
        tones[:, None] + 0.01 * np.random.default_rng(0).normal(size=(frames, 1)), np.float32
    )


@pytest.mark.parametrize("render", ["masks", "synth"])
def test_on_time_it_is_the_separator(render: str) -> None:
    loop = build(Block.create(), settings=dataclasses.replace(SETTINGS, render=render))
    mixture = voiced(BLOCK * 120)
    played = play(loop, mixture, {})
    separator = Separator.load(voices=VOICES, f0=SETTINGS.f0, render=render)
    np.testing.assert_array_equal(played.T, separator.process(mixture)[:, :, 0])
    assert np.abs(played[:, 0]).max() > 0.05  # there are voices to speak of


@pytest.mark.parametrize(
    "delays", [{20: 1}, {20: 2}, {20: 7}, {20: 3, 40: 40}, {k: 2 for k in range(10, 30)}]
)
def test_after_an_overload_it_catches_up(delays: dict[int, int]) -> None:
    block = Block.create()
    loop, mixture = build(block), voiced(BLOCK * 240)
    played = play(loop, mixture, delays)
    latency = 512
    np.testing.assert_allclose(played[latency:].sum(1), mixture[:-latency, 0], atol=2e-6)
    late = loop.callback.late_hops
    fallback = loop.callback.fallback_samples
    assert late > 0
    rest = voiced(BLOCK * 40)
    hops_before = len(mixture) // 256
    for at in range(0, len(rest), BLOCK):
        loop.callback.process(rest[at : at + BLOCK], np.zeros((BLOCK, VOICES + 1), np.float32))
        while loop.callback.wait_input(hops_before, 0.0):
            loop.run_hop()
            hops_before += 1
    assert (loop.callback.late_hops, loop.callback.fallback_samples) == (late, fallback)  # it is over


def test_a_gpu_that_is_missing_or_lost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first sample, or as soon as it happens; the music goes on."""
    block = Block.create()
    loop = build(block, settings=dataclasses.replace(SETTINGS, backend="cuda"))
    loop.publish("starting")
    (missing,) = block.read()["notes"]
    assert missing == "--backend cuda does not take given pitches: it runs on the processor"
    played = play(loop, mixture := voiced(BLOCK * 60), {})
    np.testing.assert_array_equal(played, play(build(Block.create()), mixture, {}))
    monkeypatch.setattr(Separator, "gpu_lost", "launch failure")
    loop.publish("running-out")
    assert block.read()["notes"][1:] == ["the GPU was lost: it runs on the processor (launch failure)"]


def test_a_skipped_hop_keeps_time_and_sum() -> None:
    """Given pitches stay in time, and all stems sum to the delayed input, whichever hops are skipped."""
    rising = F0Track(np.arange(60) / 100, np.linspace(200, 400, 60)[:, None] * [2.0, 1.0])
    separator, straight = (Separator.load(voices=VOICES, f0=rising) for _ in range(2))
    hop = separator.hop
    mixture = voiced(hop * 60)
    out, expected = np.zeros((2, VOICES + 1, hop, 1), np.float32)
    for k in range(60):
        part = np.ascontiguousarray(mixture[k * hop : (k + 1) * hop])
        straight.process_hop(part, expected)
        (separator.skip_hop if k in (7, 20, 21, 22) else separator.process_hop)(part, out)
        delayed = mixture[(k - 1) * hop : k * hop] if k else 0 * part
        np.testing.assert_allclose(out.sum(0), delayed, atol=2e-6)
    np.testing.assert_array_equal(separator.voices.f0_hz, straight.voices.f0_hz)
    assert separator.voices.f0_hz[0] > 500


def recorded(memory: TakeMemory, loop: HopLoop) -> np.ndarray:
    """float32 [frames, 1 + stems]: what the ring holds, from frame 0 of the show on."""
    hop = loop._chain.separator.hop
    layout = Layout(hop, memory.ring.channels)
    block = np.zeros((memory.ring.available, layout.width), np.float32)
    memory.ring.read(block)
    found = [segment for segment in segments(block, layout) if len(segment.rows)]
    assert [segment.frame for segment in found] == [k * hop for k in range(len(found))]
    return np.concatenate([segment.rows for segment in found])


def test_the_take_is_aligned_with_the_input() -> None:
    memory = TakeMemory.create(VOICES + 2)
    loop, mixture = build(Block.create(), memory), voiced(BLOCK * 100)
    play(loop, mixture, {})
    take = recorded(memory, loop)
    np.testing.assert_array_equal(take[:, 0], mixture[: len(take), 0])
    np.testing.assert_allclose(take[:, 1:].sum(1), take[:, 0], atol=2e-6)


def test_a_successor_goes_on_sample_exactly() -> None:
    mixture = voiced(BLOCK * 80)
    first = build(Block.create())
    play(first, mixture, {})
    separator = Separator.load(voices=VOICES, f0=SETTINGS.f0)
    separator.load_state_dict({k: v for k, v in first.state_dict().items() if k not in TakeFeed.no_state()})
    whole = Separator.load(voices=VOICES, f0=SETTINGS.f0)
    out, expected = np.zeros((2, VOICES + 1, 256, 1), np.float32)
    for at in range(0, len(mixture), 256):
        whole.process_hop(np.ascontiguousarray(mixture[at : at + 256]), expected)
    separator.process_hop(mixture[:256], out)
    whole.process_hop(mixture[:256], expected)
    np.testing.assert_array_equal(out, expected)


def test_what_is_set_is_heard_a_ramp_later() -> None:
    """Each stem has its own gain then, to the last bit; before, none has."""
    commands = command_block()
    control = Control(commands, parameters(STEMS))
    loop, mixture = build(Block.create(), commands=commands), voiced(BLOCK * 240)
    plain = play(build(Block.create()), mixture, {})
    half = len(mixture) // 2
    before = play(loop, mixture[:half], {})
    np.testing.assert_array_equal(before, plain[:half])
    control.update({"voice-1.gain": -6.0, "voice-2.mute": True, "residual.gain": 3.0})
    after = play_on(loop, mixture[half:], half)
    settled = 256 + round(RAMP_S * RATE)
    gains = np.array([10 ** (-6 / 20), 0.0, 10 ** (3 / 20)], np.float32)
    np.testing.assert_array_equal(after[settled:], (plain[half:] * gains)[settled:])
    assert np.abs(plain[half + settled :]).max(0).min() > 1e-3  # all three had something to say


def test_what_was_set_is_in_force_from_the_first_frame_of_the_next_engine() -> None:
    commands = command_block()
    control = Control(commands, parameters(STEMS))
    mixture = voiced(BLOCK * 60)
    build(Block.create(), commands=commands)
    control.set("bypass", True)
    played = play(build(Block.create(), commands=commands), mixture, {})
    assert not played[:, :VOICES].any()
    np.testing.assert_array_equal(played[512:, VOICES], mixture[:-512, 0])


def test_the_take_and_the_meters_are_from_before_the_gains() -> None:
    """A fader of the loudspeakers changes nothing in what is recorded."""
    commands, block = command_block(), Block.create()
    memories = [TakeMemory.create(VOICES + 2) for _ in "12"]
    mixture = voiced(BLOCK * 100)
    Control(commands, parameters(STEMS)).update({f"{stem}.mute": True for stem in STEMS})
    muted = build(block, memories[0], commands=commands)
    assert not play(muted, mixture, {}).any()
    open_desk = build(Block.create(), memories[1])
    play(open_desk, mixture, {})
    takes = [recorded(memory, loop) for memory, loop in zip(memories, (muted, open_desk), strict=True)]
    np.testing.assert_array_equal(takes[0], takes[1])
    muted.publish("running-out")
    assert max(block.read()["rms_db"]) > -40


def test_a_band_s_decoders_run_for_what_is_played(tmp_path: Path) -> None:
    """Three outputs: two stems and no residual. A muted stem's decoder rests, the other does not change."""
    model = str(write_band(tmp_path / "band", ("vocals", "drums")))
    settings = dataclasses.replace(SETTINGS, model=model, voices=None, f0_times_s=None, f0_hz=None)
    commands, names = command_block(), ("vocals", "drums", "residual")
    mixture = voiced(BLOCK * 120)
    plain = play(build(Block.create(), settings=settings), mixture, {})
    assert np.abs(plain[:, :2]).max(axis=0).min() > 1e-3
    Control(commands, parameters(names)).update({"drums.mute": True, "residual.mute": True})
    muted = build(Block.create(), settings=settings, commands=commands)
    played = play(muted, mixture, {})
    np.testing.assert_array_equal(played[:, 0], plain[:, 0])
    assert not played[:, 1:].any()
    assert muted._chain.separator._pipeline.model.silent == [False, True]  # type: ignore[attr-defined]


class Drums:
    """A `MaskModel` of stems without a pitch, one for low and one for high bins."""

    stems = ("kick", "cymbals")

    def __init__(self) -> None:
        self.report = VoiceReport.silent(())

    def step(self, spectrum: np.ndarray, masks: np.ndarray) -> None:
        masks[...] = 0
        masks[0, :40] = masks[1, 40:] = 1

    def skip(self) -> None: ...

    def reset(self) -> None: ...

    def state_dict(self) -> dict[str, np.ndarray]:
        return {}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None: ...


def test_stems_and_their_names_are_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever `voices` says: names, meters, parameters, take; and none has a pitch here."""
    separator = Separator(Drums(), Preset(RATE, 11))
    monkeypatch.setattr(hop_loop, "load_engine", lambda *args: (separator, []))
    block, commands, memory = Block.create(), command_block(), TakeMemory.create(4)
    loop = build(block, memory, dataclasses.replace(SETTINGS, voices=4), commands)
    loop.publish("starting")
    status = Status.from_dict(block.read())
    assert status.stems == ("kick", "cymbals", "residual")
    Control(commands, parameters(status.stems)).set("cymbals.mute", True)
    played = play(loop, mixture := voiced(BLOCK * 60), {})
    assert not played[256 + round(RAMP_S * RATE) :, 1].any()
    assert played[:, 1].any()
    assert np.abs(played[:, 0]).max() > 0.05
    loop.publish("running-out")
    status = Status.from_dict(block.read())
    assert status.f0_hz == status.level_db == status.merged == (None, None, None)
    assert len(status.peak_db) == len(status.rms_db) == len(status.clip) == 3
    take = recorded(memory, loop)
    np.testing.assert_array_equal(take[:, 0], mixture[: len(take), 0])


def test_each_voice_of_a_choir_tells_its_pitch_and_the_residual_none() -> None:
    block = Block.create()
    held = dataclasses.replace(SETTINGS, f0_times_s=[0.0, 10.0], f0_hz=[[440.0, 220.0]] * 2)
    loop = build(block, settings=held)
    play(loop, voiced(BLOCK * 60), {})
    loop.publish("running-out")
    status = Status.from_dict(block.read())
    assert status.f0_hz == (440.0, 220.0, None)
    assert status.merged == (True, True, None)
    assert status.level_db[0] is not None
    assert status.level_db[0] > -40
    assert status.level_db[2] is None


def test_what_a_session_begins_with_is_in_force_from_the_first_frame() -> None:
    first = {"voice-1.mute": "on", "residual.gain": -6.0, "voice-9.gain": 3.0, "voice-2.gain": 400.0}
    shared, mixture = command_block(), voiced(4096)
    muted = play(
        build(Block.create(), None, dataclasses.replace(SETTINGS, first_values=first), shared), mixture, {}
    )
    plain = play(build(Block.create()), mixture, {})
    assert np.abs(plain[:, 0]).max() > 0.01
    assert not muted[:, 0].any()
    np.testing.assert_array_equal(muted[:, 1], plain[:, 1])
    np.testing.assert_allclose(muted[:, 2], plain[:, 2] * 10 ** (-6 / 20), atol=1e-6)
    control = Control(shared, parameters(STEMS))
    assert (control.get("voice-1.mute"), control.get("residual.gain"), control.get("voice-2.gain")) == (
        1,
        -6,
        0,
    )
    # what was set since is not taken back by an engine that comes after
    control.set("voice-1.mute", False)
    again = play(
        build(Block.create(), None, dataclasses.replace(SETTINGS, first_values=first), shared), mixture, {}
    )
    np.testing.assert_array_equal(again[:, 0], plain[:, 0])
