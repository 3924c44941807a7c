"""A separator whose pitches are passed on, hop by hop, while it separates a file or a pipe."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.pitches.pitch_hop import PitchSink, pass_on
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]


class PitchTap:
    """Stands in a separator's place in `rtsep.rt.offline.separate`; the samples are the separator's.

    Args:
        separator: fresh, or reset.
        sinks: get every hop, those of `flush` too, whose masks are in the last stems; none of them is
            finished here.
    """

    def __init__(self, separator: Separator, sinks: Sequence[PitchSink]) -> None:
        self._separator, self._sinks = separator, sinks
        self._delay_s = separator.preset.pitch_delay_s
        self._frames = 0
        self.samplerate, self.channels = separator.samplerate, separator.channels
        self.stems, self.latency_samples = separator.stems, separator.latency_samples

    @property
    def nonfinite_samples(self) -> int:
        """See `Separator.nonfinite_samples`."""
        return self._separator.nonfinite_samples

    def flush(self) -> F32:
        """See `Separator.flush`: the last hops of the input come with it."""
        return self.process(np.zeros((self.latency_samples, self.channels), np.float32))

    def process(self, block: F32) -> F32:
        """See `Separator.process`."""
        hop, separator = self._separator.hop, self._separator
        out = np.empty((len(self.stems), len(block), self.channels), np.float32)
        done = 0
        while done < len(block):
            count = min(hop - self._frames % hop, len(block) - done)
            separator.process(block[done : done + count], out[:, done : done + count])
            done += count
            self._frames += count
            if self._frames % hop == 0:
                pass_on(self._sinks, self._frames / self.samplerate - self._delay_s, separator.voices)
        return out
