"""One hop in, one hop of every stem out: analysis, masks, synthesis."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.windows import analysis_window, synthesis_window
from rtsep.models.mask_model import MaskModel, State, joined_state, load_joined, require_like
from rtsep.rt.hop.masking import masking
from rtsep.rt.hop.presets import Preset
from rtsep.rt.hop.rendering import MASKS, Rendering

MODEL_PREFIX, RENDER_PREFIX = "model.", "render."


class HopPipeline:
    """StreamingSTFT around a mask model. Every buffer is allocated here, once.

    Args:
        preset: frame sizes.
        model: masks of every stem but the residual.
        channels: audio channels; see `masking` for what masks they share.
        render: see `Rendering`. The residual is what the masks leave in any case.

    Raises:
        RtsepError: as of `Rendering`.
    """

    def __init__(self, preset: Preset, model: MaskModel, channels: int, render: str = MASKS) -> None:
        self.preset = preset
        self.model = model
        self.nonfinite_samples = 0
        stems, n, span = len(model.stems), preset.window_samples, 2 * preset.half_overlap
        bins = n // 2 + 1
        self._analysis = analysis_window(n, preset.half_overlap)
        self._synthesis = synthesis_window(n, preset.half_overlap)
        self._history = np.zeros((channels, n), np.float32)
        self._tail = np.zeros((stems, channels, span), np.float32)
        self._frame = np.zeros((channels, n), np.float32)
        self._spectrum = np.zeros((channels, bins), np.complex64)
        self._masking = masking(model, channels, bins)
        self._masked = np.zeros((stems, channels, bins), np.complex64)
        self._frames = np.zeros((stems, channels, n), np.float32)
        self._rendering = Rendering(render, model, channels, preset.framing)

    def step(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Separates one hop; `out` is delayed by 2M - H.

        Shape:
            hop: float32 [H, channels]; out: float32 [stems + 1, H, channels], the residual last.
        """
        self.nonfinite_samples += _core.push_frame(self._history, hop, self._analysis, self._frame)
        np.fft.rfft(self._frame, out=self._spectrum)  # type: ignore[arg-type]  # stubs know float64 only
        self._masking.apply(self._spectrum, self._masked)
        np.fft.irfft(self._masked, n=self._frame.shape[1], out=self._frames)  # type: ignore[arg-type]
        _core.overlap_add(self._frames, self._synthesis, self._tail, self._history, out)
        self._rendering.step(self._masked, out)

    def skip(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Like `step`, without model and FFT: stems run out, the residual takes over."""
        self.nonfinite_samples += _core.push_frame(self._history, hop, self._analysis, self._frame)
        self.model.skip()
        self._frames[...] = 0
        _core.overlap_add(self._frames, self._synthesis, self._tail, self._history, out)
        self._rendering.skip(out)

    @property
    def audio_state(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Views of the input that the next frame still holds [channels, N], and of what the frames so far
        add to the hops to come [stems, channels, 2M]."""
        return self._history, self._tail

    def follow(self, hop: NDArray[np.float32], tail: NDArray[np.float32]) -> None:
        """A hop that was separated elsewhere: its input, and the `audio_state` it left."""
        self.nonfinite_samples += _core.push_frame(self._history, hop, self._analysis, self._frame)
        self._tail[...] = tail

    def reset(self) -> None:
        """Silence in all memories."""
        self._history[...] = 0
        self._tail[...] = 0
        self.nonfinite_samples = 0
        self.model.reset()
        self._rendering.reset()

    def state_dict(self) -> State:
        """Copies of everything later output depends on, by name."""
        state: State = {
            "history": self._history.copy(),
            "tail": self._tail.copy(),
            "nonfinite_samples": np.array(self.nonfinite_samples, np.int64),
        }
        return state | joined_state({MODEL_PREFIX: self.model, RENDER_PREFIX: self._rendering})

    def load_state_dict(self, state: State) -> None:
        """Continues sample-exactly from `state_dict()`.

        Raises:
            ValueError: another kind of state, NaN or Inf, or values that the model refuses; nothing has
                changed then.
        """
        require_like(self.state_dict(), state, "pipeline")
        load_joined({MODEL_PREFIX: self.model, RENDER_PREFIX: self._rendering}, state)
        self._history[...] = state["history"]
        self._tail[...] = state["tail"]
        self.nonfinite_samples = int(state["nonfinite_samples"])
