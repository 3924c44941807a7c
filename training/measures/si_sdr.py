"""Scale-invariant signal-to-distortion ratio, the one number of the evaluation."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def si_sdr_db(target: ArrayLike, estimate: ArrayLike) -> NDArray[np.float64]:
    """SI-SDR along the last axis, in dB.

    With alpha = <s, s_hat> / <s, s>: 10 log10(|alpha s|^2 / |alpha s - s_hat|^2)
    (Le Roux et al. 2019, eq. 3, as used by Schulze-Forster et al. 2022). Neither a gain on the
    target nor one on the estimate changes it; a constant offset does, because no mean is removed.

    Parameters
    ----------
    target, estimate : array_like, shape (..., samples)
        Broadcast against each other; computed in float64.

    Returns
    -------
    ndarray, shape (...)
        NaN where the target or the estimate is all zero, +inf for an exact copy.
    """
    s = np.asarray(target, dtype=np.float64)
    s_hat = np.asarray(estimate, dtype=np.float64)
    if s.shape[-1] != s_hat.shape[-1]:
        raise ValueError(f"target has {s.shape[-1]} samples, estimate has {s_hat.shape[-1]}")
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = np.sum(s * s_hat, axis=-1, keepdims=True) / np.sum(s * s, axis=-1, keepdims=True)
        projection = alpha * s
        distortion = projection - s_hat
        ratio = np.sum(projection * projection, axis=-1) / np.sum(distortion * distortion, axis=-1)
        return np.asarray(10.0 * np.log10(ratio), dtype=np.float64)
