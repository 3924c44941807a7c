"""Types of the C++ kernels. Shapes and meaning: the names' twins in rtsep.kernels.reference.

Objects hold their scratch: one instance is for one thread. The GIL is released inside every call.
"""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# stft.cpp
def push_frame(history: F32, hop: F32, window: F32, frame: F32) -> int: ...
def apply_masks(spectrum: C64, masks: F32, out: C64) -> None: ...
def overlap_add(frames: F32, window: F32, tail: F32, history: F32, out: F32) -> None: ...

# filterbank.cpp
class Filterbank:
    def __init__(self, first_bin: I32, offset: I32, weights: F32, bins: int, floor: float) -> None: ...
    def apply(self, spectrum: F32, out: F32) -> None: ...

# oscillator.cpp
class OscillatorState(TypedDict):
    phase: NDArray[np.uint64]  # [V], in 2^-64 turns
    f0_hz: F64  # [V], 0 = unvoiced
    amplitudes: F32  # [V, K]

class HarmonicOscillator:
    def __init__(self, voices: int, partials: int, samplerate: float) -> None: ...
    def render(self, f0_hz: F32, amplitudes: F32, out: F32) -> None: ...
    def advance(self, f0_hz: F32, frames: int) -> None: ...
    def reset(self) -> None: ...
    def state_dict(self) -> OscillatorState: ...
    def load_state_dict(self, state: OscillatorState) -> None: ...

# lpc.cpp
def lsf_to_lpc(lsf: F32, lpc: F64) -> None: ...

class AllPoleEnvelope:
    def __init__(self, order: int, bins: int) -> None: ...
    def apply(self, lsf: F32, out: F32) -> None: ...

class AllPoleFilter:
    def __init__(self, order: int, hop: int) -> None: ...
    def apply(self, excitation: F32, lsf: F32, out: F32) -> None: ...

# renderer.cpp
class SourceFilterRenderer:
    def __init__(
        self,
        bins: int,
        samplerate: float,
        order: int,
        noise_bands: int,
        lobe: F32,
        lobe_left: int,
        noise_level: float,
        rolloff_start_hz: float = 200.0,
        rolloff_db_per_octave: float = 6.0,
    ) -> None: ...
    def render(
        self, f0_hz: F32, amplitude: F32, lsf: F32, noise_gain: F32, noise_bands: F32, out: F32
    ) -> None: ...

# soft_masks.cpp
def soft_masks(sources: F32, floor: F32, exponent: float, masks: F32) -> None: ...

# comb.cpp
class AdaptiveComb:
    BANDS: int
    UNSEEN: float
    def __init__(
        self,
        voices: int,
        bins: int,
        bin_hz: float,
        lobe: F32,
        oversampling: int,
        learn: float,
        hold: float,
        floor: float,
    ) -> None: ...
    def step(
        self,
        power: F32,
        f0_hz: F32,
        envelope: F32,
        active: F32,
        before_hz: F32,
        masks: F32,
        levels_db: F32,
    ) -> None: ...

# peaks.cpp
class PeakPicker:
    def __init__(self, bin_hz: float, top_hz: float, leakage: F32, oversampling: int) -> None: ...
    def find(self, amplitude: F32, peak_hz: F32, weight: F32) -> int: ...

# coverage.cpp
class Coverage:
    def __init__(self, candidates_hz: F32, bin_hz: float, top_hz: float, max_peaks: int) -> None: ...
    def compute(self, peak_hz: F32, weight: F32, peaks: int, covered: F32, missing: F32) -> None: ...

# beam.cpp
class PitchBeam:
    SIZE: int
    SILENT: int
    def __init__(self, voices: int, candidates: int, max_peaks: int) -> None: ...
    def step(self, weight: F32, covered: F32, missing: F32, pitch: I32, last: I32, score: F32) -> None: ...

def refine_f0(
    peak_hz: F32,
    weight: F32,
    peaks: int,
    covered: F32,
    pitch: I32,
    candidates_hz: F32,
    bin_hz: float,
    f0_hz: F32,
) -> None: ...
