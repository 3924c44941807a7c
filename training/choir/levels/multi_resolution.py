"""Multi-resolution spectral loss of Schulze-Forster et al. (arXiv 2201.09592)."""

import torch
from torch import Tensor

WINDOWS = (2048, 1024, 512, 256, 128, 64)


def magnitudes(signal: Tensor, window: int) -> Tensor:
    """Hann window, 75 % overlap, end padded; 1e-10 inside the root. [n, samples] -> [n, bins, frames]."""
    hop = window // 4
    frames = -(-signal.shape[-1] // hop)
    padded = torch.nn.functional.pad(signal, (0, (frames - 1) * hop + window - signal.shape[-1]))
    shape = torch.hann_window(window, device=signal.device)
    spectrum = torch.stft(padded, window, hop, window=shape, center=False, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-10)


def multi_resolution_loss(target: Tensor, estimate: Tensor) -> Tensor:
    """Sum over window lengths of mean |S - S^| + mean |ln S - ln S^|; signals [n, samples]."""
    loss = torch.zeros((), device=target.device)
    for window in WINDOWS:
        s, found = magnitudes(target, window), magnitudes(estimate, window)
        loss = loss + (s - found).abs().mean() + (torch.log(s) - torch.log(found)).abs().mean()
    return loss
