"""Masks from pitches: the adaptive comb reads each voice's levels off the mixture, the fixed comb assumes
them equal."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_lobe, window_response
from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, require_like
from rtsep.models.voice_report import SILENCE_DB

F32 = NDArray[np.float32]

LOBE_BINS, LOBE_PHASES = 5, 32
# 40 ms: fast enough for a vowel change; 80 ms lost 0.1 dB of SI-SDR on a real quartet, 20 ms gained nothing.
LEARN_S = 0.040
# 300 ms: a consonant between two vowels of one voice is shorter than this.
HOLD_S = 0.3
# -100 dBFS per bin: the noise of a good microphone; what lies under it belongs to no voice.
FLOOR_POWER = 1e-10
FLAT_ORDER = 20
FIXED_EXPONENT = 2.0


def partial_lobe(framing: Framing) -> F32:
    """Power that a partial leaves at 0, 1/LOBE_PHASES, ... LOBE_BINS bins from it, 1 at its centre.

    The window's response, faded out over the last bin. It is still 26 to 38 dB under the peak there: if it
    simply ended, masks between partials would jump as a pitch moves by the last digit of a float.

    Shape:
        returns float32 [LOBE_BINS * LOBE_PHASES + 1].
    """
    window = analysis_window(framing.window_samples, framing.half_overlap)
    lobe = window_response(window, reach_bins=LOBE_BINS, phases=LOBE_PHASES) ** 2
    lobe[-LOBE_PHASES - 1 :] *= np.cos(np.linspace(0.0, np.pi / 2, LOBE_PHASES + 1, dtype=np.float32)) ** 2
    return lobe


class CombMasks(Protocol):
    """From the power spectrum and the pitches to masks and levels."""

    def step(self, power: F32, f0_hz: F32, masks: F32, level_db: F32) -> None:
        """power [bins] (1 = full-scale sine), f0_hz [V] -> masks [V, bins], level_db [V]."""
        ...

    def suppose(self, power: F32, f0_hz: F32, masks: F32) -> None:
        """The masks that `step` would give for other pitches; nothing is learnt from them."""
        ...

    def reset(self) -> None:
        """Forgets all levels."""
        ...

    def state_dict(self) -> State:
        """What later masks depend on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; ValueError for what cannot be, and nothing has changed then."""
        ...


class AdaptiveCombMasks:
    """Levels per voice and partial, learnt from the mixture as it goes: kernels/src/comb.cpp."""

    def __init__(self, voices: int, framing: Framing) -> None:
        hop_s = framing.hop / framing.samplerate
        self._comb = _core.AdaptiveComb(
            voices,
            framing.bins,
            framing.bin_hz,
            partial_lobe(framing),
            LOBE_PHASES,
            1.0 - float(np.exp(-hop_s / LEARN_S)),
            float(np.exp(-hop_s / HOLD_S)),
            FLOOR_POWER,
        )
        self._envelope = np.empty((voices, _core.AdaptiveComb.BANDS), np.float32)
        self._active = np.empty(voices, np.float32)
        self._before_hz = np.empty(voices, np.float32)
        self._supposed = self._envelope.copy(), self._active.copy(), self._before_hz.copy()
        self._supposed_db = np.empty(voices, np.float32)
        self.reset()

    def step(self, power: F32, f0_hz: F32, masks: F32, level_db: F32) -> None:
        """See `CombMasks.step`."""
        self._comb.step(power, f0_hz, self._envelope, self._active, self._before_hz, masks, level_db)

    def suppose(self, power: F32, f0_hz: F32, masks: F32) -> None:
        """See `CombMasks.suppose`."""
        envelope, active, before_hz = self._supposed
        envelope[...], active[...], before_hz[...] = self._envelope, self._active, self._before_hz
        self._comb.step(power, f0_hz, envelope, active, before_hz, masks, self._supposed_db)

    def reset(self) -> None:
        """As before any input."""
        self._envelope[...] = _core.AdaptiveComb.UNSEEN
        self._active[...] = 0
        self._before_hz[...] = 0

    def state_dict(self) -> State:
        """Envelopes (log power), how active each voice is, and the last pitches."""
        return {
            "envelope": self._envelope.copy(),
            "active": self._active.copy(),
            "before_hz": self._before_hz.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or NaN or Inf in it; nothing has changed then.
        """
        require_like(self.state_dict(), state, "comb")
        self._envelope[...] = state["envelope"]
        self._active[...] = state["active"]
        self._before_hz[...] = state["before_hz"]


class FixedCombMasks:
    """Equal voices with all partials, flat to 200 Hz, then -6 dB per octave: the baseline of papers on
    F0-steered masks."""

    def __init__(self, voices: int, framing: Framing) -> None:
        lobe = window_lobe(analysis_window(framing.window_samples, framing.half_overlap))
        self._renderer = _core.SourceFilterRenderer(
            framing.bins, framing.samplerate, FLAT_ORDER, 2, lobe.table, lobe.left, lobe.noise_level
        )
        # Evenly spaced line spectral frequencies make A(z) = 1: no formants.
        flat = np.pi * np.arange(1, FLAT_ORDER + 1) / (FLAT_ORDER + 1)
        self._lsf = np.tile(flat.astype(np.float32), (voices, 1))
        self._amplitude = np.ones(voices, np.float32)
        self._noise_gain = np.zeros(voices, np.float32)
        self._noise_bands = np.zeros((voices, 2), np.float32)
        self._sources = np.zeros((voices, framing.bins), np.float32)
        self._floor = np.full(framing.bins, 1e-6, np.float32)
        self._supposed_db = np.empty(voices, np.float32)

    def step(self, power: F32, f0_hz: F32, masks: F32, level_db: F32) -> None:
        """See `CombMasks.step`; the power is not looked at, so levels are unknown."""
        self._renderer.render(
            f0_hz, self._amplitude, self._lsf, self._noise_gain, self._noise_bands, self._sources
        )
        _core.soft_masks(self._sources, self._floor, FIXED_EXPONENT, masks)
        level_db[...] = SILENCE_DB

    def suppose(self, power: F32, f0_hz: F32, masks: F32) -> None:
        """See `CombMasks.suppose`."""
        self.step(power, f0_hz, masks, self._supposed_db)

    def reset(self) -> None:
        """Nothing to forget."""

    def state_dict(self) -> State:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to restore; ValueError for a state with anything in it."""
        require_like({}, state, "comb")
