"""What a singer makes of notes: in tune, in time, with the vibrato that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from rtsep.training.choir.render.arrangement import SungNote
from rtsep.training.choir.render.performance import SILENT, Performance, Singer, _Pitch, perform
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voicebank import FRAME_S, Voicebank, load_voicebank

CONFIG = ChoirConfig()
STRAIGHT = Singer(bank=0, warp=1.0, tilt_db_per_octave=0.0, vibrato_hz=5.5, vibrato_cents=0.0)
SCALE = tuple(
    SungNote(0.5 + 0.8 * k, 0.8, midi, last=midi == 67) for k, midi in enumerate((60, 62, 64, 65, 67))
)


@pytest.fixture(scope="module")
def bank(bank_folders: tuple[Path, ...], bank_cache: Path) -> Voicebank:
    return load_voicebank(bank_folders[0], bank_cache)


def sing(
    bank: Voicebank,
    notes: tuple[SungNote, ...],
    singer: Singer = STRAIGHT,
    seconds: float = 6.0,
    seed: int = 0,
) -> Performance:
    return perform(notes, singer, bank, CONFIG, round(seconds / FRAME_S), np.random.default_rng(seed))


def cents(f0_hz: np.ndarray, midi: float) -> np.ndarray:
    return 1200.0 * np.log2(f0_hz / 440.0) - 100.0 * (midi - 69.0)


def test_notes_are_in_tune_and_in_time(bank: Voicebank) -> None:
    errors = []
    for seed in range(20):
        performance = sing(bank, SCALE, seed=seed)
        for note in SCALE:
            # between glides and breath
            middle = slice(round((note.onset_s + 0.25) / FRAME_S), round((note.end_s - 0.35) / FRAME_S))
            assert performance.voiced[middle].all()
            errors.append(np.mean(cents(performance.f0_hz[middle], note.midi)))
        sounding = np.flatnonzero(performance.source != SILENT) * FRAME_S
        consonant_s = 0.08
        assert SCALE[0].onset_s - consonant_s - 0.06 < sounding[0] < SCALE[0].onset_s + 0.06
        assert SCALE[-1].end_s - CONFIG.breath_s[1] - 0.06 < sounding[-1] < SCALE[-1].end_s
    spread = np.hypot(CONFIG.intonation_cents, CONFIG.drift_cents)
    assert np.std(errors) == pytest.approx(spread, rel=0.35)
    assert abs(np.mean(errors)) < 3 * spread / np.sqrt(len(errors))


def test_glides_have_no_steps(bank: Voicebank) -> None:
    f0_hz = sing(bank, SCALE).f0_hz
    voiced = (f0_hz[1:] > 0) & (f0_hz[:-1] > 0)
    steps = np.abs(1200.0 * np.log2(np.maximum(f0_hz[1:], 1.0) / np.maximum(f0_hz[:-1], 1.0)))[voiced]
    # a whole tone over 70 ms as a raised cosine moves at most 22 cents a frame; jitter adds to it
    assert steps.max() < 35.0


@pytest.mark.parametrize(("rate_hz", "extent_cents"), [(5.0, 30.0), (6.2, 90.0)])
def test_vibrato_of_the_rate_and_extent_asked_for(
    bank: Voicebank, rate_hz: float, extent_cents: float
) -> None:
    singer = Singer(0, 1.0, 0.0, rate_hz, extent_cents)
    f0_hz = sing(bank, (SungNote(0.2, 5.5, 64.0, last=True),), singer).f0_hz
    steady = cents(f0_hz[round(1.4 / FRAME_S) : round(4.4 / FRAME_S)], 64.0)
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), 8 * len(steady)))
    hz = np.fft.rfftfreq(8 * len(steady), FRAME_S)
    high = hz > 2.0
    assert hz[high][np.argmax(spectrum[high])] == pytest.approx(rate_hz, abs=0.5)
    amplitude = np.std(steady) * np.sqrt(2.0)
    assert 0.65 * extent_cents < amplitude < 1.3 * extent_cents + 8.0
    # it grows: the note begins straight
    start = cents(f0_hz[round(0.25 / FRAME_S) : round(0.35 / FRAME_S)], 64.0)
    assert np.ptp(start) < 0.7 * extent_cents + 8.0


def test_consonants_have_no_pitch_and_vowels_go_on(bank: Voicebank) -> None:
    apart = sing(bank, SCALE)
    together = sing(
        bank, tuple(SungNote(n.onset_s, n.duration_s, n.midi, same_vowel=k > 0) for k, n in enumerate(SCALE))
    )
    inside = slice(round(0.7 / FRAME_S), round(4.0 / FRAME_S))
    assert together.voiced[inside].all()
    assert not apart.voiced[inside].all()
    # a walked vowel moves one frame at a time, there and back
    assert np.abs(np.diff(together.source[inside])).max() <= 1
    vowel = np.unique(together.source[inside])
    assert any(s.vowel <= vowel[0] and vowel[-1] < s.stop for s in bank.syllables)


def test_rests_are_silent(bank: Voicebank) -> None:
    notes = (SungNote(0.5, 1.0, 60.0, last=True), SungNote(3.0, 1.0, 60.0, last=True))
    performance = sing(bank, notes)
    rest = slice(round(1.55 / FRAME_S), round(2.8 / FRAME_S))
    assert (performance.source[rest] == SILENT).all()
    assert not performance.voiced[rest].any()


def test_same_numbers_same_performance(bank: Voicebank) -> None:
    one, same, other = (sing(bank, SCALE, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.f0_hz, same.f0_hz)
    assert not np.array_equal(one.f0_hz, other.f0_hz)


def test_a_quarter_of_the_notes_after_a_rest_are_reached_from_below() -> None:
    """Scoops: 30 to 150 cents low at first, gone after a quarter of a second; slurred notes have none."""
    still = ChoirConfig(intonation_cents=0.0, drift_cents=0.0, jitter_cents=0.0)
    note = SungNote(0.0, 1.0, 60.0, last=True)

    def start_and_end(seed: int, after_rest: bool) -> tuple[float, float]:
        pitch = _Pitch(STRAIGHT, still, 200, np.random.default_rng(seed))
        pitch.add(note, 0, 200, after_rest)
        curve = cents(pitch.curve_hz(), 60.0)
        return float(curve[0]), float(curve[60])

    fresh = np.array([start_and_end(seed, True) for seed in range(200)])
    scooped = fresh[:, 0] < -1.0
    assert np.mean(scooped) == pytest.approx(0.25, abs=0.1)
    assert -150.0 <= fresh[scooped, 0].min() < -120.0
    assert -60.0 < fresh[scooped, 0].max() <= -30.0
    assert np.abs(fresh[:, 1]).max() < 5.0
    slurred = np.array([start_and_end(seed, False) for seed in range(50)])
    assert np.abs(slurred).max() < 1e-6
