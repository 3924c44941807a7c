"""The stage's front end for training: windows and frames as on stage, many frames at once.

Twin of `rt.hop.pipeline`; a test holds them equal. Log bands are those of `models.networks.filterbank`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.framing import Framing


@dataclass(frozen=True)
class TorchFrontend:
    """Spectra of whole signals as the stage would see them hop by hop.

    Attributes:
        framing: window and half overlap; the hop may be a multiple of the stage's (`stride`).
        stride: every how many hops a frame is taken.
    """

    framing: Framing
    stride: int = 1

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.framing.hop * self.stride

    def spectra(self, signals: Tensor, first: int, frames: int) -> Tensor:
        """Frames first .. first + frames - 1, scaled to amplitudes; frame k ends with sample (k + 1) hop - 1.

        Shape:
            signals: float32 [..., samples]; samples before the first and after the last are zero.
            returns complex64 [..., frames, bins].
        """
        window = analysis_window(self.framing.window_samples, self.framing.half_overlap)
        size = self.framing.window_samples
        start = (first + 1) * self.hop - size
        stop = (first + frames) * self.hop
        held = signals[..., max(start, 0) : max(min(stop, signals.shape[-1]), 0)]
        missing = stop - max(start, 0) - held.shape[-1]
        held = torch.nn.functional.pad(held, (max(-start, 0), missing))
        framed = held.unfold(-1, size, self.hop)
        scaled = torch.from_numpy(window * np.float32(amplitude_scale(window)))
        spectra: Tensor = torch.fft.rfft(framed * scaled.to(signals.device))
        return spectra

    def pitch_times_s(self, first: int, frames: int) -> NDArray[np.float64]:
        """Stream time at which the F0 of each frame is meant, see `Framing.pitch_delay_s`."""
        ends = (np.arange(first, first + frames) + 1) * self.hop
        return np.asarray(ends / self.framing.samplerate - self.framing.pitch_delay_s)
