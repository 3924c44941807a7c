"""Streaming multi-F0 tracker without training: spectral peaks -> candidate pitches -> a beam over all voices.

Causal, on the stage's own spectrum: the pitch of a hop is known when the hop is. Joint decoding (one
hypothesis holds all voices, in pitch order) is what keeps voices from swapping.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_leakage
from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, require_like

LOWEST_F0_HZ = 65.406  # C2
HIGHEST_F0_HZ = 1046.5  # C6
STEP_CENTS = 20.0  # of the candidates; `refine_f0` then finds the pitch between them
MARGIN_STEPS = 3  # beyond both ends: vibrato of a C6, and a peak of gain needs a neighbour on either side
TOP_HZ = 5000.0  # of the peaks: above, partials of a choir are too weak and too close to tell pitches
MAX_PEAKS = 96  # the loudest; four voices have about sixty partials below 5 kHz
LEAKAGE_BINS, LEAKAGE_PHASES = 40, 8


def candidate_grid() -> NDArray[np.float32]:
    """Candidate pitches, ascending: float32 [G] in Hz, C2 to C6 and 60 cents to either side, in steps of
    20."""
    top = round(1200.0 * np.log2(HIGHEST_F0_HZ / LOWEST_F0_HZ) / STEP_CENTS)
    steps = np.arange(-MARGIN_STEPS, top + MARGIN_STEPS + 1)
    grid = LOWEST_F0_HZ * 2.0 ** (steps * STEP_CENTS / 1200.0)
    return grid.astype(np.float32)


class PitchTracker(Protocol):
    """From the amplitude spectrum to the pitches of all voices, highest first, hop by hop."""

    def step(
        self, amplitude: NDArray[np.float32], f0_hz: NDArray[np.float32], confident: NDArray[np.bool_]
    ) -> None:
        """amplitude [bins] (1 = full-scale sine) -> f0_hz [voices], 0 = none; confident [voices].

        A pitch that is not confident is the likeliest one if the voice sings at all: good enough for a mask,
        where a wrong pitch does little harm, and not reported.
        """
        ...

    def reset(self) -> None:
        """As before any input."""
        ...

    def state_dict(self) -> State:
        """What later pitches depend on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; ValueError for what cannot be, and nothing has changed then."""
        ...


def check_candidates(state: State, candidates: int) -> None:
    """Refuses a beam that the kernel would.

    Raises:
        ValueError: pitches outside the grid.
    """
    for name in ("pitch", "last"):
        value = state[name]
        if np.any((value < _core.PitchBeam.SILENT) | (value >= candidates)):  # type: ignore[operator]
            raise ValueError(f"state 'tracker.{name}' holds candidates outside -1..{candidates - 1}")


class MultiF0Tracker:
    """Tracks 1..4 voices, highest first.

    Args:
        voices: how many.
        framing: the spectrum's layout.
    """

    def __init__(self, voices: int, framing: Framing) -> None:
        top_hz = min(TOP_HZ, 0.5 * framing.samplerate)
        self._bin_hz = framing.bin_hz
        self._grid = candidate_grid()
        window = analysis_window(framing.window_samples, framing.half_overlap)
        leakage = window_leakage(window, reach_bins=LEAKAGE_BINS, phases=LEAKAGE_PHASES)
        self._picker = _core.PeakPicker(framing.bin_hz, top_hz, leakage, LEAKAGE_PHASES)
        self._coverage = _core.Coverage(self._grid, framing.bin_hz, top_hz, MAX_PEAKS)
        self._beam = _core.PitchBeam(voices, self._grid.size, MAX_PEAKS)
        self._peak_hz = np.zeros(MAX_PEAKS, np.float32)
        self._weight = np.zeros(MAX_PEAKS, np.float32)
        self._covered = np.zeros((self._grid.size, MAX_PEAKS), np.float32)
        self._missing = np.zeros(self._grid.size, np.float32)
        self._pitch = np.empty((_core.PitchBeam.SIZE, voices), np.int32)
        self._last = np.empty_like(self._pitch)
        self._score = np.empty(_core.PitchBeam.SIZE, np.float32)
        self.reset()

    def step(
        self, amplitude: NDArray[np.float32], f0_hz: NDArray[np.float32], confident: NDArray[np.bool_]
    ) -> None:
        """See `PitchTracker.step`; every pitch it finds is confident."""
        peaks = self._picker.find(amplitude, self._peak_hz, self._weight)
        self._coverage.compute(self._peak_hz, self._weight, peaks, self._covered, self._missing)
        self._beam.step(self._weight, self._covered, self._missing, self._pitch, self._last, self._score)
        _core.refine_f0(
            self._peak_hz, self._weight, peaks, self._covered, self._pitch[0], self._grid, self._bin_hz, f0_hz
        )
        np.greater(f0_hz, 0, out=confident)

    def reset(self) -> None:
        """One hypothesis: all voices silent."""
        self._pitch[...] = _core.PitchBeam.SILENT
        self._last[...] = _core.PitchBeam.SILENT
        self._score[...] = -np.inf
        self._score[0] = 0.0

    def state_dict(self) -> State:
        """The beam: joint pitches, where each voice last sang, scores."""
        return {"pitch": self._pitch.copy(), "last": self._last.copy(), "score": self._score.copy()}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: pitches outside the grid; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        check_candidates(state, self._grid.size)
        self._pitch[...] = state["pitch"]
        self._last[...] = state["last"]
        self._score[...] = state["score"]
