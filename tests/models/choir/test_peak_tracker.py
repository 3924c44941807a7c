"""Multi-F0 tracker on voices whose pitch is known."""

import numpy as np
import pytest
from helpers.sung import cents, note, sing, track, true_f0, vibrato

from rtsep.models.choir.peak_tracker import HIGHEST_F0_HZ, LOWEST_F0_HZ, MultiF0Tracker, candidate_grid
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

EVERY_PRESET = pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
SETTLED = 8  # hops after the first full window
# No voice sings an octave or twelfth of another (no mask could part them), nor, of four, a fifth above a
# neighbour: at 21 and 43 ms that is read as partials 2 and 3 of the octave below (D5 over G4 as G3).
CHORDS = {
    2: [(72, 64), (67, 60), (57, 50), (79, 76)],
    3: [(72, 67, 64), (67, 64, 57), (62, 58, 53)],
    4: [(72, 69, 64, 55), (65, 62, 58, 48)],
}


def test_grid_reaches_from_below_c2_to_above_c6_in_steps_of_20_cents() -> None:
    grid = candidate_grid()
    np.testing.assert_allclose(1200 * np.diff(np.log2(grid.astype(float))), 20.0, atol=1e-3)
    assert grid[0] < LOWEST_F0_HZ * 2 ** (-50 / 1200)
    assert grid[-1] > HIGHEST_F0_HZ * 2 ** (50 / 1200)


@EVERY_PRESET
@pytest.mark.parametrize("samplerate", [8000, 16000, 44100, 48000, 96000])
def test_a_single_voice_is_within_5_cents_from_c2_to_c6(samplerate: int, latency_ms: int) -> None:
    preset = Preset(samplerate, latency_ms)
    for midi in (36, 41.3, 47.6, 53, 59.5, 65, 71.7, 77.1, 84):
        f0 = np.full(round(0.25 * samplerate), note(midi))
        error = cents(track(sing(f0, samplerate), preset, 1)[SETTLED // 2 :, 0], note(midi))
        assert np.median(error) < 5.0, midi
        assert error.max() < 50.0, midi


@EVERY_PRESET
@pytest.mark.parametrize("midi", [38, 50, 62, 74, 84])
def test_vibrato_is_followed_within_10_cents(midi: int, latency_ms: int) -> None:
    preset = Preset(48000, latency_ms)
    f0 = vibrato(midi, 0.6, 48000, depth_cents=40.0)
    error = cents(track(sing(f0, 48000), preset, 1)[:, 0], true_f0(f0, preset))[SETTLED:]
    assert np.median(error) < 10.0
    assert error.max() < 60.0


@EVERY_PRESET
@pytest.mark.parametrize("voices", CHORDS)
def test_chords_are_found_in_pitch_order(voices: int, latency_ms: int) -> None:
    preset = Preset(48000, latency_ms)
    for chord in CHORDS[voices]:
        contours = [vibrato(m, 0.6, 48000, 5.0 + 0.3 * i) for i, m in enumerate(chord)]
        mixture = sum(sing(f0, 48000, 0.2 + 0.02 * i, seed=i) for i, f0 in enumerate(contours))
        found = track(np.asarray(mixture), preset, voices)[SETTLED:]
        truth = np.stack([true_f0(f0, preset) for f0 in contours], axis=1)[SETTLED:]
        error = cents(found, truth)
        assert (error < 50).mean(axis=0).min() >= 0.9, (chord, (error < 50).mean(axis=0))
        assert np.median(error) < 5.0, chord
        both = (found[:, 1:] > 0) & (found[:, :-1] > 0)
        assert (found[:, :-1] > found[:, 1:])[both].all()


@pytest.mark.parametrize("samplerate", [16000, 44100, 48000, 96000])
def test_all_rates_find_the_same_pitches(samplerate: int) -> None:
    preset = Preset(samplerate, 21)
    chord = (72, 69, 64, 55)
    contours = [np.full(round(0.4 * samplerate), note(m)) for m in chord]
    mixture = sum(sing(f0, samplerate, seed=i) for i, f0 in enumerate(contours))
    found = np.median(track(np.asarray(mixture), preset, 4)[SETTLED:], axis=0)
    assert cents(found, np.array([note(m) for m in chord])).max() < 3.0


@EVERY_PRESET
@pytest.mark.parametrize(("start", "end"), [(45, 69), (76, 52), (40, 52)])
def test_a_glissando_is_followed_without_octave_jumps(start: int, end: int, latency_ms: int) -> None:
    """Up to two octaves in 1.5 s; the window sees 20 to 50 cents of glide at once."""
    preset = Preset(48000, latency_ms)
    ramp = np.clip((np.arange(2 * 48000) / 48000 - 0.25) / 1.5, 0, 1)
    f0 = 440.0 * 2.0 ** ((start + (end - start) * ramp - 69) / 12)
    found = track(sing(f0, 48000), preset, 1)[SETTLED:, 0]
    error = cents(found, true_f0(f0, preset)[SETTLED:])
    assert error.max() < 100.0
    assert np.median(error) < 12.0


@EVERY_PRESET
def test_a_rest_is_unvoiced_soon_and_the_voice_comes_back(latency_ms: int) -> None:
    preset = Preset(48000, latency_ms)
    f0 = np.full(48000, note(62))
    f0[16000:32000] = 0
    found = track(sing(f0, 48000), preset, 1)[:, 0]
    n, hop = preset.window_samples, preset.hop
    end, again = (16000 - n) // hop, (32000 - n) // hop
    assert (found[SETTLED:end] > 0).all()
    gone = end + -(-n // hop) + 3  # the window still holds the note; then three hops
    assert not found[gone:again].any()
    assert (cents(found[again + -(-n // hop) + 3 :], note(62)) < 5).all()


@pytest.mark.parametrize("voices", [1, 2, 4])
@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-3])
def test_silence_and_quiet_noise_are_unvoiced(voices: int, level: float) -> None:
    """-60 dBFS of white noise is -83 dBFS in a bin: under the gate."""
    preset = Preset(48000, 11)
    tracker, rng = MultiF0Tracker(voices, preset.framing), np.random.default_rng(0)
    f0_hz = np.ones(voices, np.float32)
    for _ in range(100):
        bins = rng.standard_normal((2, preset.framing.bins)) * level * np.sqrt(1 / preset.window_samples)
        tracker.step(np.hypot(*bins).astype(np.float32), f0_hz, np.zeros(f0_hz.size, np.bool_))
        assert not f0_hz.any()


def test_one_voice_too_many_does_not_disturb_the_others() -> None:
    """Two voices asked for, one sings: it is found."""
    preset = Preset(48000, 11)
    f0 = vibrato(60, 0.6, 48000)
    found = track(sing(f0, 48000), preset, 2)[SETTLED:]
    truth = true_f0(f0, preset)[SETTLED:, None]
    assert (cents(found, truth).min(axis=1) < 50).mean() > 0.98


@EVERY_PRESET
def test_level_does_not_matter_above_the_gate(latency_ms: int) -> None:
    preset = Preset(48000, latency_ms)
    f0 = np.full(14400, note(57))
    for level in (0.9, 0.09, 0.009):
        assert cents(track(sing(f0, 48000, level), preset, 1)[SETTLED:, 0], note(57)).max() < 10.0


def test_reset_forgets_and_state_resumes() -> None:
    preset = Preset(48000, 11)
    tracker, twin = (MultiF0Tracker(2, preset.framing) for _ in range(2))
    rng = np.random.default_rng(1)
    frames = [(10.0 ** rng.uniform(-5, 0, preset.framing.bins)).astype(np.float32) for _ in range(30)]

    def run(which: MultiF0Tracker, some: list[np.ndarray]) -> list[list[float]]:  # type: ignore[type-arg]
        out = np.zeros(2, np.float32)
        rows = []
        for frame in some:
            which.step(frame, out, np.zeros(2, np.bool_))
            rows.append(out.tolist())
        return rows

    whole = run(tracker, frames)
    tracker.reset()
    assert run(tracker, frames[:13]) == whole[:13]
    twin.load_state_dict(tracker.state_dict())
    assert run(twin, frames[13:]) == whole[13:]


def test_states_outside_the_grid_are_refused() -> None:
    tracker = MultiF0Tracker(2, Preset(48000, 11).framing)
    state = tracker.state_dict()
    for name in ("pitch", "last"):
        for value in (-2, candidate_grid().size):
            with pytest.raises(ValueError, match=rf"'tracker.{name}' holds candidates outside -1\.\."):
                tracker.load_state_dict({**state, name: np.full((12, 2), value, np.int32)})
