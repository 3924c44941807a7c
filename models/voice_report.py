"""What a model tells about the stems that have a pitch: for meters, logs and evaluation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -120.0  # below the noise of any converter


@dataclass
class VoiceReport:
    """State of every stem that has a pitch, after the last hop; arrays are updated in place. Of many streams
    they are [streams, voices].

    A model need not have such stems: `stems` is empty then, and so are the arrays.

    Attributes:
        stems: names of the stems that have a pitch, in the order of the arrays.
        f0_hz: float32 [voices], 0 where unvoiced.
        followed_hz: float32 [voices], the pitches that the masks follow, 0 where there is none: `f0_hz`, and
            pitches that the model is not confident of.
        level_db: float32 [voices], level of the voice's partials relative to a full-scale sine.
        merged: bool [voices], true where the voice shares its partials with another one (unison or octave),
            so that no magnitude mask can part them.
    """

    stems: tuple[str, ...]
    f0_hz: NDArray[np.float32]
    followed_hz: NDArray[np.float32]
    level_db: NDArray[np.float32]
    merged: NDArray[np.bool_]

    @staticmethod
    def silent(stems: tuple[str, ...], streams: int | None = None) -> "VoiceReport":
        """A report of silence: of the stems with a pitch, in one stream or in `streams` of them."""
        shape = (len(stems),) if streams is None else (streams, len(stems))
        return VoiceReport(
            stems,
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.full(shape, SILENCE_DB, np.float32),
            np.zeros(shape, np.bool_),
        )

    def clear(self) -> None:
        """Back to a report of silence."""
        self.f0_hz[...] = 0
        self.followed_hz[...] = 0
        self.level_db[...] = SILENCE_DB
        self.merged[...] = False
