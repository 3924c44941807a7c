"""The latency that is declared is the one an impulse takes."""

import pytest

from rtsep.bench.latency import measure
from rtsep.rt.hop.presets import LATENCIES_MS


@pytest.mark.parametrize("latency_ms", LATENCIES_MS)
@pytest.mark.parametrize("samplerate", [8000, 16000, 22050, 44100, 48000, 96000, 192000])
def test_impulse_takes_exactly_the_declared_samples(samplerate: int, latency_ms: int) -> None:
    for block_samples in (1, 37, 163, 1021, 8191) if samplerate <= 48000 else (163, 8191):
        found = measure(samplerate, latency_ms, block_samples)
        assert found.through_mask == found.declared
        assert found.through_sum == found.declared
        assert found.amplitude == pytest.approx(1.0, abs=1e-4)
        assert found.smear < 1e-4
