"""Masks from given pitches: what is kept of a voice and what of the others gets through."""

import numpy as np
import pytest
from helpers.sung import note, sing, spectra, true_f0, vibrato
from numpy.typing import NDArray

from rtsep.models.choir.comb_masks import AdaptiveCombMasks, FixedCombMasks
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

F64 = NDArray[np.float64]
SETTLED = 10
Model = type[AdaptiveCombMasks] | type[FixedCombMasks]
EVERY_PRESET = pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
BOTH = pytest.mark.parametrize("model", [AdaptiveCombMasks, FixedCombMasks])
# Chord, the least of a voice that its own mask keeps, the most of it that another voice's mask passes, in dB.
# A fifth shares every third partial of the lower voice with every second of the other; found -2.2 and -6.9.
PARTING = [
    ((72, 64), -0.5, -18.0),
    ((57, 50), -1.2, -10.5),
    ((72, 69, 64, 55), -1.2, -14.0),
    ((67, 60), -2.6, -6.4),
]


def sung_chord(chord: tuple[int, ...], samplerate: int, seconds: float = 0.5) -> tuple[list[F64], list[F64]]:
    contours = [vibrato(m, seconds, samplerate, 5.0 + 0.3 * i) for i, m in enumerate(chord)]
    return contours, [sing(f0, samplerate, seed=i) for i, f0 in enumerate(contours)]


def gains_db(model: Model, chord: tuple[int, ...], preset: Preset) -> F64:
    """[mask, voice]: energy of each voice behind each mask, masks made from the mixture and true F0."""
    contours, voices = sung_chord(chord, preset.samplerate)
    frames = [spectra(voice, preset) for voice in voices]
    f0_hz = np.stack([true_f0(f0, preset) for f0 in contours], axis=1).astype(np.float32)
    comb, mixture = model(len(chord), preset.framing), sum(frames)
    masks, level_db = (
        np.zeros((len(chord), preset.framing.bins), np.float32),
        np.zeros(len(chord), np.float32),
    )
    behind, all_of_it = np.zeros((len(chord), len(chord))), np.zeros(len(chord))
    for hop, spectrum in enumerate(np.asarray(mixture)):
        comb.step((np.abs(spectrum) ** 2).astype(np.float32), f0_hz[hop], masks, level_db)
        assert ((masks >= 0) & (masks <= 1)).all()
        assert (masks.sum(axis=0, dtype=np.float64) <= 1 + 1e-6).all()
        if hop >= SETTLED:
            power = np.stack([np.abs(f[hop].astype(np.complex128)) ** 2 for f in frames])
            behind += (masks.astype(float) ** 2) @ power.T
            all_of_it += power.sum(axis=1)
    return np.asarray(10 * np.log10(behind / all_of_it))


@BOTH
@EVERY_PRESET
@pytest.mark.parametrize(("chord", "kept_db", "passed_db"), PARTING)
def test_a_voice_is_kept_and_the_others_are_not(
    chord: tuple[int, ...], kept_db: float, passed_db: float, model: Model, latency_ms: int
) -> None:
    gains = gains_db(model, chord, Preset(48000, latency_ms))
    assert gains.diagonal().min() > kept_db
    assert gains[~np.eye(len(chord), dtype=bool)].max() < passed_db


@pytest.mark.parametrize("samplerate", [8000, 16000, 44100, 96000])
def test_parting_does_not_depend_on_the_rate(samplerate: int) -> None:
    gains = gains_db(AdaptiveCombMasks, (72, 64), Preset(samplerate, 11))
    assert gains.diagonal().min() > -0.5
    assert gains[~np.eye(2, dtype=bool)].max() < -18


@BOTH
def test_a_lone_voice_is_kept_whole(model: Model) -> None:
    assert gains_db(model, (57,), Preset(48000, 11))[0, 0] > -0.3


@BOTH
def test_nobody_singing_leaves_everything_to_the_residual(model: Model) -> None:
    preset = Preset(48000, 11)
    comb = model(3, preset.framing)
    masks, level_db = np.ones((3, preset.framing.bins), np.float32), np.zeros(3, np.float32)
    power = np.random.default_rng(0).random(preset.framing.bins, np.float32)
    comb.step(power, np.zeros(3, np.float32), masks, level_db)
    assert not masks.any()


def levels_of(voices: list[F64], contours: list[F64], preset: Preset) -> F64:
    """Level of every voice in the first and second half, once settled: [2, voices] in dB."""
    frames = np.asarray(sum(spectra(voice, preset) for voice in voices))
    f0_hz = np.stack([true_f0(f0, preset) for f0 in contours], axis=1).astype(np.float32)
    comb, count = AdaptiveCombMasks(len(voices), preset.framing), len(frames)
    masks = np.zeros((len(voices), preset.framing.bins), np.float32)
    levels = np.zeros((count, len(voices)), np.float32)
    for level_db, spectrum, pitches in zip(levels, frames, f0_hz, strict=True):
        comb.step((np.abs(spectrum) ** 2).astype(np.float32), pitches, masks, level_db)
    first, second = levels[count // 5 : 2 * count // 5], levels[4 * count // 5 :]
    return np.stack((np.median(first, axis=0), np.median(second, axis=0)))


def full_scale_sine_db(voice: F64) -> float:
    return float(10 * np.log10(2 * np.mean(voice**2)))


@EVERY_PRESET
@pytest.mark.parametrize("midi", [45, 57, 69, 81])
def test_level_is_that_of_the_voice_and_follows_a_change_of_20_db(midi: int, latency_ms: int) -> None:
    contours, voices = sung_chord((midi,), 48000, seconds=1.0)
    true_db = full_scale_sine_db(voices[0][:24000])
    voices[0][24000:] *= 0.1
    levels = levels_of(voices, contours, Preset(48000, latency_ms))[:, 0]
    assert levels[0] == pytest.approx(true_db, abs=1.0)
    assert levels[1] - levels[0] == pytest.approx(-20, abs=0.5)


@EVERY_PRESET
def test_a_voice_may_drop_by_20_db_beside_another(latency_ms: int) -> None:
    """What the louder voice leaves at its partials is then read as its own: up to 2.1 dB too much at 5 ms."""
    contours, voices = sung_chord((72, 64), 48000, seconds=1.0)
    true_db = [full_scale_sine_db(voice[:24000]) for voice in voices]
    voices[1][24000:] *= 0.1
    before, after = levels_of(voices, contours, Preset(48000, latency_ms))
    np.testing.assert_allclose(before, true_db, atol=1.5)
    assert after[0] - before[0] == pytest.approx(0, abs=0.3)
    assert -20.5 < after[1] - before[1] < -17.5


def test_reset_forgets_and_state_resumes() -> None:
    preset = Preset(48000, 11)
    _, voices = sung_chord((72, 64), 48000)
    frames = np.abs(np.asarray(sum(spectra(v, preset) for v in voices))) ** 2
    f0_hz = np.array([note(72), note(64)], np.float32)
    comb, twin = (AdaptiveCombMasks(2, preset.framing) for _ in range(2))

    def run(which: AdaptiveCombMasks, some: NDArray[np.floating]) -> NDArray[np.float32]:
        masks, level_db = np.zeros((2, preset.framing.bins), np.float32), np.zeros(2, np.float32)
        for power in some.astype(np.float32):
            which.step(power, f0_hz, masks, level_db)
        return masks

    whole = run(comb, frames)
    comb.reset()
    half = run(comb, frames[:20])
    assert not np.array_equal(half, whole)
    twin.load_state_dict(comb.state_dict())
    np.testing.assert_array_equal(run(twin, frames[20:]), whole)


@EVERY_PRESET
def test_masks_do_not_jump_where_a_lobe_ends(latency_ms: int) -> None:
    """A partial's lobe takes in another bin as its pitch crosses a bin by a float's last digit."""
    framing = Preset(48000, latency_ms).framing
    power = np.random.default_rng(0).exponential(1e-6, framing.bins).astype(np.float32)
    level_db = np.zeros(2, np.float32)
    found = []
    crossed_hz = np.float32(20.0 * framing.bin_hz)
    for f0_hz in (np.nextafter(crossed_hz, np.float32(0)), np.nextafter(crossed_hz, np.float32(np.inf))):
        comb, masks = AdaptiveCombMasks(2, framing), np.zeros((2, framing.bins), np.float32)
        pitches = np.array([f0_hz, 31.4 * framing.bin_hz], np.float32)
        for _ in range(SETTLED):
            comb.step(power, pitches, masks, level_db)
        found.append(masks)
    np.testing.assert_allclose(found[0], found[1], atol=5e-3)
