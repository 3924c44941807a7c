"""The hop pipeline of presets that decide pitches later: the sound waits, the tracker hears it at once."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.hop_amplitude import HopAmplitude
from rtsep.models.choir.later_tracker import LaterTracker
from rtsep.models.choir.model import ChoirModel
from rtsep.models.mask_model import MaskModel, State, load_all, require_like
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]

PLAYED_PREFIX = "played."


class LaterPipeline:
    """Runs a `HopPipeline` on the hop of `later_hops` before, and has its tracker hear the newest one.

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
        self._waiting = np.zeros((later_hops + 1, preset.hop, channels), np.float32)
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
            self._tracker.hear(self._newest.read())
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
        size = len(self._waiting)
        self._waiting[self._hops % size] = hop
        self.nonfinite_samples += self._newest.take(hop)
        self._hops += 1
        return self._waiting[self._hops % size] if self._hops > self._later_hops else None

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
            **{PLAYED_PREFIX + name: value for name, value in self._pipeline.state_dict().items()},
        }

    def load_state_dict(self, state: State) -> None:
        """See `HopPipeline.load_state_dict`."""
        require_like(self.state_dict(), state, "pipeline")
        played = {n.removeprefix(PLAYED_PREFIX): v for n, v in state.items() if n.startswith(PLAYED_PREFIX)}
        load_all([(self._pipeline, played)])
        self._waiting[...], self._newest.history[...] = state["waiting"], state["newest"]
        self._hops, self.nonfinite_samples = int(state["hops"]), int(state["nonfinite_samples"])
