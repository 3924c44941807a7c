"""What `--latency` means in samples."""

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.presets import (
    LATENCIES_MS,
    LATER_HOPS,
    MAX_SAMPLERATE,
    MIN_SAMPLERATE,
    Preset,
)

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 47999, 48000, 88200, 96000, 176400, 192000)
EVERY = pytest.mark.parametrize("preset", [Preset(r, ms) for r in RATES for ms in LATENCIES_MS], ids=str)


@EVERY
def test_lengths_fit_together(preset: Preset) -> None:
    assert preset.hop == preset.half_overlap
    assert preset.latency_samples == (2 + preset.later_hops) * preset.half_overlap
    assert preset.hop_latency_samples == preset.latency_samples - preset.hop
    assert preset.window_samples >= 2 * preset.half_overlap
    assert preset.framing.bins == preset.window_samples // 2 + 1
    assert preset.framing.bin_hz == preset.samplerate / preset.window_samples


@EVERY
def test_latency_is_within_a_tenth_of_that_at_48_khz(preset: Preset) -> None:
    """44.1 kHz keeps the block sizes of 48 kHz, so that device buffers of 64, 128, ... divide a hop."""
    at_48k_s = Preset(48000, preset.latency_ms).latency_samples / 48000
    assert preset.latency_samples / preset.samplerate == pytest.approx(at_48k_s, rel=0.1)


@EVERY
def test_window_is_64_ms_and_a_fast_length(preset: Preset) -> None:
    assert 0.064 <= preset.window_samples / preset.samplerate < 0.064 * 1.15
    rest = preset.window_samples
    assert rest % 2 == 0
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


@pytest.mark.parametrize("samplerate", [44100, 48000])
@pytest.mark.parametrize(("latency_ms", "samples"), [(5, 256), (11, 512), (21, 1024), (43, 2048)])
def test_presets_at_the_usual_rates(samplerate: int, latency_ms: int, samples: int) -> None:
    assert Preset(samplerate, latency_ms).latency_samples == samples
    assert Preset(2 * samplerate, latency_ms).latency_samples == 2 * samples


@pytest.mark.parametrize("samplerate", [44100, 48000])
@pytest.mark.parametrize(("latency_ms", "samples"), [(143, 7168), (243, 11264), (543, 25600)])
def test_later_decisions_cost_whole_hops_nearest_to_100_200_and_500_ms(
    samplerate: int, latency_ms: int, samples: int
) -> None:
    preset, now = Preset(samplerate, latency_ms), Preset(samplerate, 43)
    assert preset.latency_samples == samples
    assert Preset(2 * samplerate, latency_ms).latency_samples == 2 * samples
    assert preset.framing == now.framing
    assert preset.later_hops == LATER_HOPS[latency_ms] == round((latency_ms - 43) * 0.048 / 1.024)
    later_s = preset.later_hops * preset.hop / samplerate
    assert preset.pitch_delay_s == pytest.approx(now.framing.pitch_delay_s + later_s)


@pytest.mark.parametrize("samplerate", [-1, 0, MIN_SAMPLERATE - 1, MAX_SAMPLERATE + 1])
def test_rates_outside_are_refused_with_value_bounds_and_remedy(samplerate: int) -> None:
    with pytest.raises(RtsepError, match=f"sample rate {samplerate} Hz is outside 8000..192000 Hz; resample"):
        Preset(samplerate, 11)


@pytest.mark.parametrize("latency_ms", [-5, 0, 10, 12, 44])
def test_latencies_that_are_no_preset_are_refused(latency_ms: int) -> None:
    with pytest.raises(RtsepError, match=f"latency {latency_ms} ms is not one of 5, 11, .*, 543 ms; choose"):
        Preset(48000, latency_ms)
