"""F0 of stems and scores of tracked F0."""

from pathlib import Path

import numpy as np
import pytest

from rtsep.training.measures import stem_pitch as f0_truth
from rtsep.training.measures.pitch_scores import points, score_set, voice_score
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.measures.stem_pitch import F0_HOP_S, F0Truth, mixture_f0, mixture_truth, stem_f0


def sung(f0_hz: np.ndarray) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLERATE
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 12))).astype(np.float32)


def test_a_known_vibrato_is_found_within_ten_cents(tmp_path: Path) -> None:
    t = np.arange(2 * SAMPLERATE) / SAMPLERATE
    f0_hz = 220.0 * 2 ** (30 / 1200 * np.sin(2 * np.pi * 5.5 * t))
    found = stem_f0(sung(f0_hz), tmp_path)
    true = f0_hz[(np.arange(len(found)) * F0_HOP_S * SAMPLERATE).astype(int)]
    inner = slice(8, -8)
    assert (found[inner] > 0).all()
    assert np.median(1200 * np.abs(np.log2(found[inner] / true[inner]))) < 10


def test_silence_has_no_pitch(tmp_path: Path) -> None:
    assert not stem_f0(np.zeros(SAMPLERATE, np.float32), tmp_path).any()


def test_contours_are_detected_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = np.stack([sung(np.full(SAMPLERATE, f0)) for f0 in (220.0, 110.0)])
    found = mixture_f0(stems, tmp_path)
    times_s, first = found.times_s, found.f0_hz
    assert len(list(tmp_path.glob("*.csv"))) == 2
    monkeypatch.setattr(f0_truth, "swift_f0", lambda _: pytest.fail("detected again"))
    np.testing.assert_array_equal(mixture_f0(stems, tmp_path).f0_hz, first)
    assert first.shape == (len(times_s), 2)
    assert np.median(first, axis=0) == pytest.approx([220.0, 110.0], rel=0.01)


def test_scores_by_hand() -> None:
    true = np.array([[400.0, 200.0], [400.0, 200.0], [400.0, 0.0], [0.0, 200.0]])
    tracked = np.array(
        [
            [404.0, 202.0],  # both right: 17 cents, 4 and 2 Hz
            [200.0, 400.0],  # swapped
            [0.0, 200.0],  # first missed, second voiced where its stem is silent
            [0.0, 230.0],  # first rightly silent, second wrong by more than two semitones
        ]
    )
    upper, lower = (voice_score([voice]) for voice in points(true, tracked))
    assert (upper.voiced_points, upper.silent_points) == (3, 1)
    assert (upper.recall, lower.recall) == pytest.approx((1 / 3, 1 / 3))
    assert (upper.recall_any, lower.recall_any) == pytest.approx((2 / 3, 2 / 3))
    assert (upper.wrong_voice, lower.wrong_voice) == pytest.approx((1 / 3, 1 / 3))
    assert (upper.false_voicing, lower.false_voicing) == (0.0, 1.0)
    assert upper.median_error_hz == pytest.approx(np.median([4, 200]))
    assert lower.median_error_hz == pytest.approx(np.median([2, 200, 30]))
    assert lower.median_error_cents == pytest.approx(1200 * np.log2(230 / 200))
    # as a set of pitches the swap is right: 4 of 6 true ones found, 4 of 6 reported ones true
    found = score_set(true, tracked)
    assert found.recall == pytest.approx(4 / 6)
    assert found.precision == pytest.approx(4 / 6)
    assert found.accuracy == pytest.approx(4 / 8)


def test_points_of_several_mixtures_count_alike() -> None:
    long, short = (
        points(np.full((3, 1), 200.0), np.full((3, 1), 201.0)),
        points(np.full((1, 1), 200.0), np.zeros((1, 1))),
    )
    assert voice_score([long[0], short[0]]).recall == pytest.approx(3 / 4)


def test_nothing_tracked_is_a_score_without_warnings() -> None:
    score = voice_score(points(np.full((5, 1), 200.0), np.zeros((5, 1))))
    assert score.recall == 0.0
    assert score.median_error_hz is None
    assert score.false_voicing is None
    assert score_set(np.full((5, 1), 200.0), np.zeros((5, 1))).recall == 0.0


def test_disputed_points_are_not_scored() -> None:
    # both voiced, an octave apart, voiced by one only, silent to both
    truth = F0Truth(
        np.arange(4.0),
        np.array([[200.0], [200.0], [200.0], [0.0]]),
        np.array([[202.0], [400.0], [0.0], [0.0]]),
    )
    assert truth.voiced[:, 0].tolist() == [True, False, False, False]
    assert truth.silent[:, 0].tolist() == [False, False, False, True]
    tracked = np.array([[0.0], [200.0], [200.0], [300.0]])
    score = voice_score(points(truth.first_hz, tracked, truth.voiced, truth.silent))
    assert (score.voiced_points, score.silent_points) == (1, 1)
    assert (score.recall, score.false_voicing) == (0.0, 1.0)


def test_two_trackers_agree_on_a_steady_voice_that_rests(tmp_path: Path) -> None:
    voice = sung(np.full(2 * SAMPLERATE, 220.0))
    voice[SAMPLERATE:] = 0
    truth = mixture_truth([voice, voice[: 3 * SAMPLERATE // 2]], tmp_path)
    assert truth.first_hz.shape == truth.second_hz.shape == (len(truth.times_s), 2)
    assert truth.times_s[-1] < 1.6
    sings, rests = truth.between(0.2, 0.8), truth.between(1.2, 1.4)
    assert sings.voiced.all()
    assert rests.silent.all()
    assert np.median(sings.second_hz) == pytest.approx(220.0, rel=0.005)


def test_many_points_are_scored_as_a_set() -> None:
    """More points than mir_eval takes seconds: 81 quartets of a song are half a million."""
    true = np.tile([[440.0, 220.0]], (40000, 1))
    score = score_set(true, true[:, ::-1])
    assert score.precision == score.recall == score.accuracy == 1.0
