"""From the hop loop to the recorder: a frame of the input and of every stem, all of one age, and where they
belong in the show.
"""

import math
import time

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.mask_model import State
from rtsep.rt.takes.hop_record import BYPASSED, HEADER, MAGIC, NO_FRAME, SKIPPED, Cause, Layout
from rtsep.rt.takes.take_memory import TakeMemory


class TakeFeed:
    """Writes every hop into the recorder's ring. What the ring cannot take is a gap in the frame numbers.

    The first hop of an engine finds its place by the clock: frame 0 in a new show; after a lost device or
    engine, where the show is by wall clock, and never before its last frame.

    Args:
        memory: read by the recorder; frames of [input, stem 1, ..., residual].
        stems, hop, channels: of what the model gives.
        delay_samples: how much older the stems are than the input of the same hop.
        samplerate: Hz.
        callback: of the device, whose position is the show's clock.
        engine: which of the session's engines it is, 0 for the first.
        bypassed: there is none: the residual is the input, and stems that are late are told by this.

    Attributes:
        lost_frames: frames that did not fit.
    """

    def __init__(
        self,
        memory: TakeMemory,
        stems: int,
        hop: int,
        channels: int,
        delay_samples: int,
        samplerate: float,
        callback: _core.DeviceCallback,
        engine: int = 0,
        *,
        bypassed: bool = False,
    ) -> None:
        self._ring, self._clock, self._callback = memory.ring, memory.clock, callback
        layout = Layout(hop, memory.ring.channels)
        self._engine, self._width = engine, (stems + 1) * channels
        self._bypassed = bypassed
        self._hop, self._channels, self._samplerate = hop, channels, samplerate
        self._record = np.zeros((layout.rows, layout.width), np.float32)
        self._header = self._record[: layout.header_rows].reshape(-1).view(np.uint8).data
        self._frame = self._record[layout.header_rows :]
        self._aligned = np.zeros((delay_samples + hop, channels), np.float32)
        self._places = np.full(delay_samples + hop, NO_FRAME, np.int64)
        self._delay = delay_samples
        self._offsets = np.arange(hop)
        self._base = 0  # where this engine begins, known with its first hop
        self._next: int | None = None  # absolute frame of the next hop's input
        # what the gap in front of `_base` comes from; whether the ring was full since the last record
        self._seam = Cause.NONE if math.isnan(self._clock.read()[1]) else Cause.ENGINE_RESTARTED
        self._ring_was_full = False
        self.lost_frames = 0

    def state(self) -> State:
        """What waits for its stems, and where it belongs, for an engine that goes on after a lost device."""
        return {"aligned": self._aligned.copy(), "places": self._places.copy()}

    def restore(self, state: State) -> None:
        """Goes on where the hop loop that gave `state` stopped."""
        self._aligned[...] = state["aligned"]
        self._places[...] = state["places"]
        if self._seam is not Cause.NONE:
            self._seam = Cause.DEVICE_LOST

    def follow(self, callback: _core.DeviceCallback) -> None:
        """Goes on with another callback, whose next hop finds its place by the clock."""
        self._callback, self._next = callback, None
        self._seam = Cause.DEVICE_LOST

    def go_over_from(self, before: "TakeFeed", origin: int, oldest: int) -> int:
        """Goes on behind another engine's feed, whose callback's frame `origin` is frame 0 of this one's.

        Args:
            oldest: hop that there is.

        Returns:
            The first hop to write, so that no frame is missing: those that the other one has not written.
        """
        self._base = before._base + origin
        written = self._base if before._next is None else before._next - before._delay
        first = max(oldest, (written - self._base) // self._hop)
        self._next, self._seam = self._base + first * self._hop, Cause.NONE
        return first

    @staticmethod
    def no_state() -> State:
        """`state` where nothing is recorded."""
        return {"aligned": np.zeros(0, np.float32), "places": np.zeros(0, np.int64)}

    def write(
        self, hop: NDArray[np.float32], stems: NDArray[np.float32], lost_frames: int, skipped: bool
    ) -> None:
        """A hop of the input, float32 [hop, channels], and of the stems, float32 [stems, hop, channels].

        Args:
            lost_frames: of the input, anywhere in the hop: the engine had stalled.
            skipped: the hop was not separated, as its stems would have come too late.
        """
        position, now_s = self._callback.position, time.monotonic()
        if self._next is None:
            self._base = self._first_frame(position, now_s)
        first = self._base if self._next is None else self._next
        self._places[: -self._hop] = self._places[self._hop :]
        np.add(self._offsets, first, out=self._places[-self._hop :])
        self._next = first + self._hop
        self._put(hop, stems, lost_frames, skipped)
        self._clock.tick(max(self._base + position, self._next), now_s)

    def _first_frame(self, position: int, now_s: float) -> int:
        """Of the show: that of this engine's frame 0, when the device is at `position`."""
        last, at_s, _ = self._clock.read()
        if math.isnan(at_s):
            return 0
        now = last + max(0, round((now_s - at_s) * self._samplerate))
        return max(last, now - position)

    def write_rest(self, stems: NDArray[np.float32]) -> None:
        """What was still inside the separator after the last hop: a hop of stems that silence drove out."""
        self._places[: -self._hop] = self._places[self._hop :]
        self._places[-self._hop :] = NO_FRAME
        self._put(np.zeros((self._hop, self._channels), np.float32), stems, 0, False)

    def finish(self) -> None:
        """Nothing comes after this: the show has ended with the last hop."""
        self._clock.finish(self._clock.read()[0] if self._next is None else self._next)

    def _put(
        self, hop: NDArray[np.float32], stems: NDArray[np.float32], lost_frames: int, skipped: bool
    ) -> None:
        frames, channels = self._hop, self._channels
        self._aligned[:-frames] = self._aligned[frames:]
        self._aligned[-frames:] = hop
        if self._ring.space < len(self._record):
            self.lost_frames += frames
            self._ring_was_full = True
            return
        self._frame[:, :channels] = self._aligned[:frames]
        of_stems = stems.transpose(1, 0, 2).reshape(frames, self._width - channels)
        self._frame[:, channels : self._width] = of_stems
        first, last = int(self._places[0]), int(self._places[frames - 1])
        before_frame, before_rows, frame = first, 0, first
        if last - first != frames - 1:  # a seam: what comes after it has been somewhere else
            before_rows = int(np.argmax(self._places[:frames] != self._offsets + first))
            if first == NO_FRAME:
                before_rows = int(np.argmax(self._places[:frames] != NO_FRAME)) or frames
            frame = int(self._places[before_rows]) if before_rows < frames else NO_FRAME
        heard_at = 0 if self._next is None else self._next - frames
        cause, callback = self._take_cause(int(self._places[:frames].max())), self._callback
        flags = (SKIPPED if skipped else 0) | (BYPASSED if self._bypassed else 0)
        HEADER.pack_into(
            self._header,
            0,
            MAGIC,
            before_frame,
            frame,
            heard_at if lost_frames else 0,
            heard_at - self._delay if skipped else 0,
            before_rows,
            cause,
            lost_frames,
            flags,
            callback.xruns,
            0 if self._bypassed else callback.late_hops,
            0 if self._bypassed else callback.fallback_samples,
            frames,
            self._engine,
        )
        self._ring.write(self._record)

    def _take_cause(self, last: int) -> Cause:
        """Of the gap in front of a record up to frame `last`, told once."""
        cause = Cause.RING_FULL if self._ring_was_full else Cause.NONE
        self._ring_was_full = False
        if self._seam is not Cause.NONE and last >= self._base:
            cause, self._seam = self._seam, Cause.NONE
        return cause
