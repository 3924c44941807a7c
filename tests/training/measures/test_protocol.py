"""Excerpts, frames and the energy rule, on signals whose counts are known beforehand."""

import itertools

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import (
    EXCERPT_SAMPLES,
    FRAME_SAMPLES,
    SAMPLERATE,
    excerpts,
    score,
    summarise,
)


def tone(f_hz: float, samples: int, amplitude: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * f_hz * np.arange(samples) / SAMPLERATE)).astype(np.float32)


@pytest.mark.parametrize(("seconds", "count"), [(8.0, 1), (11.99, 1), (12.0, 2), (103.9, 24)])
def test_excerpts_do_not_overlap_and_the_first_is_skipped(seconds: float, count: int) -> None:
    spans = excerpts(int(seconds * SAMPLERATE))
    assert len(spans) == count
    assert spans[0].start == EXCERPT_SAMPLES
    assert all(span.stop - span.start == EXCERPT_SAMPLES for span in spans)
    assert all(a.stop == b.start for a, b in itertools.pairwise(spans))


def test_one_excerpt_is_too_short() -> None:
    with pytest.raises(RtsepError, match=r"7\.9 s.*at least 8 s; give longer stems"):
        excerpts(int(7.9 * SAMPLERATE))


def test_energy_rule_counts_on_the_peak_normalised_mixture() -> None:
    # Alone in the mixture, a sine normalised to a peak of one holds 16000 / 2 per second. Beside a loud
    # voice, a quiet one of amplitude a holds 8000 a^2 (1 + a)^-2, which crosses 10 at a = 0.0366.
    samples = 3 * EXCERPT_SAMPLES
    for amplitude, frames in ((0.034, 0), (0.040, 8)):
        stems = np.stack([tone(200.0, samples, 0.3), tone(333.0, samples, 0.3 * amplitude)])
        kept = score(stems, stems[::-1]).kept
        assert kept.shape == (2, 8)
        assert kept[0].sum() == 8
        assert kept[1].sum() == frames


def test_level_of_the_recording_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    stems = rng.standard_normal((2, 2 * EXCERPT_SAMPLES)).astype(np.float32)
    estimates = (stems + rng.standard_normal(stems.shape)).astype(np.float32)
    loud, quiet = score(stems, estimates), score(stems / 1024, estimates / 1024)
    np.testing.assert_array_equal(loud.kept, quiet.kept)
    np.testing.assert_allclose(loud.si_sdr_db, quiet.si_sdr_db, atol=1e-9)


def test_a_silent_second_is_dropped_and_frames_are_seconds() -> None:
    rng = np.random.default_rng(2)
    samples = 2 * EXCERPT_SAMPLES
    stems = rng.standard_normal((2, samples)).astype(np.float32)
    stems[1, EXCERPT_SAMPLES + 2 * FRAME_SAMPLES :][:FRAME_SAMPLES] = 0
    noise = rng.standard_normal(stems.shape).astype(np.float32)
    noise[:, EXCERPT_SAMPLES + FRAME_SAMPLES :] *= 0.1  # from the second frame on, 20 dB less
    scores = score(stems, stems + noise)
    assert scores.kept.tolist() == [[True] * 4, [True, True, False, True]]
    np.testing.assert_allclose(scores.si_sdr_db[0], [0, 20, 20, 20], atol=0.3)
    alto = summarise(scores, 1)
    assert alto.frames == 3
    assert alto.mean_db == pytest.approx(40 / 3, abs=0.3)
    assert alto.median_db == pytest.approx(20, abs=0.3)


def test_silent_estimates_are_skipped_but_counted() -> None:
    stems = np.ones((1, 2 * EXCERPT_SAMPLES), np.float32)
    estimates = stems + 0.1 * np.random.default_rng(3).standard_normal(stems.shape).astype(np.float32)
    estimates[:, -FRAME_SAMPLES:] = 0
    summary = summarise(score(stems, estimates))
    assert (summary.frames, summary.nan_frames) == (4, 1)
    assert summary.mean_db == pytest.approx(20, abs=0.3)
    nothing = summarise(score(stems, np.zeros_like(stems)))
    assert (nothing.mean_db, nothing.median_db, nothing.nan_frames) == (None, None, 4)


def test_pooling_keeps_every_frame() -> None:
    rng = np.random.default_rng(4)
    scores = []
    for excerpt_count in (2, 3):
        stems = rng.standard_normal((2, excerpt_count * EXCERPT_SAMPLES)).astype(np.float32)
        scores.append(score(stems, stems + rng.standard_normal(stems.shape).astype(np.float32)))
    pooled = protocol.pool(scores)
    assert summarise(pooled).frames == 2 * (4 + 8)
    both = np.concatenate([s.si_sdr_db[0] for s in scores])
    assert summarise(pooled, 0).median_db == pytest.approx(np.median(both))
