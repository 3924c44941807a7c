"""From a performance to sound: WORLD's synthesis of warped donor envelopes (Morise et al. 2016)."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtsep.training.choir.render.arrangement import Style
from rtsep.training.choir.render.performance import SILENT, Performance, Singer
from rtsep.training.choir.render.voicebank import COEFFICIENTS, FFT_SAMPLES, FRAME_S, SAMPLERATE, Voicebank

FRAME_SAMPLES = round(FRAME_S * SAMPLERATE)
JOINT_FRAMES = 4  # either side of a cut between syllables: 40 ms, as long as a tongue takes
BREATHY_DB = 18.0  # more aperiodic in every band, never above 0 dB
BREATHY_TILT_DB_PER_OCTAVE = -4.0
HUM_CORNER_HZ, HUM_DB_PER_OCTAVE, HUM_FLOOR_DB = 300.0, -14.0, -38.0  # closed lips
# WORLD draws its noise from one fixed sequence; singers start at different places of it, or their breaths
# would be correlated and sum to one loud one. Up to so many frames of silence go before.
NOISE_OFFSETS = 60
# Sung vowels come out at about this level before any gain.
VOWEL_DBFS = -20.0
# Power of a spectrum whose mean is 1 is that of full-scale RMS; this is -160 dBFS, and gated to zero besides.
SILENT_POWER = 1e-16

Audio = NDArray[np.float32]
Matrix = NDArray[np.float64]


@cache
def _decoder() -> Matrix:
    """[60, bins]: coded envelope -> log power; the decoding is linear, so basis vectors tell all of it."""
    import pyworld

    return np.asarray(np.log(pyworld.decode_spectral_envelope(np.eye(COEFFICIENTS), SAMPLERATE, FFT_SAMPLES)))


@cache
def _band_decoder(bands: int) -> tuple[Matrix, Matrix]:
    """[bands, bins] and [bins]: coded aperiodicity -> dB, straight from -60 dB at 0 Hz to 0 dB at Nyquist."""
    bins_hz = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLERATE / FFT_SAMPLES
    knots_hz = np.concatenate([3000.0 * np.arange(bands + 1), [SAMPLERATE / 2]])
    basis = np.eye(bands + 2)
    rows = np.stack([np.interp(bins_hz, knots_hz, row) for row in basis])
    return np.asarray(rows[1:-1]), np.asarray(-60.0 * rows[0])


def warped_decoder(warp: float) -> Matrix:
    """[60, bins]: as `_decoder`, all formants moved up by the factor `warp`."""
    bins = FFT_SAMPLES // 2
    at = np.minimum(np.arange(bins + 1) / warp, bins)
    low = np.minimum(at.astype(int), bins - 1)
    part = at - low
    plain = _decoder()
    return np.asarray((1.0 - part) * plain[:, low] + part * plain[:, low + 1])


def render_voice(performance: Performance, singer: Singer, bank: Voicebank, noise_offset: int) -> Audio:
    """One singer's dry sound.

    Args:
        noise_offset: 0 <= n < `NOISE_OFFSETS`, another one for each singer of a mixture.

    Shape:
        returns float32 [frames * 120] at 24 kHz; exactly zero further than 50 ms from any sounding frame.
    """
    import pyworld

    sounding = performance.source != SILENT
    frames = len(sounding)
    if not sounding.any():
        return np.zeros(frames * FRAME_SAMPLES, np.float32)
    source = np.maximum(performance.source, 0)
    coded = bank.envelope[source].astype(np.float64)
    level_db = performance.level_db.copy()
    _blend_joints(coded, level_db, performance.source)
    octaves = np.log2(np.maximum(np.arange(FFT_SAMPLES // 2 + 1) * SAMPLERATE / FFT_SAMPLES, 1.0) / 500.0)
    shape_db = singer.tilt_db_per_octave * np.maximum(octaves, 0.0)
    log_power = coded @ warped_decoder(singer.warp)
    to_nepers = np.log(10.0) / 10.0
    log_power += to_nepers * (shape_db + (level_db + VOWEL_DBFS)[:, None])
    _apply_styles(log_power, performance.style, octaves, to_nepers)
    spectrum = np.exp(log_power)
    spectrum[~sounding] = SILENT_POWER
    aperiodicity = _aperiodicity(performance, bank, source, sounding)
    pad = noise_offset
    audio = pyworld.synthesize(
        np.pad(np.where(sounding, performance.f0_hz, 0.0), (pad, 1)),
        np.pad(spectrum, ((pad, 1), (0, 0)), constant_values=SILENT_POWER),
        np.pad(aperiodicity, ((pad, 1), (0, 0)), constant_values=1.0),
        SAMPLERATE,
        frame_period=1000 * FRAME_S,
    )[pad * FRAME_SAMPLES :][: frames * FRAME_SAMPLES]
    return (audio * _gate(sounding)).astype(np.float32)


def _aperiodicity(
    performance: Performance, bank: Voicebank, source: NDArray[np.int64], sounding: NDArray[np.bool_]
) -> Matrix:
    bands_db = bank.aperiodicity_db[source].astype(np.float64)
    rows, offset = _band_decoder(bands_db.shape[1])
    # a vowel frame whose pitch the analysis missed is voiced all the same: take its neighbours' word
    missed = (performance.f0_hz > 0) & ~bank.voiced[source]
    bands_db[missed] = np.minimum(bands_db[missed], -12.0)
    breathy = performance.style == Style.BREATHY
    bands_db[breathy] = np.minimum(bands_db[breathy] + BREATHY_DB, -0.6)
    aperiodicity = 10.0 ** ((bands_db @ rows + offset) / 20.0)
    aperiodicity[(performance.f0_hz <= 0) | ~sounding] = 1.0
    return np.asarray(np.clip(aperiodicity, 1e-6, 1.0))


def _blend_joints(coded: Matrix, level_db: Matrix, source: NDArray[np.int64]) -> None:
    """Cuts between syllables become straight lines in the log spectrum, level included (in place)."""
    jump = np.abs(np.diff(source)) > 1
    cuts = np.flatnonzero(jump & (source[1:] != SILENT) & (source[:-1] != SILENT)) + 1
    for cut in map(int, cuts):
        a, b = max(0, cut - JOINT_FRAMES - 1), min(len(coded) - 1, cut + JOINT_FRAMES)
        share = np.linspace(0.0, 1.0, b - a + 1)
        coded[a : b + 1] = np.outer(1.0 - share, coded[a]) + np.outer(share, coded[b])
        level_db[a : b + 1] = (1.0 - share) * level_db[a] + share * level_db[b]


def _apply_styles(log_power: Matrix, style: NDArray[np.int8], octaves: Matrix, to_nepers: float) -> None:
    hum_octaves = octaves + np.log2(500.0 / HUM_CORNER_HZ)
    hum_db = np.maximum(HUM_DB_PER_OCTAVE * np.maximum(hum_octaves, 0.0), HUM_FLOOR_DB)
    log_power[style == Style.HUMMED] += to_nepers * hum_db
    breathy_db = BREATHY_TILT_DB_PER_OCTAVE * np.maximum(octaves, 0.0)
    log_power[style == Style.BREATHY] += to_nepers * breathy_db


def _gate(sounding: NDArray[np.bool_]) -> NDArray[np.float32]:
    """One while frames sound and 25 ms around, zero from 50 ms on: silence of a voice is exact."""
    near = np.convolve(sounding, np.ones(15), mode="same") > 0  # 7 frames either side
    ramp = np.convolve(near, np.ones(5) / 5.0, mode="same")
    gate = np.repeat(ramp, FRAME_SAMPLES)
    return np.convolve(gate, np.ones(FRAME_SAMPLES) / FRAME_SAMPLES, mode="same").astype(np.float32)
