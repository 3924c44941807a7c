"""What else the voices may sing: shares and pitches of hypotheses, and the masks that are the mean of all."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.comb_masks import AdaptiveCombMasks, CombMasks, FixedCombMasks
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.parts.part_order import PartOrder
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.peak_reading import LEAST_SHARE, OTHERS, SCORE_PER_E, OtherReadings, PeakReading
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.rt.hop.presets import Preset

F32 = NDArray[np.float32]
BEAM, PEAKS, SILENT = (getattr(_core.PitchAssignment, name) for name in ("SIZE", "PEAKS", "SILENT"))
HOP_S = 0.02
PLACE = np.array([100, 80, 60, 0, 0, 0, 0, 0], np.float32)
ODDS = np.array([3, 2, 1, 0, 0, 0, 0, 0], np.float32)
NO_UNISON = np.full(CANDIDATES, -8.0, np.float32)


def hypotheses(*rows: tuple[int, int]) -> NDArray[np.int32]:
    found = np.full((BEAM, 2), SILENT, np.int32)
    found[: len(rows)] = rows
    return found


def scores(*values: float) -> F32:
    return np.array([*values, *[-np.inf] * (BEAM - len(values))], np.float32)


def read(others: OtherReadings, reading: PeakReading, rows: NDArray[np.int32], score: F32) -> None:
    others.read(reading, PLACE, ODDS, rows, score, NO_UNISON, None)


def test_a_hypothesis_counts_by_its_score() -> None:
    others = OtherReadings(2)
    read(
        others,
        PeakReading(2, HOP_S),
        hypotheses((0, 1), (0, 2), (1, 2), (0, SILENT)),
        scores(0, -1, -2, -2.5),
    )
    expected = np.exp(np.array([0.0, -1.0, -2.0]) / SCORE_PER_E)
    np.testing.assert_allclose(others.share, expected / expected.sum(), rtol=1e-6)
    assert others.count == OTHERS == 2
    np.testing.assert_allclose(1200 * np.log2(others.f0_hz[1, 0] / others.f0_hz[1, 1]), 40 * 20, atol=1e-2)
    assert others.f0_hz[0, 0] > others.f0_hz[1, 0]


@pytest.mark.parametrize(
    "score", [scores(0.0), scores(0.0, -9.0 * SCORE_PER_E), np.full(BEAM, np.nan, np.float32)]
)
def test_what_is_sure_has_no_others(score: F32) -> None:
    others = OtherReadings(2)
    read(others, PeakReading(2, HOP_S), hypotheses((0, 1), (0, 2)), scores(0, -1))
    read(others, PeakReading(2, HOP_S), hypotheses((0, 1), (0, 2)), score)
    assert others.count == 0
    np.testing.assert_array_equal(others.share, [1, *[0] * OTHERS])
    assert not others.f0_hz.any()


def test_too_small_a_share_is_not_heard() -> None:
    at = SCORE_PER_E * np.log(LEAST_SHARE / (1 - LEAST_SHARE))
    for by, count in ((0.02, 1), (-0.02, 0)):
        others = OtherReadings(2)
        read(others, PeakReading(2, HOP_S), hypotheses((0, 1), (0, 2)), scores(0, at + by))
        assert others.count == count


def test_another_hypothesis_is_read_as_the_best_one_is_and_leaves_no_memory() -> None:
    """A voice that falls silent beside its neighbour joins it, in any hypothesis."""
    near = np.array([100, 96, 0, 0, 0, 0, 0, 0], np.float32)
    reading, twin, others = PeakReading(2, HOP_S), PeakReading(2, HOP_S), OtherReadings(2)
    for each in (reading, twin):
        each.read(near, ODDS, np.array([0, 1], np.int32), NO_UNISON)
    before = [array.copy() for array in (reading.own_hz, reading.silent_s, reading.f0_hz, reading.confident)]
    others.read(reading, near, ODDS, hypotheses((0, 1), (0, SILENT)), scores(0, -0.5), NO_UNISON, None)
    twin.read(near, ODDS, np.array([0, SILENT], np.int32), NO_UNISON)
    np.testing.assert_array_equal(others.f0_hz[0], twin.f0_hz)
    assert others.f0_hz[0, 1] == others.f0_hz[0, 0] > 0
    after = (reading.own_hz, reading.silent_s, reading.f0_hz, reading.confident)
    for kept, array in zip(before, after, strict=True):
        np.testing.assert_array_equal(kept, array)


@pytest.mark.parametrize("kind", [AdaptiveCombMasks, FixedCombMasks])
def test_a_supposition_is_a_step_that_nothing_is_learnt_from(kind: type[AdaptiveCombMasks]) -> None:
    framing = Preset(16000, 43).framing
    rng = np.random.default_rng(5)
    one, twin = kind(2, framing), kind(2, framing)
    masks, supposed, level_db = (np.zeros((2, framing.bins), np.float32) for _ in range(3))
    for hop in range(12):
        power = rng.exponential(1e-4, framing.bins).astype(np.float32)
        f0_hz = np.array([300.0, 200.0], np.float32) * np.float32(1.01**hop)
        twin.load_state_dict(one.state_dict())
        other_hz = f0_hz[::-1].copy()
        one.suppose(power, other_hz, supposed)
        for name, array in one.state_dict().items():
            np.testing.assert_array_equal(array, twin.state_dict()[name])
        twin.step(power, other_hz, masks, level_db[:, 0].copy())
        np.testing.assert_array_equal(supposed, masks)
        one.step(power, f0_hz, masks, level_db[:, 0].copy())
        assert not np.array_equal(supposed, masks)


class Told:
    """Stands where a `CombMasks` stands: mask v is the pitch of voice v, in kHz."""

    def suppose(self, power: F32, f0_hz: F32, masks: F32) -> None:
        masks[...] = f0_hz[:, None] / 1000.0

    def step(self, power: F32, f0_hz: F32, masks: F32, level_db: F32) -> None:
        self.suppose(power, f0_hz, masks)

    def reset(self) -> None:
        pass


def test_masks_are_the_mean_by_share() -> None:
    framing = Preset(16000, 43).framing
    tracker = NetworkTracker.__new__(NetworkTracker)  # all that is asked of it is given here
    tracker.guide, tracker.others = None, OtherReadings(2)
    comb: CombMasks = Told()  # type: ignore[assignment]
    model = ChoirModel(2, framing, comb, tracker)
    masks = np.zeros((2, framing.bins), np.float32)
    model._f0_hz[...] = 400.0, 200.0
    model._mask(masks)
    np.testing.assert_allclose(masks[:, 3], [0.4, 0.2], rtol=1e-6)
    tracker.others.share[...] = 0.5, 0.3, 0.2
    tracker.others.f0_hz[...] = (500.0, 0.0), (600.0, 100.0)
    model._mask(masks)
    np.testing.assert_allclose(masks[:, 3], [0.2 + 0.15 + 0.12, 0.1 + 0.02], rtol=1e-6)


def test_parts_that_have_crossed_are_crossed_in_every_hypothesis() -> None:
    framing = Preset(16000, 43).framing
    tracker = NetworkTracker.__new__(NetworkTracker)
    tracker.guide, tracker.others = None, OtherReadings(2)
    order = PartOrder(Parts.parse("S,A", {}), framing)
    order._playing[...] = 1
    comb: CombMasks = Told()  # type: ignore[assignment]
    model = ChoirModel(2, framing, comb, tracker, order=order)
    tracker.others.share[...] = 0.5, 0.5, 0.0
    tracker.others.f0_hz[0] = 600.0, 100.0
    masks = np.zeros((2, framing.bins), np.float32)
    model._f0_hz[...] = 200.0, 400.0
    model._mask(masks)
    np.testing.assert_allclose(masks[:, 3], [0.15, 0.5], rtol=1e-6)
