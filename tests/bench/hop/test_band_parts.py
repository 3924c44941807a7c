"""The parts that are timed are the hop: together they give the samples of the engine."""

import numpy as np
import pytest

from rtsep.bench.hop.band_parts import SAMPLERATE, parts_of, time_parts
from rtsep.rt.separator import Separator


@pytest.mark.parametrize(("latency_ms", "channels"), [(11, 1), (11, 2), (43, 1)])
def test_parts_are_the_engine_s_hop(latency_ms: int, channels: int) -> None:
    band = parts_of("band", latency_ms, channels)
    separator = Separator.load("band", samplerate=SAMPLERATE, latency_ms=latency_ms, channels=channels)
    expected = np.empty_like(band.out)
    for _ in range(60):
        band.more()
        separator.process_hop(band.block.copy(), expected)
        for _, run in band.parts:
            run()
        np.testing.assert_array_equal(band.out, expected)
    assert np.abs(expected[:-1]).max() > 1e-3


def test_every_part_of_every_hop_is_timed() -> None:
    band = parts_of("band", 11)
    found = time_parts(band, 5)
    assert found.shape == (5, len(band.parts))
    assert (found > 0).all()
