"""Types of the C++ kernels. Shapes and meaning: the names' twins in rtsep.kernels.reference.

Objects hold their scratch: one instance is for one thread. The GIL is released inside every call.
"""

from typing import ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# stft.cpp
LOUDEST_SAMPLE: float

def push_frame(history: F32, hop: F32, window: F32, frame: F32) -> int: ...
def apply_masks(spectrum: C64, masks: F32, out: C64) -> None: ...
def overlap_add(frames: F32, window: F32, tail: F32, history: F32, out: F32) -> None: ...

# filterbank.cpp
class Filterbank:
    def __init__(self, first_bin: I32, offset: I32, weights: F32, bins: int, floor: float) -> None: ...
    def apply(self, spectrum: F32, out: F32) -> None: ...

# band_gains.cpp
class BandGains:
    def __init__(self, lower: I32, share: F32, bands: int) -> None: ...
    def render(self, gains: F32, masks: F32) -> None: ...

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
    CONSTANTS: dict[str, float]
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

# guided_comb.cpp
class GuidedComb:
    BANDS: int
    PARTIALS: int
    UNSEEN: float
    QUIETEST: float
    def __init__(
        self,
        voices: int,
        bins: int,
        bin_hz: float,
        lobe: F32,
        oversampling: int,
        learn: float,
        floor: float,
    ) -> None: ...
    def observe(self, power: F32, f0_hz: F32, envelope: F32, before_hz: F32, partials: F32) -> None: ...
    def mask(self, level: F32, trust: F32, noise: F32, masks: F32, levels_db: F32) -> None: ...

# peaks.cpp
class PeakPicker:
    CONSTANTS: dict[str, float]
    def __init__(self, bin_hz: float, top_hz: float, leakage: F32, oversampling: int) -> None: ...
    def find(self, amplitude: F32, peak_hz: F32, weight: F32) -> int: ...

# coverage.cpp
class Coverage:
    CONSTANTS: dict[str, float]
    def __init__(self, candidates_hz: F32, bin_hz: float, top_hz: float, max_peaks: int) -> None: ...
    def compute(self, peak_hz: F32, weight: F32, peaks: int, covered: F32, missing: F32) -> None: ...

# beam.cpp
class PitchBeam:
    SIZE: int
    SILENT: int
    CONSTANTS: dict[str, float]
    def __init__(self, voices: int, candidates: int, max_peaks: int) -> None: ...
    def step(self, weight: F32, covered: F32, missing: F32, pitch: I32, last: I32, score: F32) -> None: ...

# refine.cpp
REFINE_CONSTANTS: dict[str, float]

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

# salience.cpp
def salience_peaks(
    salience: F32, offset: F32, least: float, same_voice: float, place: F32, log_odds: F32
) -> int: ...

# assignment.cpp
class PitchAssignment:
    SIZE: int
    PEAKS: int
    SILENT: int
    CONSTANTS: dict[str, float]
    def __init__(self, voices: int, hop_s: float) -> None: ...
    def step(
        self,
        place: F32,
        log_odds: F32,
        count: int,
        sung: F32,
        register_centre: F32,
        observed_s: F32,
        score: F32,
        chosen: I32,
    ) -> None: ...

# ring.cpp
class SampleRing:
    def __init__(
        self, capacity_frames: int, channels: int, memory: Buffer | None = None, start_position: int = 0
    ) -> None: ...
    @staticmethod
    def attach(memory: Buffer) -> SampleRing: ...
    @staticmethod
    def bytes_needed(capacity_frames: int, channels: int) -> int: ...
    @property
    def capacity_frames(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def write_position(self) -> int: ...
    @property
    def read_position(self) -> int: ...
    @property
    def available(self) -> int: ...
    @property
    def space(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def write(self, block: F32) -> int: ...
    def read(self, out: F32) -> int: ...

# value_snapshot.cpp
class ValueSnapshot:
    def __init__(self, count: int, memory: Buffer) -> None: ...
    @staticmethod
    def attach(memory: Buffer) -> ValueSnapshot: ...
    @staticmethod
    def bytes_needed(count: int) -> int: ...
    @property
    def count(self) -> int: ...
    def write(self, values: F64) -> None: ...
    def poll(self, values: F64) -> bool: ...
    def read_back(self, values: F64) -> int: ...

# device_callback.cpp
class DeviceCallback:
    FADE_SAMPLES: ClassVar[int]
    function_address: ClassVar[int]
    def __init__(
        self,
        picks: list[int],
        device_inputs: int,
        gains: F32,
        stems: int,
        hop: int,
        latency: int,
        hop_latency: int,
        input_capacity: int,
        bypass_gains: F32,
        ramp: int,
    ) -> None: ...
    def process(self, indata: F32, out: F32, flags: int = 0) -> None: ...
    def wait_input(self, hop_index: int, timeout_s: float, grain_s: float = 1e-4) -> bool: ...
    def read_hop(self, hop_index: int, hop: F32) -> int: ...
    def deliver(self, hop_index: int, stems: F32) -> None: ...
    def set_gains(self, stem_gains: F32, bypass: float) -> None: ...
    def first_frame(self, hop_index: int) -> int: ...
    def take_input_peak(self, channel: int) -> float: ...
    @property
    def address(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def xruns(self) -> int: ...
    @property
    def late_hops(self) -> int: ...
    @property
    def fallback_samples(self) -> int: ...
    @property
    def nonfinite_samples(self) -> int: ...
    @property
    def input_lost_frames(self) -> int: ...
    @property
    def callbacks(self) -> int: ...
    @property
    def max_block(self) -> int: ...
