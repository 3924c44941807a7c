"""A rendered voice: the pitch that was commanded, the level that was meant, silence that is silent."""

from pathlib import Path

import numpy as np
import pytest

from rtsep.training.choir.render.arrangement import Style, SungNote
from rtsep.training.choir.render.performance import Performance, Singer, perform
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voice_render import VOWEL_DBFS, render_voice, warped_decoder
from rtsep.training.choir.render.voicebank import FFT_SAMPLES, FRAME_S, SAMPLERATE, Voicebank, load_voicebank
from rtsep.training.measures.stem_pitch import F0_HOP_S, stem_f0

pyworld = pytest.importorskip("pyworld", reason="the choir renderer needs pyworld (extra `test`)")
soxr = pytest.importorskip("soxr", reason="resampling for the independent tracker")
SINGER = Singer(bank=0, warp=1.0, tilt_db_per_octave=0.0, vibrato_hz=5.5, vibrato_cents=40.0)
MELODY = tuple(SungNote(0.5 + k, 1.0, midi, last=k in (1, 3)) for k, midi in enumerate((57, 64, 60, 55)))


@pytest.fixture(scope="module")
def bank(bank_folders: tuple[Path, ...], bank_cache: Path) -> Voicebank:
    return load_voicebank(bank_folders[0], bank_cache)


@pytest.fixture(scope="module")
def performance(bank: Voicebank) -> Performance:
    return perform(MELODY, SINGER, bank, ChoirConfig(), round(6.0 / FRAME_S), np.random.default_rng(5))


def test_an_independent_tracker_hears_the_commanded_pitch(
    bank: Voicebank, performance: Performance, tmp_path: Path
) -> None:
    audio = soxr.resample(render_voice(performance, SINGER, bank, 7), SAMPLERATE, 16000, quality="VHQ")
    heard = stem_f0(audio.astype(np.float32), tmp_path)
    frame = np.round(np.arange(len(heard)) * F0_HOP_S / FRAME_S).astype(int)
    inside = frame < len(performance.f0_hz)
    truth = np.where(performance.voiced, performance.f0_hz, 0.0)[frame[inside]]
    both = (truth > 0) & (heard[inside] > 0)
    assert both.sum() > 0.9 * np.sum(truth > 0)
    error_cents = 1200.0 * np.log2(heard[inside][both] / truth[both])
    assert np.median(np.abs(error_cents)) < 5.0
    assert np.mean(np.abs(error_cents) < 50.0) > 0.98


def test_vowels_come_out_at_their_level(bank: Voicebank, performance: Performance) -> None:
    audio = render_voice(performance, SINGER, bank, 0)
    steady = audio[round(0.9 * SAMPLERATE) : round(1.3 * SAMPLERATE)]
    rms_db = 10.0 * np.log10(np.mean(steady.astype(np.float64) ** 2))
    assert rms_db == pytest.approx(VOWEL_DBFS, abs=6.0)  # phrasing is 2 dB, swells up to 3


def test_silence_is_exact(bank: Voicebank, performance: Performance) -> None:
    audio = render_voice(performance, SINGER, bank, 20)
    assert audio.dtype == np.float32
    assert len(audio) == 6 * SAMPLERATE
    assert not audio[: round(0.2 * SAMPLERATE)].any()
    assert not audio[round(4.6 * SAMPLERATE) :].any()
    nothing = perform((), SINGER, bank, ChoirConfig(), 200, np.random.default_rng(0))
    assert not render_voice(nothing, SINGER, bank, 3).any()


def test_breaths_of_two_singers_are_not_correlated(bank: Voicebank) -> None:
    frames = 400
    hiss = Performance(
        f0_hz=np.zeros(frames),
        level_db=np.zeros(frames),
        source=np.full(frames, bank.syllables[0].vowel + 5),
        style=np.zeros(frames, np.int8),
        heard=np.zeros(frames),
    )
    first, again, other = (render_voice(hiss, SINGER, bank, n) for n in (0, 0, 1))
    assert np.array_equal(first, again)
    correlation = np.dot(first, other) / np.sqrt(np.dot(first, first) * np.dot(other, other))
    assert abs(correlation) < 0.1


def test_decoding_without_warp_is_worlds_own(bank: Voicebank) -> None:
    coded = bank.envelope[:50].astype(np.float64)
    expected = np.log(pyworld.decode_spectral_envelope(coded, SAMPLERATE, FFT_SAMPLES))
    assert np.allclose(coded @ warped_decoder(1.0), expected, atol=1e-9)


def test_warping_moves_formants_by_its_factor(bank: Voicebank) -> None:
    # the vowel ee has a lonely second formant at 2300 Hz
    syllable = next(s for s in bank.syllables if s.alias == "i")
    coded = bank.envelope[(syllable.vowel + syllable.stop) // 2].astype(np.float64)
    hz = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLERATE / FFT_SAMPLES
    region = (hz > 1500) & (hz < 3200)
    plain, warped = (hz[region][np.argmax((coded @ warped_decoder(w))[region])] for w in (1.0, 1.12))
    assert warped / plain == pytest.approx(1.12, abs=0.03)


@pytest.mark.parametrize(("style", "direction"), [(Style.HUMMED, -20.0), (Style.BREATHY, -3.0)])
def test_hummed_and_breathy_sounds_lose_treble(
    bank: Voicebank, performance: Performance, style: Style, direction: float
) -> None:
    def treble_db(performance: Performance) -> float:
        spectrum = np.abs(np.fft.rfft(render_voice(performance, SINGER, bank, 0))) ** 2
        hz = np.fft.rfftfreq(6 * SAMPLERATE, 1.0 / SAMPLERATE)
        return float(10.0 * np.log10(spectrum[hz > 1500].sum() / spectrum[hz <= 1500].sum()))

    styled = Performance(
        performance.f0_hz,
        performance.level_db,
        performance.source,
        np.full_like(performance.style, style),
        performance.heard,
    )
    assert treble_db(styled) < treble_db(performance) + direction
