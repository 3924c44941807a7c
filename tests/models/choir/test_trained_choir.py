"""The shipped networks, on voices whose pitch is known: every rate, every latency."""

import numpy as np
import pytest
from helpers.sung import cents, noise, note, sing, vibrato

from rtsep import Separator
from rtsep.models.choir.given_pitches import F0Track
from rtsep.rt.hop.presets import OVERLAP_AT_48K

EVERY_LATENCY = pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
CHORD = (71, 67, 62, 53)  # no voice sings an overtone of another


def _listen(separator: Separator, sound: np.ndarray, from_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Reported F0 [looks, voices] every 10 ms from `from_s` on, and the stems."""
    looks, stems = [], []
    size = separator.samplerate // 100
    for start in range(0, len(sound) - size + 1, size):
        stems.append(separator.process(sound[start : start + size].astype(np.float32))[:, :, 0])
        if start >= from_s * separator.samplerate:
            looks.append(separator.voices.f0_hz.copy())
    return np.array(looks), np.concatenate(stems, axis=1)


def _choir(samplerate: int, seconds: float = 1.5) -> tuple[np.ndarray, list[np.ndarray]]:
    contours = [vibrato(m, seconds, samplerate, 5.0 + 0.3 * i) for i, m in enumerate(CHORD)]
    voices = [sing(f0, samplerate, 0.15, seed=i) for i, f0 in enumerate(contours)]
    return np.asarray(sum(voices)) + noise(len(voices[0])), voices


@EVERY_LATENCY
@pytest.mark.parametrize("samplerate", [16000, 44100, 48000, 96000])
def test_a_chord_is_found_in_pitch_order(samplerate: int, latency_ms: int) -> None:
    mixture, _ = _choir(samplerate)
    separator = Separator.load("choir", voices=4, samplerate=samplerate, latency_ms=latency_ms)
    found, _ = _listen(separator, mixture, 0.5)
    error = cents(found, np.array([note(m) for m in CHORD]))
    assert (error < 60).mean(axis=0).min() > 0.9  # vibrato is 20 cents
    assert np.median(error) < 25


@EVERY_LATENCY
def test_a_chord_comes_apart(latency_ms: int) -> None:
    mixture, voices = _choir(48000)
    separator = Separator.load("choir", voices=4, samplerate=48000, latency_ms=latency_ms)
    _, stems = _listen(separator, mixture, 0.5)
    late, settled = separator.latency_samples, slice(24000, 60000)
    for voice, stem in zip(voices, stems, strict=False):
        true, got = voice[settled], stem[late:][settled]
        scaled = true * (got @ true) / (true @ true)
        # each voice is about a quarter of the mixture's power: -5 dB before
        assert 10 * np.log10((scaled @ scaled) / ((got - scaled) @ (got - scaled))) > 3.0


def test_silence_and_a_quiet_room_have_no_voice() -> None:
    separator = Separator.load("choir", voices=4, samplerate=48000, latency_ms=11)
    found, _ = _listen(separator, noise(48000, level=1e-4), 0.0)
    assert not found.any()


def test_who_rests_is_not_reported() -> None:
    rng = np.random.default_rng(0)
    f0 = vibrato(60, 1.5, 48000)
    separator = Separator.load("choir", voices=4, samplerate=48000, latency_ms=11)
    found, _ = _listen(separator, sing(f0, 48000) + 1e-4 * rng.standard_normal(len(f0)), 0.5)
    assert ((found > 0).sum(axis=1) == 1).mean() > 0.9
    assert np.median(cents(found.max(axis=1), note(60))) < 25


def test_the_networks_memory_is_part_of_the_state() -> None:
    mixture, _ = _choir(48000)
    sound = mixture.astype(np.float32)
    whole = Separator.load("choir", voices=4, samplerate=48000, latency_ms=5)
    expected = whole.process(sound)[:, 30000:]
    first = Separator.load("choir", voices=4, samplerate=48000, latency_ms=5)
    first.process(sound[:30000])
    second = Separator.load("choir", voices=4, samplerate=48000, latency_ms=5)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second.process(sound[30000:]), expected)


@pytest.mark.parametrize(("latency_ms", "learned"), [(5, False), (11, False), (21, True), (43, True)])
def test_levels_are_learned_where_a_hop_has_time_for_it(latency_ms: int, learned: bool) -> None:
    mixture, _ = _choir(48000, 0.5)
    given = F0Track(np.array([0.0, 1.0]), np.tile([note(m) for m in CHORD], (2, 1)))
    stems = [
        Separator.load(model, voices=4, samplerate=48000, latency_ms=latency_ms, f0=given).process(
            mixture.astype(np.float32)
        )
        for model in ("choir", "choir-comb")
    ]
    assert np.array_equal(*stems) != learned
