"""The delay of a loop, to a hundredth of a sample, and loops that have none."""

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.round_trip import measure, sweep

RATE = 48000


def delayed(signal: np.ndarray, delay_samples: float, gain: float = 0.5, tail: int = RATE) -> np.ndarray:
    """A band-limited signal later by any number of samples, as long as the recording of it."""
    padded = np.concatenate([signal, np.zeros(tail, np.float32)])
    spectrum = np.fft.rfft(padded, 2 * len(padded))
    shift = np.exp(-2j * np.pi * np.arange(len(spectrum)) * delay_samples / (2 * len(padded)))
    return (gain * np.fft.irfft(spectrum * shift)[: len(padded)]).astype(np.float32)


@pytest.mark.parametrize("samplerate", [8000, 44100, 48000, 96000])
@pytest.mark.parametrize("delay_samples", [0.0, 17.0, 384.25, 1000.5, 2047.87])
def test_a_delay_is_found_finer_than_a_sample(samplerate: int, delay_samples: float) -> None:
    sent = sweep(samplerate)
    found = measure(sent, delayed(sent, delay_samples, tail=samplerate), samplerate)
    assert found.delay_samples == pytest.approx(delay_samples, abs=0.02)
    assert found.gain_db == pytest.approx(-6.02, abs=0.05)
    assert not found.inverted


def test_noise_a_dull_loudspeaker_and_a_turned_sign_do_not_matter() -> None:
    sent = sweep(RATE)
    heard = -delayed(sent, 700.4)
    heard = np.convolve(heard, np.hanning(5) / np.hanning(5).sum(), "same").astype(np.float32)
    heard += 10 ** (-40 / 20) * np.random.default_rng(0).standard_normal(len(heard)).astype(np.float32)
    found = measure(sent, heard, RATE)
    assert found.delay_samples == pytest.approx(700.4, abs=0.1)
    assert found.inverted


def test_what_is_no_loop_is_refused() -> None:
    sent = sweep(RATE)
    once = delayed(sent, 300.0)
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(once)).astype(np.float32)
    holes = once.copy()
    holes[np.random.default_rng(1).random(len(once)) < 0.5] = 0.0
    for heard, why in (
        (np.zeros_like(once), "peaks at"),
        (noise, "no clear echo"),
        (np.clip(8.0 * once, -1.0, 1.0), "clipped"),
        (once + 0.8 * delayed(sent, 1300.0), "twice, 20.8 ms apart"),
        (np.full_like(once, np.nan), "NaN"),
    ):
        with pytest.raises(RtsepError, match=why) as refused:
            measure(sent, heard, RATE)
        assert refused.value.remedy
