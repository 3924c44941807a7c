"""The engine's front end for training: windows, frames and log bands as on stage, many frames at once.

Twin of `rt.pipeline` (framing) and `kernels.filterbank`; a test holds them equal.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.filterbank import LogFilterbank
from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing


def amplitude_scale(window: NDArray[np.float32]) -> float:
    """Brings a spectrum to amplitudes: a full-scale sine peaks at half the window's sum."""
    return float(2.0 / window.sum(dtype=np.float64))


@dataclass(frozen=True)
class TorchFrontend:
    """Spectra of whole signals as the engine would see them hop by hop.

    Attributes:
        framing: window and half overlap; the hop may be a multiple of the engine's (`stride`).
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
        spectra: Tensor = torch.fft.rfft(framed * scaled)
        return spectra

    def pitch_times_s(self, first: int, frames: int) -> NDArray[np.float64]:
        """Stream time at which the F0 of each frame is meant, see `Framing.pitch_age_s`."""
        ends = (np.arange(first, first + frames) + 1) * self.hop
        return np.asarray(ends / self.framing.samplerate - self.framing.pitch_age_s)


class TorchFilterbank:
    """`LogFilterbank.apply` on tensors.

    Args:
        bank: the one to follow.
        bins: of the spectrum.
    """

    def __init__(self, bank: LogFilterbank, bins: int) -> None:
        # the kernel is linear before the logarithm: its response to unit vectors is its matrix
        columns = np.empty((bins, bank.centres_hz.size), np.float32)
        bank.apply(np.eye(bins, dtype=np.float32), columns)
        self._matrix = torch.from_numpy(np.exp(columns.astype(np.float64)) - bank.floor).float()
        self._floor = bank.floor

    def __call__(self, magnitude: Tensor) -> Tensor:
        """[..., bins] -> [..., bands]."""
        return torch.log(magnitude @ self._matrix.to(magnitude.device) + self._floor)
