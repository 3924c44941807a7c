"""The band of the demo: four bars as Ogg, made by `make_band_clip`, whose every stem is known."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError

STEMS = ("vocals", "drums", "bass", "other")
FOLDER = Path(__file__).with_name("band_clip")


class Band(NamedTuple):
    """The clip and its truth.

    Attributes:
        samplerate: Hz.
        stems: float32 [stems, frames] in the order of `STEMS`; the mixture is their sum.
    """

    samplerate: int
    stems: NDArray[np.float32]

    @property
    def mixture(self) -> NDArray[np.float32]:
        """Sum of the stems, float32 [frames]."""
        return np.asarray(self.stems.sum(axis=0), np.float32)


def read_band() -> Band:
    """The shipped clip.

    Raises:
        RtsepError: a file is missing.
    """
    found, rate = [], 0
    for name in STEMS:
        file = FOLDER / f"{name}.ogg"
        try:
            audio, rate = soundfile.read(file, dtype="float32")
        except (soundfile.LibsndfileError, OSError) as error:
            raise RtsepError(f"{file} cannot be read ({error})", "check the project out again") from None
        found.append(audio)
    frames = min(map(len, found))
    return Band(rate, np.stack([audio[:frames] for audio in found]))
