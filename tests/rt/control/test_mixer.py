"""What every parameter of the desk does to the sound, through the device callback; and that none clicks."""

from collections.abc import Callable

import numpy as np
import pytest

from rtsep.kernels import _core
from rtsep.rt.control.desk_layout import DeskLayout, lay_desk
from rtsep.rt.control.mixer import Mixer
from rtsep.rt.control.parameters import LONGEST_DELAY_MS, RAMP_S, mixer_parameters

RATE, HOP, LATENCY = 48000, 64, 128
STEMS = ("voice-1", "voice-2", "residual")
RAMP = round(RAMP_S * RATE)
SHARES = np.array([0.5, 0.3, 0.2], np.float32)
Sound = Callable[[int], np.ndarray]


def tone(frames: int, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)).astype(np.float32)


def play(
    settings: dict[str, float],
    moves: dict[str, float] | None = None,
    *,
    mixture: np.ndarray | None = None,
    layout: DeskLayout | None = None,
    at: int = 100,
    hops: int = 300,
    block: int = HOP,
) -> tuple[np.ndarray, _core.DeviceCallback]:
    """Stems as shares of the mixture through the desk: [frames, outputs]; `moves` come before block `at`."""
    layout = lay_desk(STEMS, [[0]], [0, 1, 2], 3)[0] if layout is None else layout
    mixer, names = Mixer(layout, RATE), [p.name for p in mixer_parameters(layout)]
    values = mixer.defaults.copy()
    mixture = tone(hops * HOP) if mixture is None else mixture
    mixture = mixture[:, None] if mixture.ndim == 1 else mixture
    channels, outputs = layout.channels, len(layout.outputs)
    latency = LATENCY + (0 if HOP % block == 0 else block)
    callback = _core.DeviceCallback(
        [mixed[0] for mixed in layout.inputs], mixture.shape[1],
        np.zeros((outputs, len(STEMS) * channels), np.float32), len(STEMS), HOP, latency, HOP, 8192,
        np.zeros((outputs, channels), np.float32), RAMP, round(LONGEST_DELAY_MS * RATE / 1000),
    )  # fmt: skip

    def take(changed: dict[str, float]) -> None:
        for name, value in changed.items():
            values[names.index(name)] = value
        mixer.set(values)
        callback.set_mix(mixer.gains, mixer.delays, mixer.ceiling)
        callback.set_input(mixer.input_gains)

    take(settings)
    played, hop_index, hop = [], 0, np.zeros((HOP, channels), np.float32)
    before = np.zeros((HOP, channels), np.float32)
    for index, start in enumerate(range(0, len(mixture) - block + 1, block)):
        if moves is not None and index == at:
            take(moves)
        out = np.full((block, outputs), np.nan, np.float32)
        callback.process(np.ascontiguousarray(mixture[start : start + block]), out)
        played.append(out)
        while callback.wait_input(hop_index, 0.0):
            callback.read_hop(hop_index, hop)
            callback.deliver(hop_index, np.ascontiguousarray(SHARES[:, None, None] * before))
            before, hop_index = hop.copy(), hop_index + 1
    return np.concatenate(played), callback


def level_db(sound: np.ndarray) -> np.ndarray:
    """RMS of every output once it has settled, re a tone of 0.5."""
    with np.errstate(divide="ignore"):
        return 20 * np.log10(np.sqrt((sound[len(sound) // 2 :] ** 2).mean(0)) / (0.5 / np.sqrt(2)))


def db(share: float) -> float:
    return float(20 * np.log10(share))


@pytest.mark.parametrize(
    ("settings", "voice_1", "voice_2", "residual"),
    [
        ({}, db(0.5), db(0.3), db(0.2)),
        ({"voice-1.gain": -6.0}, db(0.5) - 6, db(0.3), db(0.2)),
        ({"voice-1.gain": -np.inf}, -np.inf, db(0.3), db(0.2)),
        ({"voice-2.mute": 1}, db(0.5), -np.inf, db(0.2)),
        ({"voice-2.solo": 1}, -np.inf, db(0.3), -np.inf),
        ({"voice-2.solo": 1, "residual.solo-safe": 1}, -np.inf, db(0.3), db(0.2)),
        ({"residual.solo-safe": 1}, db(0.5), db(0.3), db(0.2)),
        ({"voice-2.solo": 1, "voice-2.mute": 1}, -np.inf, -np.inf, -np.inf),
        ({"output.gain": 3.0}, db(0.5) + 3, db(0.3) + 3, db(0.2) + 3),
        ({"output.dim": 1}, db(0.5) - 20, db(0.3) - 20, db(0.2) - 20),
        ({"output.mute": 1}, -np.inf, -np.inf, -np.inf),
        ({"input.gain": -10.0}, db(0.5) - 10, db(0.3) - 10, db(0.2) - 10),
        ({"in-1.gain": -10.0, "input.gain": 4.0}, db(0.5) - 6, db(0.3) - 6, db(0.2) - 6),
        ({"bypass": 1}, -np.inf, -np.inf, 0.0),
        ({"bypass": 1, "output.gain": -6.0}, -np.inf, -np.inf, -6.0),
        ({"dry": 1.0}, -np.inf, -np.inf, 0.0),
        ({"dry": 0.5}, db(0.25), db(0.15), db(0.6)),  # wet and dry add up: they are of one age
        ({"voice-1.to-2": 1, "voice-1.to-1": 0}, -np.inf, db(0.8), db(0.2)),
        ({"voice-1.to-2": 1, "voice-1.pan": -1.0}, db(0.5), db(0.3), db(0.2)),
        ({"voice-1.polarity": 1, "voice-1.to-2": 1, "voice-1.to-1": 0}, -np.inf, db(0.2), db(0.2)),
        ({"output.ceiling": -20.0}, None, None, None),
    ],
)
def test_levels(settings: dict[str, float], voice_1: float, voice_2: float, residual: float) -> None:
    played, callback = play(settings)
    assert np.isfinite(played).all()
    if voice_1 is None:
        assert np.abs(played).max() == pytest.approx(0.1)
        unlimited, _ = play({})
        assert callback.limited_samples == (np.abs(unlimited) > np.float32(0.1)).sum() > 0
        return
    assert callback.limited_samples == 0
    np.testing.assert_allclose(level_db(played), [voice_1, voice_2, residual], atol=0.01)


@pytest.mark.parametrize(
    ("pan", "left", "right"), [(0.0, -3.01, -3.01), (-1, 0, -np.inf), (0.5, -8.34, -0.69)]
)
def test_pan_of_one_channel_keeps_the_power(pan: float, left: float, right: float) -> None:
    layout = lay_desk(STEMS, [[0]], [0, 1], 2, "voice-1>1,2")[0]
    played, _ = play({"voice-1.pan": pan}, layout=layout)
    np.testing.assert_allclose(level_db(played) - db(0.5), [left, right], atol=0.01)


@pytest.mark.parametrize(("pan", "left", "right"), [(0.0, 0, 0), (-1, 0, -np.inf), (0.5, -5.33, 0)])
def test_pan_of_two_channels_is_a_balance(pan: float, left: float, right: float) -> None:
    layout = lay_desk(STEMS, [[0], [1]], [0, 1], 2, "voice-1>1,2")[0]
    sound = np.stack([tone(300 * HOP), tone(300 * HOP)], 1)
    played, _ = play({"voice-1.pan": pan}, layout=layout, mixture=sound)
    np.testing.assert_allclose(level_db(played) - db(0.5), [left, right], atol=0.01)


def test_inputs_are_summed_into_a_channel() -> None:
    layout = lay_desk(STEMS, [[0, 2]], [0, 1, 2], 3)[0]
    sound = np.stack([tone(300 * HOP), tone(300 * HOP, 997.0), 0.5 * tone(300 * HOP)], 1)
    played, _ = play({}, layout=layout, mixture=sound)
    np.testing.assert_allclose(level_db(played)[0], db(0.5 * 1.5), atol=0.01)
    played, _ = play({"in-3.gain": -np.inf}, layout=layout, mixture=sound)
    np.testing.assert_allclose(level_db(played)[0], db(0.5), atol=0.01)


def test_an_input_that_is_off_from_the_start_is_never_heard() -> None:
    played, _ = play({"in-1.gain": -np.inf}, hops=40)
    assert not played.any()


@pytest.mark.parametrize("delay_ms", [0.0, 1.0, 12.5, LONGEST_DELAY_MS])
def test_a_delay_is_exact_and_of_one_stem(delay_ms: float) -> None:
    impulses, at = np.zeros(300 * HOP, np.float32), np.array([3, 1000])
    impulses[at] = 1.0  # the first one would fall into a cross-fade, if the start made one
    played, _ = play({"voice-2.delay": delay_ms}, mixture=impulses)
    for column, late in zip(played.T, [0, round(delay_ms * 48), 0], strict=True):
        np.testing.assert_array_equal(np.flatnonzero(column), at + LATENCY + late)


LAYOUT = lay_desk(STEMS, [[0]], [0, 1, 2], 3)[0]
MOVES = [
    (p.name, p.minimum if p.default != p.minimum else p.maximum)
    for p in mixer_parameters(LAYOUT)
    if p.name not in ("output.ceiling", "output.howl-guard")  # of themselves they change no gain
]


@pytest.mark.parametrize("block", [HOP, 37])
@pytest.mark.parametrize(("name", "value"), MOVES)
def test_no_parameter_clicks(name: str, value: float, block: int) -> None:
    """A constant input shows a gain itself: no sample step is above the gain's own change over the ramp."""
    constant = np.full(500 * HOP, 0.01, np.float32)  # longer than the longest delay before it moves
    played, _ = play({}, {name: value}, mixture=constant, block=block, at=250 * HOP // block)
    sound = played[240 * HOP :]
    steps = np.abs(np.diff(sound, axis=0)).max(0)
    change = np.abs(sound[-1] - sound[0])
    # a step of its own share of the ramp; an input gain goes through the stems' hops, which are whole here
    assert (steps <= change / RAMP + 1e-7).all()
    if not name.endswith((".delay", ".solo-safe", ".pan")):
        assert change.max() > 0.001 or "to-" in name or change.max() > 1e-4


def test_a_delay_changes_by_a_cross_fade() -> None:
    sound, hz = tone(300 * HOP, 220.0), 220.0
    played, _ = play({}, {"voice-1.delay": 7.3}, mixture=sound)
    steepest = 0.25 * 2 * np.pi * hz / RATE
    steps = np.abs(np.diff(played[20 * HOP :, 0]))
    assert steps.max() <= steepest + 2 * 0.25 / RAMP
    shifted = 0.5 * sound[: -LATENCY - 350]
    np.testing.assert_allclose(played[-50 * HOP :, 0], shifted[-50 * HOP :], atol=1e-6)


def test_latency_stays_while_everything_moves() -> None:
    impulses = np.zeros(300 * HOP, np.float32)
    impulses[np.arange(500, 18000, 501)] = 1.0
    for name, value in MOVES:
        if name.endswith(".delay") or "mute" in name or name in ("input.gain", "in-1.gain", "output.gain"):
            continue
        played, _ = play({}, {name: value}, mixture=impulses)
        found = np.flatnonzero(np.abs(played).sum(1))
        expected = np.flatnonzero(impulses) + LATENCY
        np.testing.assert_array_equal(found, expected[expected < len(played)], err_msg=name)


@pytest.mark.parametrize("absurd", [1e11, -1e30, 3e38])
def test_absurd_samples_go_out_at_full_scale(absurd: float) -> None:
    sound = tone(300 * HOP)
    sound[9000] = absurd
    played, callback = play({}, mixture=sound)
    assert np.abs(played).max() <= 1.0
    assert callback.limited_samples > 0
    below = played[: 9000 + LATENCY]
    np.testing.assert_array_equal(below, play({}, mixture=tone(300 * HOP))[0][: len(below)])


def test_what_is_no_number_is_silence_and_counted() -> None:
    layout = lay_desk(STEMS, [[0]], [0, 1, 2], 3)[0]
    mixer = Mixer(layout, RATE)
    callback = _core.DeviceCallback(
        [0],
        1,
        np.zeros((3, 3), np.float32),
        3,
        HOP,
        LATENCY,
        HOP,
        8192,
        np.zeros((3, 1), np.float32),
        RAMP,
        10,
    )
    callback.set_mix(mixer.gains, mixer.delays, mixer.ceiling)
    out, hop = np.zeros((HOP, 3), np.float32), np.zeros((HOP, 1), np.float32)
    for k in range(8):
        callback.process(hop, out)
        assert np.isfinite(out).all()
        callback.read_hop(k, hop)
        callback.deliver(k, np.full((3, HOP, 1), np.nan if k == 3 else 0.1, np.float32))
    assert callback.nonfinite_samples == 3 * HOP


def test_a_stem_that_is_not_heard_may_rest() -> None:
    layout = lay_desk(STEMS, [[0]], [0, 1, 2], 3, "voice-1>1; voice-2>2")[0]
    mixer, names = Mixer(layout, RATE), [p.name for p in mixer_parameters(layout)]
    np.testing.assert_array_equal(mixer.heard, [True, True, False])
    values = mixer.defaults.copy()
    values[names.index("voice-1.mute")] = 1
    mixer.set(values)
    np.testing.assert_array_equal(mixer.heard, [False, True, False])
    values[names.index("bypass")] = 1
    mixer.set(values)
    assert not mixer.heard.any()


def test_what_has_not_moved_is_not_stale() -> None:
    """Any way to a desk gives what the desk gives at once: nothing depends on what was set before."""
    layout, _ = lay_desk(("voice-1", "voice-2", "residual"), [[0, 2], [1]], [0, 1, 2, 3], 4)
    described = mixer_parameters(layout)
    rng = np.random.default_rng(3)
    mixer, values = Mixer(layout, 48000), np.array([p.default for p in described])
    for _ in range(400):
        at = int(rng.integers(len(described)))
        p = described[at]
        values[at] = rng.integers(2) if p.unit == "on/off" else rng.uniform(p.minimum, p.maximum)
        mixer.howling = bool(rng.integers(2))
        mixer.set(values)
        fresh = Mixer(layout, 48000)
        fresh.howling = mixer.howling
        fresh.set(values)
        for name in ("gains", "delays", "input_gains", "heard"):
            np.testing.assert_array_equal(getattr(mixer, name), getattr(fresh, name), err_msg=p.name)
        assert (mixer.ceiling, mixer.guarding) == (fresh.ceiling, fresh.guarding)
