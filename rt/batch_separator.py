"""Many independent streams, hop by hop in step: a festival's stages, a classroom, a server."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.backends import GPU_BACKENDS, gpu_hop, step_maker
from rtsep.models.build import ModelChoice, build_model, require_gpu_family
from rtsep.models.mask_model import RESIDUAL, State, load_all
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.gpu.many_streams import GraphedStreams
from rtsep.rt.hop.channels import require_channels
from rtsep.rt.hop.one_owner import OneOwner
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.pipeline_per_stream import PipelinePerStream, Streams
from rtsep.rt.hop.presets import LATER_WINDOWS_MS, Preset
from rtsep.rt.hop.state_check import require_same_kind

F32 = NDArray[np.float32]
MAX_STREAMS = 4096  # eight times what was ever tried; a bound on memory, not a property of the method


class BatchSeparator(OneOwner):
    """Separates S independent streams, one hop of each per call: what S `Separator.process_hop` would give.

    A stream has its own memory and its own reset, and nothing in one changes another. All have the same
    model, voices, sample rate, latency and channels. One instance is for one thread.

    On a GPU all streams are one launch. If it is lost (`gpu_lost`), every stream gives the mixture from that
    hop on: stems fade out, the residual is the input, delayed as before. The processor does not take over, as
    it cannot carry what a GPU did: the mixture goes on until the host has loaded another instance.

    On the processor the streams run one after the other on this thread. To use more cores, share the streams
    out to one instance per process.

    Example:
        >>> import numpy as np
        >>> from rtsep import BatchSeparator
        >>> batch = BatchSeparator.load("choir-comb", streams=3, voices=2, samplerate=48000, latency_ms=11)
        >>> hops = np.zeros((3, batch.hop, 1), np.float32)
        >>> out = np.empty((3, len(batch.stems), batch.hop, 1), np.float32)
        >>> batch.process_hop(hops, out)
        >>> batch.voices.f0_hz.shape
        (3, 2)
    """

    def __init__(self, streams: Streams, preset: Preset, channels: int) -> None:
        super().__init__()
        self._streams, self._preset = streams, preset
        self._stems = (*streams.stems, RESIDUAL)
        count = len(streams.nonfinite_samples)
        self._hops_shape = (count, preset.hop, channels)
        self._out_shape = (count, len(self._stems), preset.hop, channels)
        self._no_reset = np.zeros(count, np.bool_)
        self._held = np.zeros(self._hops_shape, np.float32)

    @classmethod
    def load(
        cls,
        model: str | None = None,
        *,
        streams: int,
        voices: int | None = None,
        stems: tuple[str, ...] | None = None,
        add_ons: tuple[str, ...] = (),
        samplerate: int = 48000,
        latency_ms: int = 11,
        channels: int = 1,
        backend: str = "auto",
    ) -> Self:
        """Builds all streams from a model by name.

        Args:
            model, voices, stems, add_ons: of every stream, as for `Separator.load`.
            streams: 1..4096.
            samplerate: 8000..192000 Hz.
            latency_ms: preset 5, 11, 21 or 43.
            channels: audio channels of every stream; masks as for `Separator.load`.
            backend: "auto", "cpu" or "openvino" (see `rtsep compile`): a hop pipeline per stream; or "cuda",
                with torch on an NVIDIA GPU: every stream is compared with the processor on a chord here.

        Raises:
            GpuMissing: a GPU was asked for and cannot be had.
            RtsepError: any of these out of its bounds.
        """
        if not 1 <= streams <= MAX_STREAMS:
            raise RtsepError(
                f"{streams} streams is outside 1..{MAX_STREAMS}",
                "ask for at least one" if streams < 1 else "share them out to several instances",
            )
        require_channels(channels)
        preset = Preset(samplerate, latency_ms)
        if preset.later_hops:
            raise RtsepError(
                f"latency {latency_ms} ms decides pitches later, which a batch of streams does not",
                f"use {LATER_WINDOWS_MS} ms or less, or a Separator for each stream",
            )
        make_step = step_maker("cpu" if backend in GPU_BACKENDS else backend)

        def pipeline() -> HopPipeline:
            built = build_model(
                model,
                voices=voices,
                stems=stems,
                add_ons=add_ons,
                framing=preset.framing,
                channels=channels,
                make_step=make_step,
            )
            return HopPipeline(preset, built, channels)

        if backend not in GPU_BACKENDS:
            return cls(PipelinePerStream([pipeline() for _ in range(streams)]), preset, channels)
        choice = ModelChoice(model, voices, stems, add_ons)
        require_gpu_family(choice, backend)
        standby = pipeline()
        runner = gpu_hop(
            backend,
            choice.name,
            voices=len(standby.model.stems),
            framing=preset.framing,
            channels=channels,
            streams=streams,
        )
        return cls(GraphedStreams(runner, standby, streams), preset, channels)

    @property
    def streams(self) -> int:
        """S."""
        return self._hops_shape[0]

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
        """C, channels of every stream's input and of each of its stems."""
        return self._hops_shape[2]

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of every stream's outputs in order; the last is always the residual."""
        return self._stems

    @property
    def hop(self) -> int:
        """H, samples between two frames."""
        return self._preset.hop

    @property
    def hop_latency_samples(self) -> int:
        """Exact delay of `process_hop`, constant; a host that first collects blocks adds a hop."""
        return self._preset.hop_latency_samples

    @property
    def voices(self) -> VoiceReport:
        """Pitch, level, `merged` flag of every stem that has a pitch, after the last hop: arrays [S, V],
        updated in place."""
        return self._streams.voices

    @property
    def nonfinite_samples(self) -> NDArray[np.int64]:
        """int64 [S], updated in place: input samples replaced by zero since a stream's reset (NaN, Inf, and
        beyond 1e12, +240 dBFS)."""
        return self._streams.nonfinite_samples

    @property
    def gpu_lost(self) -> str:
        """Why every stream gives the mixture instead of its stems; empty where none does."""
        return self._streams.lost

    def process_hop(self, hops: F32, out: F32, reset: NDArray[np.bool_] | None = None) -> None:
        """Separates one hop of every stream. A stream without audio gets zeros.

        Args:
            hops: C-contiguous float32 [S, H, C], full scale = 1.
            out: C-contiguous float32 [S, V + 1, H, C], written, delayed by `hop_latency_samples`; its last
                stem is the residual. It may overlap `hops`.
            reset: bool [S], streams that begin anew with this hop; None for none.

        Raises:
            ValueError: wrong shapes; TypeError: another type or layout; RuntimeError: another thread is
                using this instance. Nothing has changed then.
        """
        if not (isinstance(hops, np.ndarray) and isinstance(out, np.ndarray)):
            raise TypeError("hops and out must be NumPy arrays of float32")
        if hops.shape != self._hops_shape or out.shape != self._out_shape:
            raise ValueError(
                f"hops has shape {hops.shape} and out {out.shape}; "
                f"expected [streams, hop, channels] = {self._hops_shape} and {self._out_shape}"
            )
        if not (hops.dtype == out.dtype == np.float32 and hops.flags.c_contiguous and out.flags.c_contiguous):
            raise TypeError("hops and out must be C-contiguous float32 arrays")
        if not out.flags.writeable:
            raise ValueError("out is read-only; give an array that can be written")
        if reset is None:
            reset = self._no_reset
        elif reset.shape != self._no_reset.shape:
            raise ValueError(f"reset has shape {reset.shape}; expected ({self.streams},), a flag each")
        elif reset.dtype != np.bool_:
            raise TypeError(f"reset has type {reset.dtype}; expected bool, not numbers of streams")
        with self._alone():
            if np.may_share_memory(hops, out):  # stems of one stream would lie over the hop of the next
                self._held[...] = hops
                hops = self._held
            self._streams.step(hops, out, reset)

    def reset(self) -> None:
        """All streams back to the state after `load`; a lost GPU stays lost."""
        with self._alone():
            self._streams.reset()

    def state_dict(self) -> State:
        """Everything later output of all streams depends on: a flat dict of copied arrays."""
        with self._alone():
            return self._state()

    def _state(self) -> State:
        return {"samplerate": np.array(self.samplerate, np.int64), **self._streams.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Continues all streams sample-exactly from `state_dict()` of an instance with the same settings.

        A GPU's state is not a processor's, nor the other way round. Where the GPU was lost, it is lost here.

        Raises:
            ValueError: names, shapes, types or values that are not those of such a state. Nothing has changed
                then.
        """
        with self._alone():
            require_same_kind(self._state(), state, "batch")
            load_all([(self._streams, {k: v for k, v in state.items() if k != "samplerate"})])
