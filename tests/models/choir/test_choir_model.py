"""Choir model: from a spectrum of any number of channels to masks and a report."""

import numpy as np
import pytest
from helpers.model_folder import CHOIRS
from helpers.sung import cents, noise, note, sing, spectra, vibrato
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.kernels.windows import analysis_window
from rtsep.models.build import build_model
from rtsep.models.choir.comb_masks import AdaptiveCombMasks
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import MERGED_CENTS, ChoirModel, mark_merged
from rtsep.models.choir.peak_tracker import MultiF0Tracker
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

C64 = NDArray[np.complex64]
F32 = NDArray[np.float32]
CHORD = (72, 69, 64, 55)


def merged(*f0_hz: float) -> list[bool]:
    flags = np.ones(len(f0_hz), np.bool_)
    mark_merged(np.array(f0_hz, np.float32), flags)
    return flags.tolist()


def channels_of(sounds: list[NDArray[np.float64]], preset: Preset) -> C64:
    """[hops, channels, bins] in the unit of the pipeline."""
    scale = analysis_window(preset.window_samples, preset.half_overlap).sum() / 2
    return np.stack([spectra(s, preset) * scale for s in sounds], axis=1).astype(np.complex64)


def run(model: ChoirModel, frames: C64) -> tuple[F32, F32]:
    """Masks and F0 of every hop."""
    masks, f0_hz = [], []
    out = np.full((len(model.stems), frames.shape[2]), np.nan, np.float32)
    for spectrum in frames:
        model.step(np.ascontiguousarray(spectrum), out)
        masks.append(out.copy())
        f0_hz.append(model.report.f0_hz.copy())
    return np.stack(masks), np.stack(f0_hz)


def tracked(voices: int, preset: Preset) -> ChoirModel:
    return ChoirModel(
        voices,
        preset.framing,
        AdaptiveCombMasks(voices, preset.framing),
        MultiF0Tracker(voices, preset.framing),
    )


def given(f0_hz: list[float], preset: Preset) -> ChoirModel:
    """Pitches that stay."""
    times = np.arange(0, 3, 0.01)
    contour = F0Track(times, np.tile(np.array(f0_hz), (times.size, 1)))
    return ChoirModel(len(f0_hz), preset.framing, AdaptiveCombMasks(len(f0_hz), preset.framing), contour)


def chord_sound(samplerate: int = 48000, seconds: float = 0.4) -> NDArray[np.float64]:
    voices = [
        sing(vibrato(m, seconds, samplerate, 5 + 0.3 * i), samplerate, seed=i) for i, m in enumerate(CHORD)
    ]
    return np.asarray(sum(voices)) / 2


@pytest.mark.parametrize("octaves", [-2, -1, 0, 1, 2, 3])
@pytest.mark.parametrize("off_cents", [-34, -10, 0, 10, 34])
def test_unisons_and_octaves_are_merged(octaves: int, off_cents: float) -> None:
    other = 262.0 * 2.0 ** (octaves + off_cents / 1200)
    assert merged(262.0, 311.1, other) == [True, False, True]


@pytest.mark.parametrize("interval_cents", [36, 100, 386, 498, 702, 1000, 1164, 1236, 1902])
def test_other_intervals_are_not_merged(interval_cents: float) -> None:
    assert MERGED_CENTS < 36
    assert merged(262.0, 262.0 * 2.0 ** (interval_cents / 1200)) == [False, False]


def test_who_is_silent_is_merged_with_nobody() -> None:
    assert merged(0.0, 0.0, 220.0, 0.0) == [False] * 4
    assert merged(440.0, 0.0, 220.0) == [True, False, True]
    assert merged(330.0) == [False]


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
@pytest.mark.parametrize("notes", [(67, 67), (67, 55), (74, 50)])
def test_given_unisons_and_octaves_are_reported_and_shared_within_bounds(
    notes: tuple[int, int], latency_ms: int
) -> None:
    preset = Preset(48000, latency_ms)
    sound = sum(sing(np.full(14400, note(m)), 48000, seed=i) for i, m in enumerate(notes))
    model = given([note(m) for m in notes], preset)
    masks, _ = run(model, channels_of([np.asarray(sound) / 2], preset))
    assert model.report.merged.all()
    assert (masks.sum(axis=1, dtype=np.float64) <= 1 + 1e-6).all()
    if notes[0] == notes[1]:  # nothing tells the two apart: each gets half
        np.testing.assert_allclose(masks[:, 0], masks[:, 1], atol=1e-5)


def test_a_tracked_octave_is_merged() -> None:
    """Reported where both are found; an octave that hides in the lower voice is reported as one voice."""
    preset = Preset(48000, 11)
    low, high = (sing(vibrato(m, 0.5, 48000, r), 48000, seed=m) for m, r in ((50, 5.0), (62, 6.1)))
    model = tracked(2, preset)
    _, f0_hz = run(model, channels_of([low + 2 * high + noise(low.size)], preset))
    both = (f0_hz > 0).all(axis=1)[10:]
    assert both.mean() > 0.9
    assert model.report.merged.tolist() == [True, True]


@pytest.mark.parametrize("gains", [(1.0, 1.0), (1.0, -1.0), (1.0, 0.0), (0.3, -0.9)])
def test_channels_cannot_cancel(gains: tuple[float, float]) -> None:
    """Mono, opposite polarity, one side only: the same pitches and the same masks."""
    preset = Preset(48000, 11)
    sound = chord_sound() + noise(19200)
    mono, f0_hz = run(tracked(4, preset), channels_of([sound], preset))
    rms = np.sqrt(np.mean(np.square(gains)))
    stereo, f0_stereo = run(tracked(4, preset), channels_of([g / rms * sound for g in gains], preset))
    assert cents(f0_stereo[5:], f0_hz[5:]).max() < 0.1
    np.testing.assert_allclose(stereo, mono, atol=1e-3)


def test_two_singers_on_two_sides_are_both_found() -> None:
    preset = Preset(48000, 11)
    left, right = (sing(np.full(19200, note(m)), 48000, seed=m) + noise(19200) for m in (69, 64))
    _, f0_hz = run(tracked(2, preset), channels_of([left, right], preset))
    assert cents(f0_hz[10:], np.array([note(69), note(64)])).max() < 10


@pytest.mark.parametrize("name", CHOIRS)
def test_given_pitches_are_read_between_the_synthesis_window_and_the_spectrum(name: str) -> None:
    preset = Preset(48000, 21)
    times = np.arange(0, 1, 0.001)
    model = build_model(name, voices=1, framing=preset.framing, f0=F0Track(times, 200 + 100 * times[:, None]))
    masks = np.zeros((1, preset.framing.bins), np.float32)
    for hop in range(1, 40):
        model.step(np.zeros((1, preset.framing.bins), np.complex64), masks)
        if hop < 8:  # before the contour begins
            continue
        pitch = model.report.f0_hz[0]
        end_s, window_s = hop * preset.hop / 48000, preset.window_samples / 48000
        assert 200 + 100 * (end_s - window_s / 2) < pitch < 200 + 100 * (end_s - preset.half_overlap / 48000)
        assert pitch == pytest.approx(200 + 100 * (end_s - preset.framing.pitch_delay_s), abs=0.01)


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
@pytest.mark.parametrize("name", CHOIRS)
def test_stems_are_numbered_from_the_highest(name: str, voices: int) -> None:
    model = build_model(name, voices=voices, framing=Preset(48000, 11).framing, f0=None)
    assert model.stems == tuple(f"voice-{i}" for i in range(1, voices + 1))
    assert model.report.f0_hz.shape == model.report.level_db.shape == model.report.merged.shape == (voices,)


@pytest.mark.parametrize("voices", [-1, 0, 5])
def test_numbers_of_voices_outside_are_refused(voices: int) -> None:
    with pytest.raises(RtsepError, match=rf"{voices} voices is outside 1\.\.4; ask for --voices 1 to 4"):
        build_model("choir", voices=voices, framing=Preset(48000, 11).framing, f0=None)


def test_reset_is_a_fresh_model_and_state_resumes() -> None:
    preset = Preset(48000, 11)
    frames = channels_of([chord_sound(), 0.5 * chord_sound()], preset)
    model, twin = tracked(4, preset), tracked(4, preset)
    masks, f0_hz = run(model, frames)
    model.reset()
    assert not model.report.f0_hz.any()
    np.testing.assert_array_equal(run(model, frames[:20])[0], masks[:20])
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(twin.report.f0_hz, f0_hz[19])
    again, f0_again = run(twin, frames[20:])
    np.testing.assert_array_equal(again, masks[20:])
    np.testing.assert_array_equal(f0_again, f0_hz[20:])
