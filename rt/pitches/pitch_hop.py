"""Pitches of one hop, and whoever takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.voice_report import SILENCE_DB, VoiceReport

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class PitchHop:
    """What a hop told of the stems that have a pitch.

    Attributes:
        time_s: time of the input that the pitches belong to, in seconds from its start: stems that are
            aligned with the input have these pitches there. Below 0 for the first hops.
        f0_hz: float32 [voices], reported pitches, 0 where unvoiced.
        followed_hz: float32 [voices], pitches that the masks follow: also those that the tracker is not
            confident of.
        level_db: float32 [voices], level of the partials in dBFS, -120 where it is not known.
    """

    time_s: float
    f0_hz: F32
    followed_hz: F32
    level_db: F32


def of_voices(hop: PitchHop, voices: int) -> PitchHop:
    """The same of so many voices, in their order; those that there are none of are silent."""
    count = hop.f0_hz.size
    if count == voices:
        return hop
    f0_hz, followed_hz = np.zeros((2, voices), np.float32)
    level_db = np.full(voices, SILENCE_DB, np.float32)
    for to, told in ((f0_hz, hop.f0_hz), (followed_hz, hop.followed_hz), (level_db, hop.level_db)):
        to[:count] = told[:voices]
    return PitchHop(hop.time_s, f0_hz, followed_hz, level_db)


def pass_on(sinks: "Sequence[PitchSink]", time_s: float, voices: VoiceReport) -> None:
    """Tells all of them the pitches of a hop, which are copied: the report is written over by the next."""
    hop = PitchHop(time_s, voices.f0_hz.copy(), voices.followed_hz.copy(), voices.level_db.copy())
    for sink in sinks:
        sink.add(hop)


class PitchSink(Protocol):
    """Takes the pitches of every hop in order."""

    def add(self, hop: PitchHop) -> None:
        """Takes a hop. Raises RtsepError where a file cannot be written."""
        ...

    def finish(self) -> None:
        """The input has ended: what is written is whole, and nothing is where no hop came.

        Raises:
            RtsepError: the file cannot be completed.
        """
        ...

    def discard(self) -> None:
        """Nothing is to be left of it."""
        ...
