"""Types of the C++ kernels. Shapes and meaning: the functions of the same names in rtsep.kernels.reference."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]

# stft.cpp
def push_frame(history: F32, hop: F32, window: F32, frame: F32) -> int: ...
def apply_masks(spectrum: C64, masks: F32, out: C64) -> None: ...
def overlap_add(frames: F32, window: F32, tail: F32, history: F32, out: F32) -> None: ...
