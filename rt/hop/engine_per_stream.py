"""Many streams on this processor, an engine each; and what any way to run many streams must offer."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.mask_model import State, load_all, require_like
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]


class Streams(Protocol):
    """What `BatchSeparator` drives: an engine per stream, or `GraphedStreams`.

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


class EnginePerStream:
    """Streams one after the other on this processor, each with an engine of its own.

    Args:
        engines: of the same model and sizes.
    """

    def __init__(self, engines: list[HopPipeline]) -> None:
        self._engines = engines
        self.stems = engines[0].model.stems
        self.voices = VoiceReport.silent(engines[0].model.report.stems, len(engines))
        self.nonfinite_samples = np.zeros(len(engines), np.int64)
        self.lost = ""

    def step(self, hops: F32, out: F32, reset: NDArray[np.bool_]) -> None:
        """See `BatchSeparator.process_hop`."""
        for stream, engine in enumerate(self._engines):
            if reset[stream]:
                engine.reset()
            engine.step(hops[stream], out[stream])
        self._tell()

    def reset(self) -> None:
        """All streams back to before their first hop."""
        for engine in self._engines:
            engine.reset()
        self._tell()

    def state_dict(self) -> State:
        """Of every engine."""
        return {
            f"{stream}.{name}": array
            for stream, engine in enumerate(self._engines)
            for name, array in engine.state_dict().items()
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a model refuses; nothing has changed then.
        """
        require_like(self.state_dict(), state, "batch")
        try:
            load_all([(engine, _of(state, f"{i}.")) for i, engine in enumerate(self._engines)])
        finally:
            self._tell()

    def _tell(self) -> None:
        for stream, engine in enumerate(self._engines):
            report = engine.model.report
            self.voices.f0_hz[stream] = report.f0_hz
            self.voices.followed_hz[stream] = report.followed_hz
            self.voices.level_db[stream] = report.level_db
            self.voices.merged[stream] = report.merged
            self.nonfinite_samples[stream] = engine.nonfinite_samples


def _of(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
