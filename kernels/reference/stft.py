"""NumPy references of kernels/src/stft.cpp: what each kernel computes, written plainly."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]

LOUDEST_SAMPLE = 1e12
"""+240 dBFS is no sound but broken bits, and its power would overflow float32."""


def push_frame(history: F32, hop: F32, window: F32, frame: F32) -> int:
    """Shifts `hop` [H, C] into `history` [C, N] and writes the windowed `frame` [C, N].

    NaN, Inf and samples beyond 1e12 become 0; returns how many.
    """
    bad = ~(np.abs(hop) <= LOUDEST_SAMPLE)
    count = hop.shape[0]
    kept = history[:, count:].copy()
    history[:, : kept.shape[1]] = kept
    history[:, kept.shape[1] :] = np.where(bad, np.float32(0), hop).T
    frame[...] = history * window
    return int(bad.sum())


def apply_masks(spectrum: C64, masks: F32, out: C64) -> None:
    """out [S, C, B] = masks [S, B] on every channel of spectrum [C, B]."""
    out[...] = masks[:, None, :] * spectrum[None]


def overlap_add(frames: F32, window: F32, tail: F32, history: F32, out: F32) -> None:
    """Adds the last 2M samples of `frames` [S, C, N] times `window` [2M] to `tail` [S, C, 2M].

    The first H samples are finished and go to out[:S] (out is [S + 1, H, C]); out[S] is the residual, the
    delayed input minus the sum of stems.
    """
    stems, _, n = frames.shape
    span, hop = window.size, out.shape[1]
    tail += frames[..., n - span :] * window
    out[:stems] = tail[..., :hop].transpose(0, 2, 1)
    tail[..., : span - hop] = tail[..., hop:].copy()
    tail[..., span - hop :] = 0
    delayed = history[:, n - span : n - span + hop].T
    residual = delayed.copy()
    for stem in range(stems):
        residual -= out[stem]
    out[stems] = residual
