"""Ideal masks: what masking can reach at best, on the stage's own frames and on the paper's.

M_j = |S_j| / sum_i |S_i|, applied to the mixture with its own phase (Schulze-Forster et al. 2022, section
III-C, with true stems in place of synthesised ones).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport
from rtsep.training.baselines.centred_stft import centred_istft, centred_stft
from rtsep.training.measures.protocol import Audio

# Keeps 0/0 at zero; far below the rounding of float32 audio.
FLOOR = 1e-12


# complex [voices, bins], whose sum is the mixture -> real [voices, bins]
MaskRule = Callable[[NDArray[np.complexfloating]], NDArray[np.floating]]


def ratio(spectra: NDArray[np.complexfloating], power: int = 1) -> NDArray[np.floating]:
    """|S_j|^power / sum_i |S_i|^power; 1 as published, 2 as in a Wiener filter."""
    weight = np.abs(spectra) ** power
    return np.asarray(weight / (weight.sum(axis=0) + FLOOR))


def phase_sensitive(spectra: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    """Re(S_j X*) / |X|^2 within 0..1: the real mask that comes nearest to each stem (Erdogan et al. 2015).

    The masks need not sum to one.
    """
    mixture = spectra.sum(axis=0)
    share = np.real(spectra * np.conj(mixture)) / (np.abs(mixture) ** 2 + FLOOR)
    return np.asarray(np.clip(share, 0.0, 1.0))


class IdealMasks:
    """A `MaskModel` that knows the stems of the stream it is asked to separate.

    It windows each stem exactly as the stage windows the mixture, so that only the masks are ideal: frame,
    overlap and latency are those of every other model. Frame n covers the N samples that end with hop n;
    before the first and after the last sample there is silence.

    Args:
        stems: float32 [voices, samples], voices of a mixture that is processed from its first sample on.
        framing: frame sizes.
        rule: from spectra of the stems to masks, see `ratio` and `phase_sensitive`.
    """

    def __init__(self, stems: Audio, framing: Framing, rule: MaskRule = ratio) -> None:
        voices = len(stems)
        n, hop = framing.window_samples, framing.hop
        self._names = tuple(f"voice-{i + 1}" for i in range(voices))
        self._framing = framing
        self._rule = rule
        self._window = analysis_window(n, framing.half_overlap)
        # silence for the frames that begin before the stream, and for those that flushing adds after it
        self._padded = np.concatenate(
            [np.zeros((voices, n - hop), np.float32), stems, np.zeros((voices, n), np.float32)], axis=1
        )
        self._hops = 0
        self._report = VoiceReport.silent(self._names)

    @property
    def stems(self) -> tuple[str, ...]:
        return self._names

    @property
    def report(self) -> VoiceReport:
        return self._report

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        start = self._hops * self._framing.hop
        frame = self._padded[:, start : start + self._framing.window_samples]
        if frame.shape[1] < self._framing.window_samples:
            masks[...] = 0  # beyond the known stems
        else:
            masks[...] = self._rule(np.fft.rfft(frame * self._window))
        self._hops += 1

    def skip(self) -> None:
        self._hops += 1

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        pass  # masks are computed together

    def reset(self) -> None:
        self._hops = 0

    def state_dict(self) -> State:
        return {"hops": np.array(self._hops, np.int64)}

    def load_state_dict(self, state: State) -> None:
        self._hops = int(state["hops"])


def centred_ideal_masks(stems: Audio) -> Audio:
    """Ideal ratio masks on the published STFT, see `rtsep.training.baselines.centred_stft`.

    Shape:
        stems: float32 [voices, samples], at least 1025 samples.
        returns float32 [voices, samples], which sum to the mixture.
    """
    spectra = centred_stft(stems)
    return centred_istft(ratio(spectra) * spectra.sum(axis=0), stems.shape[1])
