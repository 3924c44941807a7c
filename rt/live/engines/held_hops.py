"""The last hops of an engine that plays unheard: with them a take goes on where the one before it ends.

The stems of an engine of shorter latency are of later frames than those of the one before it: what lies
between has been made by then, while it was warmed up.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.live.engines.chain import Chain
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory

REPLACING_S = 0.5  # from the fade to the moment when the take goes over, however slow a server is


class HeldHops:
    """As many as may be needed, the newest in place of the oldest.

    Args:
        before, chain: the engine that is heard, and the one that is warmed up.
        samplerate: Hz.
    """

    def __init__(self, before: Chain, chain: Chain, samplerate: int) -> None:
        hop = chain.separator.hop
        delays = before.separator.hop_latency_samples + before.separator.hop
        count = -(-(delays + round(REPLACING_S * samplerate)) // hop) + 2
        self._hops = np.zeros((count, *chain.hop.shape), np.float32)
        self._stems = np.zeros((count, *chain.stems.shape), np.float32)
        self._lost_frames, self._skipped = [0] * count, [False] * count
        self._chain, self._samplerate = chain, samplerate
        self._next = 0

    def add(
        self, hop: NDArray[np.float32], stems: NDArray[np.float32], lost_frames: int, skipped: bool
    ) -> None:
        """The next hop of the input, float32 [hop, channels], and of the stems [stems, hop, channels], with
        what a take is told of it, see `TakeFeed.write`.
        """
        place = self._next % len(self._hops)
        self._hops[place], self._stems[place] = hop, stems
        self._lost_frames[place], self._skipped[place] = lost_frames, skipped
        self._next += 1

    def feed_from(self, before: TakeFeed, memory: TakeMemory, origin: int, engine: int) -> TakeFeed:
        """The feed of this engine, with what the one before has not written.

        Args:
            before: its feed.
            memory: shared with the recorder.
            origin: frame of its callback that is frame 0 of this engine's.
            engine: number of this one.
        """
        separator, chain = self._chain.separator, self._chain
        stems, channels = chain.stems.shape[0], chain.stems.shape[2]
        delay = separator.hop_latency_samples
        feed = TakeFeed(
            memory, stems, separator.hop, channels, delay, self._samplerate, chain.callback, engine
        )
        oldest = max(0, self._next - len(self._hops))
        for index in range(feed.go_over_from(before, origin, oldest), self._next):
            place = index % len(self._hops)
            lost_frames, skipped = self._lost_frames[place], self._skipped[place]
            feed.write(self._hops[place], self._stems[place], lost_frames, skipped)
        return feed
