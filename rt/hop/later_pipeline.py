"""The hop pipeline of presets that decide pitches later: the sound waits, the tracker hears it at once."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.hop_amplitude import HopAmplitude
from rtsep.models.choir.later_tracker import LaterTracker
from rtsep.models.choir.model import ChoirModel
from rtsep.models.mask_model import MaskModel, State, joined_state, load_joined, require_like
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]

PLAYED_PREFIX = "played."
# A backward frame holds three hops: two are in before the first whole one.
UNHEARD_HOPS = 2


class LaterPipeline:
    """Runs a `HopPipeline` on the hop of `later_hops` before, and has its tracker hear the newest ones.

    Hops of audio wait, not spectra: they are a third of the memory, and a second transform is a small part
    of a hop's time. Models that track nothing (given pitches, masks of a test) get the same hops, later.

    Args:
        pipeline: fresh; its frames are those of `later_hops` before the newest.
        later_hops: 0 or more.

    Attributes:
        nonfinite_samples: see `HopPipeline`, counted when they come.
    """

    def __init__(self, pipeline: HopPipeline, later_hops: int) -> None:
        self._pipeline, self._later_hops = pipeline, later_hops
        model, preset = pipeline.model, pipeline.preset
        tracker = model.tracker if isinstance(model, ChoirModel) else None
        self._tracker = tracker if isinstance(tracker, LaterTracker) else None
        channels = pipeline.audio_state[0].shape[0]
        self._newest = HopAmplitude(preset.framing, channels)
        self._backward = HopAmplitude(preset.framing, channels)
        self._back_hops = 0 if self._tracker is None else self._tracker.back_hops
        # what the tracker hears backwards reaches beyond the frame by the rest of its window
        kept = max(later_hops, self._back_hops + UNHEARD_HOPS - 1) + 1
        self._waiting = np.zeros((kept, preset.hop, channels), np.float32)
        self._reversed = np.zeros((preset.hop, channels), np.float32)
        self._back_frames = np.zeros((self._back_hops, preset.framing.bins), np.float32)
        self._hops = 0
        self.nonfinite_samples = 0

    @property
    def model(self) -> MaskModel:
        """Of the masks."""
        return self._pipeline.model

    def step(self, hop: F32, out: F32) -> None:
        """See `HopPipeline.step`; `out` is `later_hops` later."""
        before = self._take(hop)
        if self._tracker is not None:
            self._tracker.hear(self._newest.read(), self._hear_backward())
        if before is None:
            out[...] = 0
        else:
            self._pipeline.step(before, out)

    def skip(self, hop: F32, out: F32) -> None:
        """See `HopPipeline.skip`."""
        before = self._take(hop)
        if self._tracker is not None:
            self._tracker.pass_by()
        if before is None:
            out[...] = 0
        else:
            self._pipeline.skip(before, out)

    def _take(self, hop: F32) -> F32 | None:
        """Keeps the newest hop; the one whose turn it is, None before the first."""
        self._hops += 1
        self._before(0)[...] = hop
        self.nonfinite_samples += self._newest.take(hop)
        return self._before(self._later_hops) if self._hops > self._later_hops else None

    def _before(self, hops: int) -> F32:
        """The hop so many before the newest: silence before the first."""
        hop: F32 = self._waiting[(self._hops - 1 - hops) % len(self._waiting)]
        return hop

    def _hear_backward(self) -> F32:
        """Frames of the sound played backwards from the newest hop on, see `LaterTracker.hear`.

        In the windows of 43 ms the pitch of a frame and that of the backward frame whose last hop is the one
        before it belong to the same time (`both_ways.date_shift` is 0).
        """
        if self._back_hops:
            self._backward.reset()
            for hops in range(self._back_hops + UNHEARD_HOPS):
                np.copyto(self._reversed, self._before(hops)[::-1])
                self._backward.take(self._reversed)
                if hops >= UNHEARD_HOPS:
                    self._back_frames[hops - UNHEARD_HOPS] = self._backward.read()
        return self._back_frames

    def reset(self) -> None:
        """See `HopPipeline.reset`."""
        self._pipeline.reset()
        self._newest.reset()
        self._waiting[...] = 0
        self._hops = self.nonfinite_samples = 0

    def state_dict(self) -> State:
        """See `HopPipeline.state_dict`: the sound that waits too."""
        return {
            "waiting": self._waiting.copy(),
            "newest": self._newest.history.copy(),
            "hops": np.array(self._hops, np.int64),
            "nonfinite_samples": np.array(self.nonfinite_samples, np.int64),
            **joined_state({PLAYED_PREFIX: self._pipeline}),
        }

    def load_state_dict(self, state: State) -> None:
        """See `HopPipeline.load_state_dict`."""
        require_like(self.state_dict(), state, "pipeline")
        load_joined({PLAYED_PREFIX: self._pipeline}, state)
        self._waiting[...], self._newest.history[...] = state["waiting"], state["newest"]
        self._hops, self.nonfinite_samples = int(state["hops"]), int(state["nonfinite_samples"])
