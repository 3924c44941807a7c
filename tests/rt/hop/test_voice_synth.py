"""`--render synth`: on pitch, in time, without clicks, the same for any blocks; what the residual is then."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.sung import cents, sing, vibrato
from numpy.typing import NDArray

from rtsep.kernels.errors import GpuMissing, ModelRefused
from rtsep.kernels.windows import analysis_window
from rtsep.models.choir.given_pitches import F0Track
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.hop.partial_reading import PartialReading
from rtsep.rt.hop.presets import Preset
from rtsep.rt.hop.voice_synth import VoiceSynth
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
RATE = 16000


def load(**changes: Any) -> Separator:
    asked = {"voices": 2, "samplerate": RATE, "latency_ms": 43, "render": "synth"} | changes
    return Separator.load(**asked)


def whole(separator: Separator, sound: F32) -> F32:
    """Stems of all of it, aligned with the sound."""
    late = separator.latency_samples
    return np.concatenate([separator.process(sound), separator.flush()], axis=1)[:, late:]


def measured_f0(sound: F32, f0_hz: NDArray[np.floating], length: int = 2048) -> tuple[F32, F32]:
    """F0 in Hz found near a known one, and the known one, in frames of the sound [frames]: the strongest line
    among the first partial's, by the phase's advance over a few samples."""
    found, true = [], []
    window, advance = np.hanning(length), 8
    for start in range(0, len(sound) - length - advance, length // 2):
        middle = f0_hz[start : start + length]
        if not (middle > 0).all():
            continue
        bins = [np.fft.rfft(sound[start + d : start + d + length] * window, 4 * length) for d in (0, advance)]
        at = round(float(np.mean(middle)) * 4 * length / RATE)
        near = slice(at - 4, at + 5)
        peak = at - 4 + int(np.argmax(np.abs(bins[0][near])))
        turn = np.angle(bins[1][peak] / bins[0][peak])
        expected = 2 * np.pi * peak / (4 * length) * advance
        turn += 2 * np.pi * np.round((expected - turn) / (2 * np.pi))
        found.append(turn / advance * RATE / (2 * np.pi))
        true.append(np.average(middle, weights=window**2))
    return np.array(found), np.array(true)


@pytest.mark.parametrize("latency_ms", [5, 43])
def test_sings_at_the_pitch_that_it_is_given(latency_ms: int) -> None:
    """Two voices with vibrato whose pitches are given: F0 of the output is within 5 cents of them."""
    contours = np.stack([vibrato(69, 2.0, RATE, 5.0, 20), vibrato(57, 2.0, RATE, 5.6, 15)])
    sound = (sing(contours[0], RATE) + sing(contours[1], RATE)).astype(np.float32)
    times = np.arange(0, 2.0, 0.005)
    track = F0Track(
        times, np.stack([np.interp(times, np.arange(contours.shape[1]) / RATE, c) for c in contours], 1)
    )
    stems = whole(load(latency_ms=latency_ms, f0=track), sound)
    for voice in range(2):
        found, true = measured_f0(stems[voice, 4000:, 0], contours[voice, 4000:])
        assert len(found) > 10
        assert np.median(cents(found, true)) < 5


def envelope(sound: F32) -> NDArray[np.floating]:
    kernel = np.hanning(320)
    return np.sqrt(np.convolve(sound.astype(np.float64) ** 2, kernel / kernel.sum(), "same"))


@pytest.mark.parametrize("latency_ms", [11, 43])
def test_is_as_late_and_as_loud_as_the_mask(latency_ms: int) -> None:
    """Envelopes of synthesised and masked voice lie over each other within 10 ms, levels within 1 dB."""
    sound = synthetic_choir(RATE, 3.2, voices=2)
    masked = whole(load(latency_ms=latency_ms, render="masks"), sound)
    sung = whole(load(latency_ms=latency_ms), sound)
    assert masked.shape == sung.shape
    for voice in range(2):
        one, other = (envelope(stems[voice, :, 0]) for stems in (masked, sung))
        level_db = 20 * np.log10(np.std(sung[voice]) / np.std(masked[voice]))
        assert abs(level_db) < 1
        one, other = one - one.mean(), other - other.mean()
        lags = range(-800, 801, 16)
        likeness = [np.dot(one[1000:-1000], np.roll(other, -lag)[1000:-1000]) for lag in lags]
        assert abs(lags[int(np.argmax(likeness))]) <= 0.010 * RATE
        assert max(likeness) > 0.7 * np.linalg.norm(one) * np.linalg.norm(other)


def test_the_residual_is_that_of_the_masks_and_the_sum_is_not_the_input() -> None:
    sound = synthetic_choir(RATE, 1.0, voices=2)
    masked, sung = whole(load(render="masks"), sound), whole(load(), sound)
    np.testing.assert_array_equal(masked[-1], sung[-1])
    np.testing.assert_allclose(masked.sum(0), sound, atol=1e-5)
    assert np.abs(sung.sum(0) - sound).max() > 0.05


@pytest.mark.parametrize("channels", [1, 2])
def test_any_blocks_and_any_pause(channels: int) -> None:
    """Odd blocks give the same samples, and so does another separator that goes on from the state."""
    sound = synthetic_choir(RATE, 0.7, channels=channels, voices=2)
    first = load(channels=channels)
    at_once = first.process(sound)
    second = load(channels=channels)
    parts, start = [], 0
    for size in sizes():
        if start >= len(sound):
            break
        parts.append(second.process(sound[start : start + size]))
        start += size
        if len(parts) % 4 == 0:
            state = second.state_dict()
            second = load(channels=channels)
            second.load_state_dict(state)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), at_once)
    first.reset()
    np.testing.assert_array_equal(first.process(sound), at_once)


def test_each_channel_is_as_loud_as_in_the_mixture() -> None:
    left = synthetic_choir(RATE, 1.0, voices=2)
    sound = np.concatenate([left, 0.25 * left], axis=1)
    sung = whole(load(channels=2), sound)[:2, 4000:]
    np.testing.assert_allclose(np.std(sung[..., 1], axis=1) / np.std(sung[..., 0], axis=1), 0.25, atol=0.02)


def sizes() -> Iterator[int]:
    while True:
        yield from (1, 480, 1023, 0, 64, 2500)


def test_a_skipped_hop_fades_and_comes_back() -> None:
    """As who leaves does, from what was sung and not from what the masks had."""
    sound = synthetic_choir(RATE, 0.6, voices=2)
    separators = [load(latency_ms=5, render=render) for render in ("synth", "masks")]
    hop = separators[0].hop
    stems, masked = (np.zeros((3, hop, 1), np.float32) for _ in separators)
    loudest, before = [], np.zeros((2, 1), np.float32)
    for index, start in enumerate(range(0, len(sound) - hop, hop)):
        block = np.ascontiguousarray(sound[start : start + hop])
        for separator, out in zip(separators, (stems, masked), strict=True):
            (separator.skip_hop if 60 <= index < 80 else separator.process_hop)(block, out)
        loudest.append(np.abs(stems[:2]).max())
        if index == 60:
            assert np.abs(stems[:2] - masked[:2]).max() > 0.01
            steps = np.abs(np.diff(stems[:2, :, 0], prepend=before))
            assert steps[:, 0].max() < 3 * steps[:, 1:20].max()
            np.testing.assert_array_equal(stems[2], masked[2])
        before = stems[:2, -1]
    assert min(loudest[40:61]) > 0.02
    assert max(loudest[70:80]) < 1e-3
    assert max(loudest[85:]) > 0.02


def test_a_gpu_leaves_it_to_the_processor() -> None:
    with pytest.raises(GpuMissing, match="does not render synth"):
        load(backend="cuda")


def test_a_wrong_state_changes_nothing() -> None:
    separator = load()
    sound = synthetic_choir(RATE, 0.5, voices=2)
    separator.process(sound)
    before = separator.state_dict()
    for name, value in (("render.oscillators.f0_hz", 1e9), ("render.gain", np.nan)):
        wrong = {**before, name: np.full_like(before[name], value)}
        with pytest.raises(ValueError, match=name.rpartition(".")[2]):
            separator.load_state_dict(wrong)
    assert all(np.array_equal(before[n], v) for n, v in separator.state_dict().items())


def run(synth: VoiceSynth, spectra: NDArray[np.complex64], f0_hz: list[float], masked: F32) -> F32:
    """The output [frames] of one voice: a spectrum and a masked hop that stay, a pitch for each hop."""
    parts = []
    for hz in f0_hz:
        out = masked.copy()
        synth.step(spectra, np.array([hz], np.float32), out)
        parts.append(out[0, :, 0])
    return np.concatenate(parts)


def test_entries_exits_and_glides_do_not_click() -> None:
    """No sample is further from the one before than the loudest partials at their frequencies allow."""
    preset = Preset(48000, 5)
    spectrum = np.zeros((1, 1, preset.framing.bins), np.complex64)
    spectrum[0, 0, :40] = 0.02 * preset.window_samples / 4  # every partial up to 600 Hz has the same level
    masked = np.full((1, preset.hop, 1), 0.05, np.float32)
    f0_hz = [0.0] * 4 + [220.0] * 30 + [0.0] * 20 + [110.0] * 20 + [440.0] * 20 + [100.0] * 20 + [0.0] * 30
    sound = run(VoiceSynth(1, 1, preset.framing), spectrum, f0_hz, masked)
    # a partial of amplitude a moves by 2 pi f a / fs at most, and the fade of 15 ms by a / 720 beside it
    reading = PartialReading(1, 1, preset.framing)
    most = 0.0
    for hz in (100.0, 110.0, 220.0, 440.0):
        reading.read(spectrum, np.array([hz]))
        level = np.sqrt(reading.power[0, 0])
        most = max(most, float(np.sum(level * (2 * np.pi * hz * np.arange(1, 81) / 48000 + 1 / 720))))
    steps = np.abs(np.diff(sound))
    assert steps.max() < 2.2 * most  # the gain that follows the masked voice doubles at most
    assert steps.max() > 0.02 * most
    assert np.abs(sound[: 4 * preset.hop]).max() == 0
    assert np.abs(sound[-10 * preset.hop :]).max() < 1e-6
    leaving = np.abs(sound[34 * preset.hop : 44 * preset.hop]).reshape(10, -1).max(axis=1)
    assert leaving[1] > 0.1 * leaving[0]  # fades over some hops, and not within one
    assert leaving[-1] < 1e-3


def test_reads_partials_and_what_is_between_them() -> None:
    """Levels of sines and of white noise, from the frame that the engine makes of them."""
    preset = Preset(48000, 21)
    rng = np.random.default_rng(0)
    window = analysis_window(preset.window_samples, preset.half_overlap)
    t = np.arange(preset.window_samples) / 48000
    sines = sum(0.2 / k * np.sin(2 * np.pi * 300 * k * t + k) for k in (1, 2, 3))
    reading, noise = PartialReading(1, 1, preset.framing), []
    for _ in range(20):
        frame = (sines + 0.01 * rng.standard_normal(len(t))) * window
        reading.read(np.fft.rfft(frame)[None, None].astype(np.complex64), np.array([300.0]))
        noise.append(reading.noise[0, 0, 5:30].copy())
    np.testing.assert_allclose(np.sqrt(reading.power[0, 0, :3]), [0.2, 0.1, 0.2 / 3], rtol=0.08)
    variance = np.mean(noise) * window.sum() ** 2 / (4 * np.square(window).sum())
    assert np.sqrt(variance) == pytest.approx(0.01, rel=0.15)


def test_noise_comes_back_as_loud_as_it_was() -> None:
    """White noise alone, read between partials at no partials: its power within 2 dB below 8 kHz."""
    preset = Preset(16000, 21)
    window = analysis_window(preset.window_samples, preset.half_overlap)
    rng, synth, parts = np.random.default_rng(1), VoiceSynth(1, 1, preset.framing), []
    sound = 0.05 * rng.standard_normal(RATE)
    for start in range(0, len(sound) - preset.window_samples, preset.hop):
        frame = sound[start : start + preset.window_samples] * window
        out = sound[start : start + preset.hop].astype(np.float32).reshape(1, -1, 1)
        synth.step(np.fft.rfft(frame)[None, None].astype(np.complex64), np.array([120.0], np.float32), out)
        parts.append(out[0, :, 0])
    found = np.concatenate(parts)[4000:]
    assert 20 * np.log10(np.std(found) / 0.05) == pytest.approx(0, abs=2)


@pytest.mark.parametrize("model", ["choir-fixed", "choir-levels"])
def test_every_choir_can(model: str) -> None:
    sound = synthetic_choir(RATE, 0.6, voices=2)
    stems = whole(load(model=model, latency_ms=11), sound)
    assert (np.std(stems[:2, 4000:], axis=(1, 2)) > 0.01).all()


def test_singers_of_a_band_can_and_a_band_without_cannot() -> None:
    with pytest.raises(ModelRefused, match="have no pitch"):
        load(model="band", voices=None)
    with pytest.raises(ModelRefused, match="not one of masks, synth"):
        load(render="sung")
    sound = synthetic_choir(RATE, 0.5, channels=2, voices=2)
    more = {"stems": ("drums", "vocals", "bass"), "channels": 2}
    masked, sung = (whole(load(render=r, **more), sound) for r in ("masks", "synth"))
    names = load(**more).stems
    changed = [name for name, one, other in zip(names, masked, sung, strict=True) if (one != other).any()]
    assert changed == ["voice-1", "voice-2"]
