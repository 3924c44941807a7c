"""NumPy references of kernels/src/lpc.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

LEAST_POWER = 1e-12
"""Added to |A|^2, which is 0 where two line frequencies meet: the envelope stops at +120 dB."""


def lsf_to_lpc(lsf: F32, lpc: F64) -> None:
    """Line spectral frequencies [V, order] (rad, ascending in 0..pi) to lpc [V, order + 1], lpc[:, 0] = 1.

    A(z) = 1/2 [(1 + 1/z) P'(z) + (1 - 1/z) Q'(z)], P' and Q' the products over the odd and the even
    frequencies of 1 - 2 cos w / z + 1 / z^2 (Schulze-Forster et al., arXiv 2201.09592). Ordered frequencies
    give a stable 1/A. A row with a frequency that is not finite becomes the flat filter, A = 1.
    """
    for row, w in enumerate(lsf.astype(np.float64)):
        p, q = np.ones(1), np.ones(1)
        if not np.isfinite(w).all():
            lpc[row] = np.eye(1, lpc.shape[1])[0]
            continue
        for odd, even in zip(w[0::2], w[1::2], strict=True):
            p = np.convolve(p, [1.0, -2.0 * np.cos(odd), 1.0])
            q = np.convolve(q, [1.0, -2.0 * np.cos(even), 1.0])
        lpc[row] = 0.5 * (np.convolve(p, [1.0, 1.0]) + np.convolve(q, [1.0, -1.0]))[:-1]


class AllPoleEnvelope:
    """1/|A| on `bins` frequencies spread evenly over 0..Nyquist.

    Args:
        order: even, 2 to 64.
        bins: n_fft // 2 + 1.
    """

    def __init__(self, order: int, bins: int) -> None:
        self.order, self.bins = order, bins

    def apply(self, lsf: F32, out: F32) -> None:
        """out [V, bins] from lsf [V, order]."""
        lpc = np.empty((lsf.shape[0], self.order + 1))
        lsf_to_lpc(lsf, lpc)
        response = np.fft.rfft(lpc, 2 * (self.bins - 1)) if self.bins > self.order else self._few_bins(lpc)
        out[...] = 1.0 / np.sqrt(np.abs(response) ** 2 + LEAST_POWER)

    def _few_bins(self, lpc: F64) -> NDArray[np.complex128]:
        """An FFT this short would cut the coefficients off."""
        w = np.pi * np.arange(self.bins) / (self.bins - 1)
        return np.asarray(lpc @ np.exp(-1j * np.outer(np.arange(self.order + 1), w)))


class AllPoleFilter:
    """Frame-wise all-pole filter of Schulze-Forster et al. (arXiv 2201.09592).

    Frames of 2 * hop samples start every hop; each is filtered by its own 1/A from a zero state, weighted by
    a periodic Hann window and overlap-added. The first half of frame 0 is not windowed: nothing overlaps it.

    Args:
        order: even, 2 to 64.
        hop: samples between frames.
    """

    def __init__(self, order: int, hop: int) -> None:
        self.order, self.hop = order, hop
        self.window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)

    def apply(self, excitation: F32, lsf: F32, out: F32) -> None:
        """out [V, samples] from excitation [V, samples] and lsf [V, frames, order], frames = ceil(samples /
        hop)."""
        voices, samples = excitation.shape
        frames, hop = lsf.shape[1], self.hop
        lpc = np.empty((voices * frames, self.order + 1))
        lsf_to_lpc(lsf.reshape(voices * frames, self.order), lpc)
        lpc = lpc.reshape(voices, frames, self.order + 1)
        padded = np.zeros((voices, (frames + 1) * hop))
        padded[:, :samples] = np.where(np.isfinite(excitation), excitation, 0.0)
        y = np.zeros((voices, frames, self.order + 2 * hop))
        for f in range(frames):
            y[:, f, self.order :] = padded[:, f * hop : (f + 2) * hop]
        backwards = lpc[:, :, :0:-1]
        for n in range(self.order, self.order + 2 * hop):
            y[:, :, n] -= np.einsum("vfk,vfk->vf", backwards, y[:, :, n - self.order : n])
        total = np.zeros_like(padded)
        for f in range(frames):
            window = self.window.copy()
            if f == 0:
                window[:hop] = 1.0
            total[:, f * hop : (f + 2) * hop] += window * y[:, f, self.order :]
        out[...] = total[:, :samples]
