"""Does a take hold what the separator gives offline for the same input?"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.rt.separator import Separator


def read_take(folder: Path, names: tuple[str, ...]) -> NDArray[np.float32]:
    """float32 [names, frames] of mono files."""
    return np.stack([soundfile.read(folder / f"{name}.wav", dtype="float32")[0] for name in names])


def offline_stems(separator: Separator, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [stems, frames], aligned with the mono `mixture` [frames]; the separator must be fresh."""
    latency = separator.latency_samples
    stems = np.concatenate([separator.process(mixture[:, None]), separator.flush()], axis=1)
    return np.ascontiguousarray(stems[:, latency:, 0])
