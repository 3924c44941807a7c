"""What times of hops mean: lateness, fallback, percentiles, histogram. Nothing here times this machine."""

import numpy as np
import pytest

from rtsep.bench.hop.hop_timing import HopTimes, histogram_lines, measure, summarise
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.separator import Separator


def times(response_s: list[float], paced: bool = True) -> HopTimes:
    response = np.array(response_s)
    return HopTimes(hop_s=0.005, hop_samples=240, compute_s=response / 2, response_s=response, paced=paced)


def test_a_hop_is_late_once_the_next_falls_due() -> None:
    summary = summarise(times([0.001, 0.0049, 0.0051, 0.0125]))
    assert summary["late_hops"] == 2
    assert summary["fallback_samples"] == 480
    assert summary["lateness_max_us"] == pytest.approx(7500)
    assert summary["response"]["max"] == pytest.approx({"us": 12500, "share": 2.5})
    assert summarise(times([0.001]))["lateness_max_us"] == 0.0


def test_percentiles_are_those_of_the_definition() -> None:
    summary = summarise(times(list(np.linspace(0.0, 0.004, 1001))))
    for name, share in (("p50", 0.4), ("p95", 0.76), ("p99", 0.792), ("p99.9", 0.7992), ("max", 0.8)):
        assert summary["response"][name]["share"] == pytest.approx(share)
        assert summary["compute"][name]["us"] == pytest.approx(share * 2500)


def test_histogram_holds_every_hop() -> None:
    rng = np.random.default_rng(0)
    summary = summarise(times(list(rng.exponential(0.002, 5000))))
    assert sum(entry["hops"] for entry in summary["histogram"]) == 5000
    lines = histogram_lines(summary)
    assert max(line.count("█") for line in lines) == 40
    filled = [entry["hops"] for entry in summary["histogram"]][: len(lines)]
    assert [("█" in line or "·" in line) for line in lines] == [hops > 0 for hops in filled]


def test_hops_are_not_looked_at_before_they_fall_due() -> None:
    separator = Separator.load(voices=1, samplerate=8000, latency_ms=5)
    signal = synthetic_choir(8000, 0.5)
    found = measure(separator, signal, hops=20)
    assert len(found.compute_s) == 20
    # from due to done takes at least as long as the computation: nothing was started early
    assert (found.response_s >= found.compute_s).all()
    back_to_back = measure(separator, signal, hops=5, paced=False)
    np.testing.assert_array_equal(back_to_back.response_s, back_to_back.compute_s)


def test_choir_repeats_itself_and_sounds_at_its_pitches() -> None:
    signal = synthetic_choir(16000, 1.4, channels=2)
    assert signal.shape == (22400, 2)
    assert signal.dtype == np.float32
    assert np.max(np.abs(signal)) == pytest.approx(0.5)
    np.testing.assert_array_equal(signal, synthetic_choir(16000, 1.4, channels=2))
    spectrum = np.abs(np.fft.rfft(signal[:, 0] * np.hanning(len(signal))))
    hz = np.fft.rfftfreq(len(signal), 1 / 16000)
    for midi in (72, 67, 64, 48):  # C5, G4, E4, C3
        f0_hz = 440 * 2 ** ((midi - 69) / 12)
        near = (hz > f0_hz * 0.97) & (hz < f0_hz * 1.03)
        between = (hz > f0_hz * 1.06) & (hz < f0_hz * 1.10)
        assert spectrum[near].max() > 5 * spectrum[between].max()
