"""The howl detector: simulated loops are found in a stated time, music is not."""

import numpy as np
import pytest

from rtsep.rt.audio.howl import HowlDetector

RATE = 48_000
LIMIT_S = 6.0
RNG = np.random.default_rng(3)


def found_after_s(signal: np.ndarray, block: int = 256, samplerate: int = RATE) -> float | None:
    """Seconds until the detector speaks, None where it never does."""
    detector = HowlDetector(samplerate)
    for start in range(0, len(signal), block):
        if detector.feed(signal[start : start + block].astype(np.float32)):
            return (start + block) / samplerate
    return None


def loop(gain_db: float, delay_s: float, seconds: float, seed: int) -> np.ndarray:
    """What a microphone in a room of 0.4 s reverberation hears: noise, and itself `delay_s` ago through a
    loudspeaker that stops at full scale. `gain_db`: of the whole loop at its strongest frequency.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.4 * RATE)) / RATE
    spectrum = np.fft.rfft(rng.normal(0, 1, len(t)) * 10 ** (-3 * t / 0.4))
    f = np.fft.rfftfreq(len(t), 1 / RATE)
    room = np.fft.irfft(spectrum / (1 + (f / 3000) ** 2) * (f / (f + 100)), len(t))
    size = 2**17
    room *= 10 ** (gain_db / 20) / np.abs(np.fft.rfft(room, size)).max()
    heard, delay = rng.normal(0, 1e-4, round(seconds * RATE) + size), round(delay_s * RATE)
    response = np.fft.rfft(room, size)
    for start in range(0, round(seconds * RATE), delay):
        block = heard[start : start + delay] = np.clip(heard[start : start + delay], -1, 1)
        echo = np.fft.irfft(np.fft.rfft(block, size) * response)
        rest = heard[start + delay : start + delay + size]
        rest += echo[: len(rest)]
    return heard[: round(seconds * RATE)]


def tone(f0_hz: float, partials_db: list[float], seconds: float, vibrato_cents: float = 0.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    cents = vibrato_cents * np.sin(2 * np.pi * 5.5 * t)
    phase = 2 * np.pi * np.cumsum(f0_hz * 2 ** (cents / 1200)) / RATE
    return sum(10 ** (db / 20) * np.sin(k * phase) for k, db in enumerate(partials_db, 1)) + np.zeros(len(t))


VOICE = [0.0, -8.0, -12.0, -20.0, -26.0]
FLUE = [0.0, -18.0, -26.0, -40.0]  # a stopped organ pipe, nearly a sine


def test_loops_are_found() -> None:
    """In rooms of chance, from a quiet room on, within LIMIT_S: 14 of 16. In the others two frequencies have
    nearly the same gain, and neither stands clear of the other.
    """
    loops = [(1.0, 0.02), (2.0, 0.02), (2.0, 0.04), (4.0, 0.04)]
    after = [
        found_after_s(loop(*gain_and_delay, LIMIT_S, seed)) for seed in range(4) for gain_and_delay in loops
    ]
    assert sum(seconds is not None for seconds in after) >= 14


def test_a_loop_below_one_is_none() -> None:
    assert found_after_s(loop(-1.0, 0.02, 4.0, 0)) is None


@pytest.mark.parametrize("samplerate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("f_hz", [200.0, 1000.0, 4000.0])
@pytest.mark.parametrize("block", [1, 37, 5000])
def test_any_rate_and_cutting(samplerate: int, f_hz: float, block: int) -> None:
    t = np.arange(round(0.9 * samplerate)) / samplerate
    signal = 10 ** ((60 * t - 70) / 20) * np.sin(2 * np.pi * f_hz * t)
    assert found_after_s(signal, block, samplerate) is not None


@pytest.mark.parametrize("f0_hz", [110.0, 220.0, 440.0, 880.0])
@pytest.mark.parametrize(("partials_db", "vibrato_cents"), [(VOICE, 0.0), (VOICE, 40.0), (FLUE, 0.0)])
@pytest.mark.parametrize("db_per_s", [0.0, 6.0, 20.0, 60.0])
def test_held_notes_and_crescendi_are_none(
    f0_hz: float, partials_db: list[float], vibrato_cents: float, db_per_s: float
) -> None:
    """A crescendo in a straight line of dB, as steady as no player can: its partials tell."""
    note = tone(f0_hz, partials_db, 3.0, vibrato_cents)
    level_db = np.minimum(-6.0, -60.0 + db_per_s * np.arange(len(note)) / RATE) if db_per_s else -12.0
    signal = 10 ** (level_db / 20) * note + RNG.normal(0, 1e-4, len(note))
    assert found_after_s(signal) is None


@pytest.mark.parametrize("attack_s", [0.005, 0.05, 0.2, 0.5, 1.0])
def test_pure_notes_that_fade_in_are_none(attack_s: float) -> None:
    """A sine that swells in a line of amplitude, or in a raised cosine: no straight line of dB."""
    t = np.arange(3 * RATE) / RATE
    share = np.minimum(1.0, t / attack_s)
    for envelope in (share, 0.5 - 0.5 * np.cos(np.pi * share)):
        assert found_after_s(0.3 * envelope * np.sin(2 * np.pi * 880 * t)) is None


def test_a_fade_out_and_noise_are_none() -> None:
    t = np.arange(2 * RATE) / RATE
    assert found_after_s(10 ** (-30 * t / 20) * np.sin(2 * np.pi * 500 * t)) is None
    assert found_after_s(RNG.normal(0, 0.1, 2 * RATE) * 10 ** ((30 * t - 60) / 20)) is None
