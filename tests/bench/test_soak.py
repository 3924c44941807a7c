"""The soak passes a sound separator and catches an unsound one."""

import numpy as np
import pytest

from rtsep.bench.latency import OpenMasks
from rtsep.bench.soak import soak
from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import State
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator


class Drifting(OpenMasks):
    """Its state runs away: doubled by every hop, and said to be part of the state."""

    def __init__(self) -> None:
        super().__init__()
        self.level = np.ones(1, np.float64)

    def step(self, spectrum: np.ndarray, masks: np.ndarray) -> None:
        super().step(spectrum, masks)
        self.level *= 2.0

    def state_dict(self) -> State:
        return {"level": self.level.copy()}


class Poisoned(OpenMasks):
    """Puts out NaN once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self.hops = 0

    def step(self, spectrum: np.ndarray, masks: np.ndarray) -> None:
        super().step(spectrum, masks)
        self.hops += 1
        if self.hops % 50 == 0:
            masks[0, 3] = np.nan


PRESET = Preset(8000, 21)


def test_the_choir_model_passes() -> None:
    result = soak(Separator.load(voices=2, samplerate=8000, latency_ms=21), minutes=3, minute_s=4.0)
    assert result.failures == ()
    assert len(result.minutes) == 3
    assert all(minute.resident_bytes > 0 for minute in result.minutes)


def test_state_that_runs_away_is_caught() -> None:
    failures = soak(Separator(Drifting(), PRESET), minutes=2, minute_s=3.0).failures
    assert any("state 'model.level' reached" in failure for failure in failures)


def test_nan_in_the_output_is_caught() -> None:
    failures = soak(Separator(Poisoned(), PRESET), minutes=2, minute_s=3.0).failures
    assert any("samples are NaN or Inf" in failure for failure in failures)


def test_a_broken_sum_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    separator = Separator(OpenMasks(), PRESET)
    process = separator.process
    monkeypatch.setattr(separator, "process", lambda block: process(block) * np.float32(1.001))
    failures = soak(separator, minutes=2, minute_s=3.0).failures
    assert any("stems and delayed input differ" in failure for failure in failures)


def test_one_minute_says_nothing_about_growth() -> None:
    with pytest.raises(RtsepError, match="1 minute is too short; run at least 2"):
        soak(Separator(OpenMasks(), PRESET), minutes=1)
