"""What the networks are fed: below -100 dB of a full-scale sine everything is silence, at any rate."""

import numpy as np
import pytest

from rtsep.kernels.filterbank import LogFilterbank
from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.choir.pitch_grid import pitch_filterbank
from rtsep.models.choir.source_filter_input import mixture_bands
from rtsep.models.framing import Framing
from rtsep.rt.hop.presets import Preset

FILTERBANKS = {"tracker": pitch_filterbank, "levels": mixture_bands}


def heard_db(bank: LogFilterbank, framing: Framing, level_db: float) -> float:
    """The loudest band of a sine at 1 kHz, in dB."""
    window = analysis_window(framing.window_samples, framing.half_overlap)
    t = np.arange(framing.window_samples) / framing.samplerate
    sine = 10.0 ** (level_db / 20.0) * np.sin(2 * np.pi * 1000.0 * t)
    spectrum = np.abs(np.fft.rfft(sine * window)) * amplitude_scale(window)
    bands = np.empty((1, bank.centres_hz.size), np.float32)
    bank.apply(spectrum[None].astype(np.float32), bands)
    return float(20.0 / np.log(10.0) * bands.max())


@pytest.mark.parametrize("samplerate", [16000, 48000])
@pytest.mark.parametrize("network", FILTERBANKS)
def test_silence_is_100_db_down_and_a_sine_is_its_level(network: str, samplerate: int) -> None:
    framing = Preset(samplerate, 21).framing
    bank = FILTERBANKS[network](framing)
    assert heard_db(bank, framing, -300.0) == pytest.approx(-100.0, abs=0.1)
    loud_db = heard_db(bank, framing, -20.0)
    assert heard_db(bank, framing, -50.0) == pytest.approx(loud_db - 30.0, abs=0.5)
    # 30 dB below the floor a sine is not heard, 30 dB above it is
    assert heard_db(bank, framing, -130.0) == pytest.approx(-100.0, abs=1.0)
    assert heard_db(bank, framing, -70.0) > -90.0
