"""From the outputs of a network to assigned pitches; the network here has given outputs."""

import numpy as np
import pytest

from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import REPORT_LOG_ODDS
from rtsep.models.choir.pitch_grid import BANDS, CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ
from rtsep.models.mask_model import State
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

CLEAR = 5.0  # log odds


class FakeNetwork:
    """Stands where `OnnxStep` stands: hop by hop it says the next of `sayings`, then the last for ever."""

    def __init__(self, sayings: list[dict[float, float]], unison: float | None = None) -> None:
        self.inputs = {"bands": np.zeros((1, BANDS), np.float32), "preset": np.zeros((1, 4), np.float32)}
        self.outputs = {
            name: np.zeros((1, CANDIDATES), np.float32) for name in ("salience", "offset", "unison")
        }
        self._sayings, self._unison = sayings, unison
        self.hop = 0

    def run(self) -> None:
        said = self._sayings[min(self.hop, len(self._sayings) - 1)]
        grid = np.arange(CANDIDATES)
        self.outputs["salience"][...] = -8.0
        self.outputs["offset"][...] = 0.0
        self.outputs["unison"][...] = -8.0
        for f0_hz, log_odds in said.items():
            place = 1200 / CANDIDATE_CENTS * np.log2(f0_hz / LOWEST_CANDIDATE_HZ)
            g = round(place)
            self.outputs["salience"][0, g] = log_odds
            self.outputs["offset"][0, g] = place - grid[g]
        if self._unison is not None:
            g = round(1200 / CANDIDATE_CENTS * np.log2(self._unison / LOWEST_CANDIDATE_HZ))
            self.outputs["unison"][0, g] = CLEAR
        self.hop += 1

    def reset(self) -> None:
        self.hop = 0

    def state_dict(self) -> State:
        return {"hop": np.array(self.hop, np.float32)}

    def load_state_dict(self, state: State) -> None:
        self.hop = int(state["hop"])


def follow(
    network: FakeNetwork, voices: int, hops: int, latency_ms: int = 11
) -> tuple[np.ndarray, np.ndarray]:
    """F0 and certainty [hops, voices] of a fresh tracker."""
    tracker = NetworkTracker(network, voices, Preset(16000, latency_ms).framing)  # type: ignore[arg-type]
    return run(tracker, voices, hops)


def run(tracker: NetworkTracker, voices: int, hops: int) -> tuple[np.ndarray, np.ndarray]:
    f0_hz, confident = np.zeros((hops, voices), np.float32), np.zeros((hops, voices), np.bool_)
    amplitude = np.zeros(Preset(16000, 11).framing.bins, np.float32)
    for hop in range(hops):
        tracker.step(amplitude, f0_hz[hop], confident[hop])
    return f0_hz, confident


CHORD = {587.3: CLEAR, 440.0: CLEAR, 293.7: CLEAR, 146.8: CLEAR}


def test_a_chord_is_told_in_pitch_order_to_a_tenth_of_a_cent() -> None:
    f0_hz, confident = follow(FakeNetwork([CHORD]), 4, 5)
    np.testing.assert_allclose(1200 * np.log2(f0_hz[-1] / sorted(CHORD, reverse=True)), 0, atol=0.1)
    assert confident[-1].all()


def test_what_a_smaller_choir_cannot_sing_is_dropped() -> None:
    f0_hz, _ = follow(FakeNetwork([{**CHORD, 220.0: -1.0}]), 4, 5)
    assert not np.isclose(f0_hz[-1], 220.0, rtol=0.01).any()


def test_a_voice_that_rests_leaves_its_place_empty() -> None:
    resting = {f: v for f, v in CHORD.items() if f != 440.0}
    f0_hz, confident = follow(FakeNetwork([CHORD] * 20 + [resting] * 20), 4, 40)
    np.testing.assert_allclose(f0_hz[-1], [587.3, 0, 293.7, 146.8], rtol=1e-3)
    assert confident[-1].tolist() == [True, False, True, True]


def test_a_doubtful_pitch_steers_but_is_not_confident() -> None:
    f0_hz, confident = follow(FakeNetwork([{440.0: REPORT_LOG_ODDS - 0.5}]), 1, 5)
    assert f0_hz[-1, 0] == pytest.approx(440.0, rel=1e-3)
    assert not confident[-1, 0]
    f0_hz, confident = follow(FakeNetwork([{440.0: REPORT_LOG_ODDS + 0.5}]), 1, 5)
    assert confident[-1, 0]


def test_silence_has_no_pitch() -> None:
    f0_hz, confident = follow(FakeNetwork([{}]), 4, 5)
    assert not f0_hz.any()
    assert not confident.any()


def test_a_unison_is_sung_by_two() -> None:
    """The upper two of three voices meet; the lowest stays."""
    meeting = [{523.3: CLEAR, 440.0: CLEAR, 220.0: CLEAR}] * 10 + [{440.0: CLEAR, 220.0: CLEAR}] * 10
    f0_hz, confident = follow(FakeNetwork(meeting, unison=440.0), 3, 20)
    np.testing.assert_allclose(f0_hz[-1], [440.0, 440.0, 220.0], rtol=1e-3)
    assert confident[-1].all()


def test_who_falls_silent_beside_a_neighbour_joins_for_two_seconds_and_is_not_confident() -> None:
    """The upper of three ends a whole tone over the middle one; the network does not report a unison."""
    hops_a_second = round(16000 / Preset(16000, 11).framing.hop)
    network = FakeNetwork([{493.9: CLEAR, 440.0: CLEAR, 220.0: CLEAR}] * 20 + [{440.0: CLEAR, 220.0: CLEAR}])
    f0_hz, confident = follow(network, 3, 40 + 2 * hops_a_second)
    for hop in (40, 10 + 2 * hops_a_second):
        np.testing.assert_allclose(f0_hz[hop], [440.0, 440.0, 220.0], rtol=1e-3)
        assert confident[hop].tolist() == [False, True, True]
    np.testing.assert_allclose(f0_hz[-1], [0.0, 440.0, 220.0], rtol=1e-3)


def test_who_falls_silent_far_from_all_rests() -> None:
    network = FakeNetwork([{523.3: CLEAR, 440.0: CLEAR, 220.0: CLEAR}] * 20 + [{440.0: CLEAR, 220.0: CLEAR}])
    f0_hz, _ = follow(network, 3, 40)
    np.testing.assert_allclose(f0_hz[-1], [0.0, 440.0, 220.0], rtol=1e-3)


def test_a_step_to_another_note_is_followed_at_once() -> None:
    f0_hz, _ = follow(FakeNetwork([{440.0: CLEAR}] * 10 + [{523.3: CLEAR}] * 3), 1, 13)
    np.testing.assert_allclose(f0_hz[9:11, 0], [440.0, 523.3], rtol=1e-3)


def test_at_5_ms_the_network_looks_at_every_other_hop() -> None:
    network = FakeNetwork([CHORD])
    follow(network, 4, 21, latency_ms=5)
    assert network.hop == 10


@pytest.mark.parametrize("place", range(4))
def test_the_network_knows_its_preset(place: int) -> None:
    network = FakeNetwork([{}])
    follow(network, 1, 1, tuple(OVERLAP_AT_48K)[place])
    assert network.inputs["preset"].tolist() == [[float(i == place) for i in range(4)]]


def test_a_state_is_continued_exactly() -> None:
    sayings = [{f * 2 ** (hop / 120): v for f, v in CHORD.items()} for hop in range(40)]
    framing = Preset(16000, 5).framing
    whole, _ = follow(FakeNetwork(sayings), 4, 60, latency_ms=5)
    first = NetworkTracker(FakeNetwork(sayings), 4, framing)  # type: ignore[arg-type]
    run(first, 4, 31)  # between two looks
    second = NetworkTracker(FakeNetwork(sayings), 4, framing)  # type: ignore[arg-type]
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(run(second, 4, 29)[0], whole[31:])


def test_other_readings_are_held_between_two_looks_and_forgotten_at_a_reset() -> None:
    """Two pitches of which one is sung: at 5 ms the network looks at every other hop."""
    framing = Preset(16000, 5).framing
    tracker = NetworkTracker(FakeNetwork([{440.0: 1.0, 330.0: 0.9}]), 1, framing)  # type: ignore[arg-type]
    run(tracker, 1, 6)
    share, f0_hz = tracker.others.share.copy(), tracker.others.f0_hz.copy()
    np.testing.assert_allclose(f0_hz[0], [330.0], rtol=1e-3)
    assert 0.5 < share[0] < 0.9
    run(tracker, 1, 1)
    np.testing.assert_array_equal(tracker.others.share, share)
    np.testing.assert_array_equal(tracker.others.f0_hz, f0_hz)
    tracker.reset()
    assert tracker.others.count == 0
    run(tracker, 1, 1)  # no look yet
    assert tracker.others.count == 0


def test_a_damaged_state_is_refused_and_changes_nothing() -> None:
    tracker = NetworkTracker(FakeNetwork([CHORD]), 4, Preset(16000, 11).framing)  # type: ignore[arg-type]
    run(tracker, 4, 3)
    before = tracker.state_dict()
    damaged = tracker.state_dict()
    damaged["sung"] = np.full_like(before["sung"], 9999)
    with pytest.raises(ValueError, match="outside"):
        tracker.load_state_dict(damaged)
    for name, value in tracker.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
