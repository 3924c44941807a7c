"""Analysis and synthesis of a hop (kernels/src/stft.cpp) as tensor operations: many streams at once, static
shapes.
"""

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.kernels import _core
from rtsep.kernels.windows import amplitude_scale, analysis_window, synthesis_window
from rtsep.models.framing import Framing

LOUDEST_SAMPLE = _core.LOUDEST_SAMPLE


class TensorStft(nn.Module):
    """Streaming STFT of S independent streams with C channels.

    Args:
        framing: window and hop; the synthesis window is twice the hop.
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, framing: Framing) -> None:
        super().__init__()
        self.framing = framing
        self.span = 2 * framing.half_overlap
        window = analysis_window(framing.window_samples, framing.half_overlap)
        self.power_scale = float(np.float32(amplitude_scale(window) ** 2))
        self.register_buffer("analysis", torch.from_numpy(window), persistent=False)
        synthesis = synthesis_window(framing.window_samples, framing.half_overlap)
        self.register_buffer("synthesis", torch.from_numpy(synthesis), persistent=False)

    def initial_state(self, streams: int, stems: int, channels: int) -> tuple[Tensor, Tensor]:
        """Silence: history [S, C, N], tail [S, stems, C, 2M]."""
        history = torch.zeros(streams, channels, self.framing.window_samples)
        return history, torch.zeros(streams, stems, channels, self.span)

    def analyse(self, hop: Tensor, history: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """hop [S, H, C] -> spectrum complex64 [S, C, B], history, and how many samples were no audio [S]."""
        usable = hop.abs() <= LOUDEST_SAMPLE  # False for NaN
        clean = torch.where(usable, hop, 0.0).transpose(1, 2)
        history = torch.cat([history[..., hop.shape[1] :], clean], -1)
        return torch.fft.rfft(history * self.analysis), history, (~usable).sum((1, 2))

    def power(self, spectrum: Tensor) -> Tensor:
        """Power averaged over channels [S, B]; a full-scale sine peaks at 1."""
        return (spectrum.real.square() + spectrum.imag.square()).mean(1) * self.power_scale

    def synthesise(
        self, spectrum: Tensor, masks: Tensor, history: Tensor, tail: Tensor
    ) -> tuple[Tensor, Tensor]:
        """spectrum [S, C, B], masks [S, stems, B] -> stems and residual [S, stems + 1, H, C], tail."""
        hop, size = self.framing.hop, self.framing.window_samples
        frames = torch.fft.irfft(masks[:, :, None] * spectrum[:, None], n=size)
        tail = tail + frames[..., size - self.span :] * self.synthesis
        stems = tail[..., :hop].transpose(2, 3)
        delayed = history[..., size - self.span : size - self.span + hop].transpose(1, 2)
        residual = delayed
        for stem in range(stems.shape[1]):  # in the kernel's order: the sum of all stems is the input
            residual = residual - stems[:, stem]
        return torch.cat([stems, residual[:, None]], 1), nn.functional.pad(tail[..., hop:], (0, hop))
