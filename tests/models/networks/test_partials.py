"""Bands at multiples of frequencies: a peak shows where its octave and its twelfth are."""

import numpy as np
import torch

from rtsep.models.band.features import band_centres_hz
from rtsep.models.networks.partials import at_partials


def test_a_peak_shows_at_the_bands_of_its_partials() -> None:
    centres_hz = band_centres_hz()
    peak = torch.zeros(len(centres_hz))
    peak[int(np.argmin(np.abs(centres_hz - 120.0)))] = 1.0
    multiples = (0.5, 1.0 / 3.0, 2.0)
    found = (peak @ at_partials(centres_hz, multiples)).view(3, -1)
    for row, hz in zip(found, (240.0, 360.0, 60.0), strict=True):
        assert centres_hz[int(row.argmax())] == hz
        assert float(row.max()) == 1.0


def test_between_centres_values_are_linear_and_outside_they_are_none() -> None:
    centres_hz = np.array([100.0, 200.0, 300.0, 400.0])
    values = torch.tensor([1.0, 3.0, 5.0, 7.0])
    found = (values @ at_partials(centres_hz, (0.5, 1.5, 1.0))).view(3, -1)
    assert found.tolist() == [[0.0, 1.0, 2.0, 3.0], [2.0, 5.0, 0.0, 0.0], [1.0, 3.0, 5.0, 7.0]]
