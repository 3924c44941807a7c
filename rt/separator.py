"""The embedding API: any block of audio in, the same number of frames of every stem out."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.models.build import ModelChoice
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.gpu.hop_runner import HopRunner
from rtsep.models.mask_model import RESIDUAL, MaskModel, State, load_all
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.gpu.one_stream import GraphedPipeline, Pipeline
from rtsep.rt.hop.channels import require_channels
from rtsep.rt.hop.host_arrays import described, require_flags, require_hop, samples
from rtsep.rt.hop.later_pipeline import LaterPipeline
from rtsep.rt.hop.one_owner import OneOwner
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import Preset
from rtsep.rt.hop.rendering import MASKS
from rtsep.rt.hop.state_check import require_same_kind
from rtsep.rt.loading import load_model


class Separator(OneOwner):
    """Separates a stream block by block, with an exact and constant latency.

    One instance serves one stream and one thread. `process` gives the same samples for any cutting of the
    same input into blocks; the sum over stems (the residual included) is the input delayed by
    `latency_samples`, to rounding, unless voices are rendered.

    Example:
        >>> import numpy as np
        >>> from rtsep import Separator
        >>> separator = Separator.load("choir", voices=2, samplerate=48000, latency_ms=11)
        >>> separator.stems, separator.latency_samples
        (('voice-1', 'voice-2', 'residual'), 512)
        >>> stems = separator.process(np.zeros(1000, np.float32))
        >>> stems.shape
        (3, 1000, 1)
    """

    def __init__(
        self,
        model: MaskModel,
        preset: Preset,
        channels: int = 1,
        runner: HopRunner | None = None,
        render: str = MASKS,
    ) -> None:
        super().__init__()
        require_channels(channels)
        self._preset = preset
        self._channels = channels
        self._stems = (*model.stems, RESIDUAL)
        pipeline = HopPipeline(preset, model, channels, render)
        self._pipeline: Pipeline = pipeline
        if runner is not None:
            self._pipeline = GraphedPipeline(runner, pipeline)
        elif preset.later_hops:
            self._pipeline = LaterPipeline(pipeline, preset.later_hops)
        self._pending = np.zeros((preset.hop, channels), np.float32)
        self._ready = np.zeros((len(self._stems), preset.hop, channels), np.float32)
        self._position = 0

    @classmethod
    def load(
        cls,
        model: str | None = None,
        *,
        voices: int | None = None,
        stems: tuple[str, ...] | None = None,
        add_ons: tuple[str, ...] = (),
        samplerate: int = 48000,
        latency_ms: int = 11,
        channels: int = 1,
        backend: str = "auto",
        f0: F0Track | None = None,
        render: str = MASKS,
        score: Score | None = None,
        parts: Parts | None = None,
    ) -> Self:
        """Builds a separator from a model by name.

        Args:
            model: name as of `rtsep models`, or a folder; choir where left out, band where stems are named.
            voices: 1..4, highest first; 4 of a choir where left out, of a band the singers in its vocals.
            stems: names of a band's stems, in the order wanted; all where left out.
            add_ons: folders with decoders for a band's encoder, each a stem more.
            samplerate: 8000..192000 Hz; latency_ms: preset 5, 11, 21, 43; of a choir 143, 243, 543.
            channels: of audio, with one mask; two of a band as mid and side (21, 43 ms).
            backend: "auto", "cpu", "openvino"; on an NVIDIA GPU "cuda", "tensorrt", "tensorrt-fp16".
            f0: pitches to follow instead of tracking them.
            render: "masks", or "synth": voices sung anew; their sum with the residual is not the input then.
            score: what a choir sings, see `rtsep.load_score`: each part steers the stem of its name.
            parts: of a choir, that may cross; without them stems are in order of pitch.

        Raises:
            GpuMissing: a GPU was asked for and cannot be had.
            RtsepError: any of these out of its bounds.
        """
        preset = Preset(samplerate, latency_ms)
        choice = ModelChoice(model, voices, stems, add_ons, score, parts)
        built, runner = load_model(choice, preset, channels, backend, f0, render)
        return cls(built, preset, channels, runner, render)

    @property
    def preset(self) -> Preset:
        """Frame sizes."""
        return self._preset

    @property
    def samplerate(self) -> int:
        """Hz, of input and output."""
        return self._preset.samplerate

    @property
    def channels(self) -> int:
        """Channels of the input and of every stem."""
        return self._channels

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the outputs in order; the last is always the residual."""
        return self._stems

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        return self._preset.hop

    @property
    def latency_samples(self) -> int:
        """Exact delay of `process`, constant."""
        return self._preset.latency_samples

    @property
    def hop_latency_samples(self) -> int:
        """Exact delay of `process_hop`, one hop less than that of `process`."""
        return self._preset.hop_latency_samples

    @property
    def nonfinite_samples(self) -> int:
        """Input samples replaced by zero since the last reset: NaN, Inf, and beyond 1e12 (+240 dBFS)."""
        return self._pipeline.nonfinite_samples

    @property
    def gpu_lost(self) -> str:
        """Why the processor has taken over from the GPU; empty where it has not."""
        return self._pipeline.lost if isinstance(self._pipeline, GraphedPipeline) else ""

    @property
    def voices(self) -> VoiceReport:
        """What the last hop told of stems with a pitch."""
        return self._pipeline.model.report

    @property
    def guide(self) -> ScoreGuide | None:
        """Follows the score: `guide.position`, and `guide.go_to(time_s)` where the choir begins elsewhere."""
        model = self._pipeline.model
        return model.guide if isinstance(model, ChoirModel) else None

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Which outputs anybody listens to, from the next hop on until told otherwise; all at the start.

        A band's decoders rest where no output needs them (the residual needs them all). Outputs that are
        heard do not change by a sample, the sum stays the input, what is heard again fades in within 20 ms or
        one hop. A choir computes all voices. `heard`: bool [len(stems)], the residual last.

        Raises:
            ValueError: another shape or type.
            RuntimeError: another thread is using it.
        """
        require_flags(heard, len(self._stems))
        with self._alone():
            self._pipeline.model.listen_to(heard)

    def process(
        self, block: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Separates a block of any length, including 0 and 1.

        Shape:
            block: float32 [frames, channels], or [frames] for one channel; strided views, other floating
                types, lists and torch tensors on the processor are taken too, rounded to float32.
            returns float32 [stems, frames, channels], delayed by `latency_samples`; `out` itself if given,
                which may lie over `block`.

        Raises:
            ValueError: wrong shapes, or samples that are not floating-point numbers in -1..1 full scale.
            RuntimeError: another thread is using this separator.
        """
        block = samples(block)
        if block.ndim == 1 and self._channels == 1:
            block = block[:, None]
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"block has shape {block.shape}; expected [frames, {self._channels}]")
        frames = block.shape[0]
        shape = (len(self._stems), frames, self._channels)
        if out is None:
            out = np.empty(shape, np.float32)
        elif not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float32:
            raise ValueError(f"out is {described(out)}; expected a NumPy array of float32 of shape {shape}")
        elif np.may_share_memory(block, out):
            block = block.copy()  # stems come out before all of the block has gone in
        with self._alone():
            self._process(block, out)
        return out

    def _process(self, block: NDArray[np.floating], out: NDArray[np.float32]) -> None:
        frames, done = block.shape[0], 0
        while done < frames:
            start = self._position
            count = min(self.hop - start, frames - done)
            out[:, done : done + count] = self._ready[:, start : start + count]
            self._pending[start : start + count] = block[done : done + count]
            done += count
            self._position = start + count
            if self._position == self.hop:
                self._pipeline.step(self._pending, self._ready)
                self._position = 0

    def process_hop(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Separates exactly one hop, with one hop less latency; no `process` beside it without `reset`.

        Shape:
            hop: C-contiguous float32 [H, channels]; out: C-contiguous float32 [stems, H, channels], written,
            delayed by `hop_latency_samples`; the two may overlap.

        Raises:
            ValueError, TypeError: wrong shapes, type or layout; RuntimeError: another thread is using it.
        """
        require_hop(hop, out, self._pending.shape, self._ready.shape)
        with self._alone():
            self._pipeline.step(hop, out)

    def skip_hop(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """In place of `process_hop` where there is no time for it: positions and the sum of stems stay right.

        The stems fade out and in again with the synthesis window, the residual is the rest; a few percent of
        the cost of `process_hop`, shape and errors as there.
        """
        require_hop(hop, out, self._pending.shape, self._ready.shape)
        with self._alone():
            self._pipeline.skip(hop, out)

    def flush(self) -> NDArray[np.float32]:
        """The last `latency_samples` frames, [stems, latency_samples, channels]; then as after silence."""
        return self.process(np.zeros((self.latency_samples, self._channels), np.float32))

    def reset(self) -> None:
        """Back to the state after `load`."""
        with self._alone():
            self._pipeline.reset()
            self._pending[...] = 0
            self._ready[...] = 0
            self._position = 0

    def state_dict(self) -> State:
        """Everything later output depends on: a flat dict of copied arrays."""
        with self._alone():
            return self._state()

    def _state(self) -> State:
        return {
            "pending": self._pending.copy(),
            "ready": self._ready.copy(),
            "position": np.array(self._position, np.int64),
            "samplerate": np.array(self.samplerate, np.int64),
            **self._pipeline.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continues sample-exactly from `state_dict()` of a separator with the same settings.

        Raises:
            ValueError: names, shapes, types or values of other states. Nothing has changed then.
        """
        with self._alone():
            require_same_kind(self._state(), state, "separator")
            if not 0 <= state["position"] < self.hop:  # type: ignore[operator]
                raise ValueError(f"state 'position' is {state['position']}, outside 0..{self.hop - 1}")
            own = ("pending", "ready", "position", "samplerate")
            load_all([(self._pipeline, {name: array for name, array in state.items() if name not in own})])
            self._pending[...] = state["pending"]
            self._ready[...] = state["ready"]
            self._position = int(state["position"])
