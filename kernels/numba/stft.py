"""Numba twins of kernels/src/stft.cpp: framing, masks and overlap-add of the streaming STFT."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]

LOUDEST_SAMPLE = np.float32(1e12)
"""+240 dBFS is no sound but broken bits, and its power would overflow float32."""


@njit(nogil=True, fastmath={"contract"})
def push_frame(history: F32, hop: F32, window: F32, frame: F32) -> int:
    """Shifts `hop` [H, C] into `history` [C, N] and writes the windowed `frame` [C, N], all float32.

    NaN, Inf and samples beyond 1e12 become 0; returns how many.

    Raises:
        ValueError: sizes disagree.
    """
    channels, n = history.shape
    count = hop.shape[0]
    if (
        hop.shape[1] != channels
        or window.shape[0] != n
        or frame.shape != (channels, n)
        or not 1 <= count <= n
    ):
        raise ValueError("push_frame: sizes of history, hop, window and frame disagree")
    bad = 0
    for c in range(channels):
        h, f = history[c], frame[c]
        for i in range(n - count):
            h[i] = h[i + count]
        for i in range(count):
            x = hop[i, c]
            sound = abs(x) <= LOUDEST_SAMPLE  # false for NaN too
            h[n - count + i] = x if sound else np.float32(0)
            bad += not sound
        for i in range(n):
            f[i] = h[i] * window[i]
    return bad


@njit(nogil=True)
def apply_masks(spectrum: C64, masks: F32, out: C64) -> None:
    """out [S, C, B] complex64 = masks [S, B] float32 on every channel of spectrum [C, B] complex64.

    Raises:
        ValueError: sizes disagree.
    """
    channels, bins = spectrum.shape
    stems = masks.shape[0]
    if masks.shape[1] != bins or out.shape != (stems, channels, bins):
        raise ValueError("apply_masks: sizes of spectrum, masks and out disagree")
    for s in range(stems):
        for c in range(channels):
            for b in range(bins):
                out[s, c, b] = masks[s, b] * spectrum[c, b]


@njit(nogil=True, fastmath={"contract"})
def overlap_add(frames: F32, window: F32, tail: F32, history: F32, out: F32) -> None:
    """Adds the last 2M samples of `frames` [S, C, N] times `window` [2M] to `tail` [S, C, 2M].

    The first H samples are finished and go to out[:S] (out is [S + 1, H, C]); out[S] is the residual, the
    delayed input of `history` [C, N] minus the sum of stems. All float32 and C-contiguous.

    Raises:
        ValueError: sizes disagree.
    """
    stems, channels, n = frames.shape
    span, hop = window.shape[0], out.shape[1]
    if (
        tail.shape != (stems, channels, span)
        or span > n
        or history.shape != (channels, n)
        or out.shape[0] != stems + 1
        or out.shape[2] != channels
        or not 1 <= hop <= span
    ):
        raise ValueError("overlap_add: sizes of frames, window, tail, history and out disagree")
    for c in range(channels):
        for i in range(hop):
            out[stems, i, c] = history[c, n - span + i]
    for s in range(stems):
        for c in range(channels):
            frame, t = frames[s, c, n - span :], tail[s, c]
            for i in range(span):
                t[i] += frame[i] * window[i]
            for i in range(hop):
                out[s, i, c] = t[i]
                out[stems, i, c] -= t[i]
            for i in range(span - hop):
                t[i] = t[i + hop]
            t[span - hop :] = 0
