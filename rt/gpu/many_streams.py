"""Many streams on one GPU, a launch per hop for all of them, and the output when it is lost."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.gpu.hop_runner import HopResult, HopRunner, one_line
from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.gpu.start_check import check_on_chord
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]


class GraphedStreams:
    """S streams on a `HopRunner`.

    From the hop on in which the GPU is lost, every stream gives its mixture: stems fade out with the
    synthesis window of the frames before, the residual is the delayed input, voices are reported silent. That
    lasts: a GPU that has failed is not trusted again, and the processor cannot carry as many streams.

    Args:
        runner: of S streams; its failures (RuntimeError) are taken as the loss of the GPU.
        standby: the same model on this processor, to compare with at the start; not kept.
        streams: S.

    Raises:
        GpuMissing: a stream does not agree with the processor on a chord.
    """

    def __init__(self, runner: HopRunner, standby: HopPipeline, streams: int) -> None:
        self._runner = runner
        self.stems = standby.model.stems
        self.lost = ""
        preset, channels = standby.preset, standby.audio_state[0].shape[0]
        span, voices = preset.latency_samples, len(self.stems)
        self.voices = VoiceReport.silent(self.stems, streams)
        self.nonfinite_samples = np.zeros(streams, np.int64)
        self._nothing_given = np.zeros((streams, voices), np.float32)
        # What the mixture needs of the hops before it, and a lost GPU cannot give: input not yet played
        # (the newest of `history`), and what the frames so far add to the hops to come (the first of `tail`).
        self._unplayed = preset.hop_latency_samples
        self._history = np.zeros((streams, channels, span), np.float32)
        self._tail = np.zeros((streams, voices, channels, span), np.float32)
        self._flat_window = np.ones(span, np.float32)
        self._frame = np.zeros((channels, span), np.float32)
        self._no_frames = np.zeros((voices, channels, span), np.float32)
        check_on_chord(runner, standby, streams)
        self._fresh = runner.state_dict()

    def step(self, hops: F32, out: F32, reset: NDArray[np.bool_]) -> None:
        """See `BatchSeparator.process_hop`; the residual is the last stem of `out`."""
        if not self.lost:
            try:
                result = self._runner.step(hops, reset, self._nothing_given)
            except RuntimeError as error:
                self._lose(one_line(error))
            else:
                out[...] = result.stems
                self.nonfinite_samples[reset] = 0
                self.nonfinite_samples += result.nonfinite
                self._remember(result)
                return
        self._forget(reset)
        for stream, hop in enumerate(hops):
            tail, history = self._tail[stream], self._history[stream]
            bad = _core.push_frame(history, hop, self._flat_window, self._frame)
            self.nonfinite_samples[stream] += bad
            _core.overlap_add(self._no_frames, self._flat_window, tail, history, out[stream])

    def reset(self) -> None:
        """All streams back to before their first hop; a lost GPU stays lost."""
        self._forget(np.ones(len(self._history), np.bool_))
        self.voices.clear()
        if not self.lost:
            try:
                self._runner.reset()
            except RuntimeError as error:
                self._lose(one_line(error))

    def state_dict(self) -> State:
        """Copies of what later output depends on; of a lost GPU, the state before the first hop."""
        found = self._fresh
        if not self.lost:
            try:
                found = self._runner.state_dict()
            except RuntimeError as error:
                self._lose(one_line(error))
        own = self._own()
        return {**{name: own[name].copy() for name in own}, **found, "gpu_lost": np.array(bool(self.lost))}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; where the GPU was lost then, without it."""
        for name, array in self._own().items():
            array[...] = state[name]
        if state["gpu_lost"] and not self.lost:
            self.lost = "the GPU was lost before"
        if self.lost:
            self.voices.clear()
        else:
            try:
                self._runner.load_state_dict({name: state[name] for name in self._fresh})
            except RuntimeError as error:
                self._lose(one_line(error))

    def _own(self) -> dict[str, NDArray[np.generic]]:
        """Memories on this side, by name."""
        return {
            "history": self._history,
            "tail": self._tail,
            "nonfinite_samples": self.nonfinite_samples,
            "f0_hz": self.voices.f0_hz,
            "level_db": self.voices.level_db,
            "merged": self.voices.merged,
        }

    def _remember(self, result: HopResult) -> None:
        unplayed, report = self._unplayed, self.voices
        self._history[..., -unplayed:] = result.history[..., -unplayed:]
        self._tail[..., :unplayed] = result.tail[..., :unplayed]
        report.f0_hz[...], report.level_db[...] = result.f0_hz, result.level_db
        report.followed_hz[...] = report.f0_hz  # all that the program tells
        report.merged[...] = result.merged

    def _forget(self, reset: NDArray[np.bool_]) -> None:
        self._history[reset] = 0
        self._tail[reset] = 0
        self.nonfinite_samples[reset] = 0

    def _lose(self, reason: str) -> None:
        self.lost = reason
        self.voices.clear()
