"""NMF: updates that keep zeros and lower the divergence, masks that share out the mixture."""

import numpy as np

from rtsep.training.baselines.nmf import BINS, _templates, factorise, nmf_separate
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE


def divergence(v: np.ndarray, model: np.ndarray) -> float:
    return float(np.sum(v * np.log(v / model) - v + model))


def test_every_update_lowers_the_divergence_and_keeps_zeros() -> None:
    rng = np.random.default_rng(1)
    v = rng.uniform(0.1, 1.0, (30, 20)).astype(np.float32)
    w = rng.uniform(0.1, 1.0, (30, 5)).astype(np.float32)
    h = rng.uniform(0.1, 1.0, (5, 20)).astype(np.float32)
    w[:7, 0] = 0
    h[2, 11:] = 0
    before = divergence(v, w @ h)
    for _ in range(10):
        factorise(v, w, h, iterations=1)
        after = divergence(v, w @ h)
        assert after < before
        before = after
    assert not w[:7, 0].any()
    assert not h[2, 11:].any()


def test_voices_sum_to_the_mixture_and_silence_belongs_to_nobody() -> None:
    t = np.arange(SAMPLERATE) / SAMPLERATE
    low, high = (0.1 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 12)) for f0 in (150.0, 401.0))
    mixture = (low + high).astype(np.float32)
    times_s = np.arange(0.0, 1.0, 0.016)
    f0 = Contours(times_s, np.tile([401.0, 150.0], (len(times_s), 1)))
    found = nmf_separate(mixture, f0)
    np.testing.assert_allclose(found.sum(axis=0), mixture, atol=1e-5)
    inner = slice(2048, -2048)
    for voice, stem in zip(found, (high, low), strict=True):
        error = np.sum((voice - stem)[inner] ** 2) / np.sum(stem[inner] ** 2)
        assert error < 0.02  # 17 dB
    quiet = nmf_separate(np.zeros_like(mixture), f0)
    assert np.isfinite(quiet).all()
    assert not quiet.any()


def test_a_voice_that_never_sings_gets_next_to_nothing() -> None:
    t = np.arange(SAMPLERATE) / SAMPLERATE
    mixture = (0.1 * np.sin(2 * np.pi * 220.0 * t)).astype(np.float32)
    f0 = Contours(np.arange(0.0, 1.0, 0.016), np.tile([220.0, 0.0], (63, 1)))
    found = nmf_separate(mixture, f0)
    # its share of what no template explains: the skirts of reflected edges, 27 dB down
    assert np.sum(found[1] ** 2) < 1e-2 * np.sum(found[0] ** 2)


def test_templates_reach_a_step_beyond_the_pitch_on_either_side() -> None:
    """Vibrato and the error of a given F0 stay inside what may sound: 20 cents and no more."""
    f0_hz = np.array([0.0, 220.0, 220.0])
    templates, active = _templates(f0_hz)
    assert templates.shape == (BINS, 3)
    np.testing.assert_array_equal(active, [[0, 1, 1]] * 3)
    # near the 20th partial the templates' maxima are 20 cents apart
    near = slice(277, 287)
    centre = (np.arange(BINS)[near] @ templates[near]) / templates[near].sum(axis=0)
    np.testing.assert_allclose(1200 * np.log2(centre / centre[1]), [-20, 0, 20], atol=6)


def test_a_given_pitch_that_is_a_little_off_still_separates() -> None:
    t = np.arange(SAMPLERATE) / SAMPLERATE
    low, high = (0.1 * sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 12)) for f0 in (150.0, 401.0))
    off = 2.0 ** (20.0 / 1200.0)
    times_s = np.arange(0.0, 1.0, 0.016)
    f0 = Contours(times_s, np.tile([401.0 * off, 150.0 * off], (len(times_s), 1)))
    found = nmf_separate((low + high).astype(np.float32), f0)
    inner = slice(2048, -2048)
    for voice, stem in zip(found, (high, low), strict=True):
        assert np.sum((voice - stem)[inner] ** 2) / np.sum(stem[inner] ** 2) < 0.02
