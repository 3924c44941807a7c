"""LSF -> LPC, envelope on bins, frame-wise all-pole filter: against SciPy, the algebra and the references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from rtsep.kernels import _core
from rtsep.kernels.reference import lpc as reference

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def random_lsf(rng: np.random.Generator, rows: int, order: int, least: float = 0.02) -> F32:
    """Ordered in 0..pi, at least `least` rad apart (a formant of 20 Hz at 16 kHz is about 0.01)."""
    gaps = rng.random((rows, order + 1)) + 0.05
    gaps = least + gaps / gaps.sum(axis=1, keepdims=True) * (np.pi - (order + 1) * least)
    return np.cumsum(gaps, axis=1)[:, :order].astype(np.float32)


def lpc_of(lsf: F32) -> F64:
    lpc = np.empty((lsf.shape[0], lsf.shape[1] + 1))
    _core.lsf_to_lpc(lsf, lpc)
    return lpc


def lsf_of(lpc: F64) -> F64:
    """The textbook way back: angles of the roots of A(z) +- z^-(P+1) A(1/z)."""
    a = np.append(lpc, 0.0)
    roots = [np.roots(a + sign * a[::-1]) for sign in (1.0, -1.0)]
    angles = np.sort(np.concatenate([np.angle(r) for r in roots]))
    return np.asarray(angles[(angles > 1e-6) & (angles < np.pi - 1e-6)])


even_orders = st.integers(1, 12).map(lambda pairs: 2 * pairs)
seeds = st.integers(0, 2**32 - 1)


@given(order=even_orders, rows=st.integers(1, 5), seed=seeds)
def test_lsf_to_lpc_matches_reference(order: int, rows: int, seed: int) -> None:
    lsf = random_lsf(np.random.default_rng(seed), rows, order)
    expected = np.empty((rows, order + 1))
    reference.lsf_to_lpc(lsf, expected)
    np.testing.assert_allclose(lpc_of(lsf), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@given(seed=seeds)
def test_any_ordered_lsf_give_a_stable_filter(seed: int) -> None:
    for a in lpc_of(random_lsf(np.random.default_rng(seed), 4, 20)):
        assert np.abs(np.roots(a)).max() < 1.0


@given(seed=seeds)
def test_lsf_of_a_known_filter_give_it_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Ten formants with bandwidths of a voice, one in every tenth of the band.
    angle = (np.arange(10) + rng.uniform(0.2, 0.8, 10)) * np.pi / 10
    poles = rng.uniform(0.7, 0.97, 10) * np.exp(1j * angle)
    known = np.real(np.poly(np.concatenate((poles, poles.conj()))))
    lsf = lsf_of(known)
    assert lsf.size == 20
    recovered = lpc_of(lsf[None].astype(np.float32))[0]
    np.testing.assert_allclose(recovered, known, atol=2e-5 * np.abs(known).max())


@given(order=even_orders, bins=st.integers(2, 300), rows=st.integers(1, 4), seed=seeds)
def test_envelope_matches_reference(order: int, bins: int, rows: int, seed: int) -> None:
    lsf = random_lsf(np.random.default_rng(seed), rows, order)
    out = np.full((rows, bins), np.nan, np.float32)
    expected = out.copy()
    _core.AllPoleEnvelope(order, bins).apply(lsf, out)
    reference.AllPoleEnvelope(order, bins).apply(lsf, expected)
    np.testing.assert_allclose(out, expected, rtol=1e-4)


@given(seed=seeds)
def test_envelope_is_scipys_frequency_response(seed: int) -> None:
    lsf = random_lsf(np.random.default_rng(seed), 1, 20)
    out = np.empty((1, 1025), np.float32)
    _core.AllPoleEnvelope(20, 1025).apply(lsf, out)
    _, response = signal.freqz(1.0, lpc_of(lsf)[0], worN=1025, include_nyquist=True)
    assert np.abs(20 * np.log10(out[0] / np.abs(response))).max() < 0.01


def test_envelope_of_meeting_lines_is_bounded() -> None:
    lsf = np.repeat(np.linspace(0.2, 2.9, 10), 2)[None].astype(np.float32)
    out = np.empty((1, 4097), np.float32)
    _core.AllPoleEnvelope(20, 4097).apply(lsf, out)
    assert np.isfinite(out).all()
    assert out.max() <= 1.0001e6


@given(voices=st.integers(1, 3), samples=st.integers(1, 700), hop=st.sampled_from([16, 50, 64]), seed=seeds)
def test_filter_matches_reference(voices: int, samples: int, hop: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = -(-samples // hop)
    excitation = rng.standard_normal((voices, samples)).astype(np.float32)
    excitation[rng.random(excitation.shape) < 0.01] = np.nan
    lsf = random_lsf(rng, voices * frames, 20).reshape(voices, frames, 20)
    out = np.full((voices, samples), np.nan, np.float32)
    expected = out.copy()
    _core.AllPoleFilter(20, hop).apply(excitation, lsf, out)
    reference.AllPoleFilter(20, hop).apply(excitation, lsf, expected)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_filter_is_scipys_lfilter_frame_by_frame() -> None:
    rng = np.random.default_rng(5)
    hop, frames = 256, 7
    excitation = rng.standard_normal((1, hop * frames)).astype(np.float32)
    lsf = random_lsf(rng, frames, 20)[None]
    out = np.empty_like(excitation)
    _core.AllPoleFilter(20, hop).apply(excitation, lsf, out)
    padded = np.append(excitation[0], np.zeros(hop))
    expected = np.zeros(padded.size)
    for f, a in enumerate(lpc_of(lsf[0])):
        window = signal.get_window("hann", 2 * hop)
        if f == 0:
            window[:hop] = 1.0
        part = slice(f * hop, (f + 2) * hop)
        expected[part] += window * signal.lfilter([1.0], a, padded[part])
    np.testing.assert_allclose(out[0], expected[:-hop], rtol=0, atol=1e-6 * np.abs(expected).max())


def test_flat_filter_passes_the_excitation() -> None:
    excitation = np.random.default_rng(6).standard_normal((2, 1000)).astype(np.float32)
    flat = np.tile(np.arange(1, 21) * np.pi / 21, (2, 4, 1)).astype(np.float32)
    out = np.empty_like(excitation)
    _core.AllPoleFilter(20, 256).apply(excitation, flat, out)
    np.testing.assert_allclose(out, excitation, atol=1e-5)


def test_broken_lsf_give_the_flat_filter() -> None:
    lsf = random_lsf(np.random.default_rng(7), 2, 20)
    lsf[0, 3] = np.nan
    np.testing.assert_array_equal(lpc_of(lsf)[0], np.eye(1, 21)[0])
    out = np.empty((2, 129), np.float32)
    _core.AllPoleEnvelope(20, 129).apply(lsf, out)
    np.testing.assert_array_equal(out[0], 1.0)
    assert np.isfinite(out[1]).all()


def test_wrong_shapes_are_refused_with_both_sizes() -> None:
    lsf = random_lsf(np.random.default_rng(8), 2, 20)
    with pytest.raises(ValueError, match=r"lpc has shape \[2, 20\], expected \[2, 21\]"):
        _core.lsf_to_lpc(lsf, np.empty((2, 20)))
    with pytest.raises(ValueError, match="order is 3, expected an even number from 2 to 64"):
        _core.lsf_to_lpc(np.ones((1, 3), np.float32), np.empty((1, 4)))
    with pytest.raises(ValueError, match=r"lsf has shape \[2, 20\], expected \[2, 18\]"):
        _core.AllPoleEnvelope(18, 129).apply(lsf, np.empty((2, 129), np.float32))
    with pytest.raises(ValueError, match=r"lsf has shape \[1, 2, 20\], expected \[1, 3, 20\]"):
        _core.AllPoleFilter(20, 10).apply(
            np.zeros((1, 21), np.float32), lsf[None], np.empty((1, 21), np.float32)
        )
