"""Many streams on this processor, a hop pipeline each; and what any way to run many streams must offer."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.mask_model import State, load_all, require_like
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]


class Streams(Protocol):
    """What `BatchSeparator` drives: a hop pipeline per stream, or `GraphedStreams`.

    Attributes:
        stems: names, the residual left out.
        voices: of the last hop, arrays [S, V].
        nonfinite_samples: int64 [S], input samples replaced by zero since a stream's reset.
        lost: why there is no GPU any more; empty where there is, or none was asked for.
    """

    stems: tuple[str, ...]
    voices: VoiceReport
    nonfinite_samples: NDArray[np.int64]
    lost: str

    def step(self, hops: F32, out: F32, reset: NDArray[np.bool_]) -> None:
        """One hop of every stream, as of `BatchSeparator.process_hop`."""
        ...

    def reset(self) -> None:
        """All streams back to before their first hop."""
        ...

    def state_dict(self) -> State:
        """Copies of everything later output depends on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a model refuses; nothing has changed then.
        """
        ...


class PipelinePerStream:
    """Streams one after the other on this processor, each with a hop pipeline of its own.

    Args:
        pipelines: of the same model and sizes.
    """

    def __init__(self, pipelines: list[HopPipeline]) -> None:
        self._pipelines = pipelines
        self.stems = pipelines[0].model.stems
        self.voices = VoiceReport.silent(pipelines[0].model.report.stems, len(pipelines))
        self.nonfinite_samples = np.zeros(len(pipelines), np.int64)
        self.lost = ""

    def step(self, hops: F32, out: F32, reset: NDArray[np.bool_]) -> None:
        """See `BatchSeparator.process_hop`."""
        for stream, pipeline in enumerate(self._pipelines):
            if reset[stream]:
                pipeline.reset()
            pipeline.step(hops[stream], out[stream])
        self._tell()

    def reset(self) -> None:
        """All streams back to before their first hop."""
        for pipeline in self._pipelines:
            pipeline.reset()
        self._tell()

    def state_dict(self) -> State:
        """Of every pipeline."""
        return {
            f"{stream}.{name}": array
            for stream, pipeline in enumerate(self._pipelines)
            for name, array in pipeline.state_dict().items()
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a model refuses; nothing has changed then.
        """
        require_like(self.state_dict(), state, "batch")
        try:
            load_all([(pipeline, _of(state, f"{i}.")) for i, pipeline in enumerate(self._pipelines)])
        finally:
            self._tell()

    def _tell(self) -> None:
        for stream, pipeline in enumerate(self._pipelines):
            report = pipeline.model.report
            self.voices.f0_hz[stream] = report.f0_hz
            self.voices.followed_hz[stream] = report.followed_hz
            self.voices.level_db[stream] = report.level_db
            self.voices.merged[stream] = report.merged
            self.nonfinite_samples[stream] = pipeline.nonfinite_samples


def _of(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
