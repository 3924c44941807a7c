"""NumPy reference of kernels/src/guided_comb.cpp."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.comb_model import (
    FLOOR_SHARE,
    ITERATIONS,
    LOUDEST_LOG,
    MAX_PARTIALS,
    QUIETEST,
    TINY,
)
from rtsep.kernels.reference import comb
from rtsep.kernels.reference.comb import F32, F64

PARTIALS = MAX_PARTIALS


def _log_power(x: NDArray[np.floating]) -> F64:
    return np.where(np.isfinite(x), np.clip(x, QUIETEST, LOUDEST_LOG), QUIETEST).astype(float)


class GuidedComb(comb.AdaptiveComb):
    """Levels that a network predicts per voice and partial, corrected by the mixture, and the masks that
    follow.

    Arguments as those of `AdaptiveComb`; a silent voice's inter-harmonic floor is the network's to hold.
    """

    def __init__(
        self,
        voices: int,
        bins: int,
        bin_hz: float,
        lobe: F32,
        oversampling: int,
        learn: float,
        floor: float,
    ) -> None:
        super().__init__(voices, bins, bin_hz, lobe, oversampling, learn, 1.0, floor)

    def observe(self, power: F32, f0_hz: F32, envelope: F32, before_hz: F32, partials: F32) -> None:
        """The reading half of the adaptive comb: what the mixture says about every partial.

        Args:
            power, f0_hz, envelope, before_hz: as `AdaptiveComb.step`.
            partials: [V, K, 3], written: log power fitted from the voice's envelope, log power the envelope
                now predicts, and how much of what is under the lobe is the voice's own; QUIETEST, QUIETEST
                and 0 where there is no partial.
        """
        self._power = self._clean(power)
        self._observed = np.pad(self._power, self.half)
        self._ground = FLOOR_SHARE * self._power.mean() + TINY
        placed = [
            self._place(f0_hz[v], before_hz[v], envelope[v], self._observed) for v in range(self.voices)
        ]
        for _ in range(ITERATIONS):
            model = self._fit(placed, self._observed, self._ground)
        partials[...] = QUIETEST, QUIETEST, 0.0
        for v, voice in enumerate(placed):
            self._learn(voice, model, envelope[v])
            before_hz[v] = f0_hz[v] if np.isfinite(f0_hz[v]) else 0.0
            fitted = np.log(voice.levels)
            prior = comb._read(envelope[v], voice.band, voice.fraction, fitted)
            partials[v, : fitted.size] = np.stack([fitted, prior, self._own(voice, model)], axis=1)
        self._placed = placed

    def mask(self, level: F32, trust: F32, noise: F32, masks: F32, levels_db: F32) -> None:
        """The network's levels as the start of the same fit, blended with it in log power; the frame is the
        one last observed.

        Args:
            level: [V, K], log power predicted at partials.
            trust: [V, K], 0..1, share of the prediction against the fit.
            noise: [V, BANDS], log power between partials.
            masks, levels_db: [V, bins] and [V], written.
        """
        source = np.stack([self._interharmonic_floor(np.exp(_log_power(row))) for row in noise])
        predicted = _log_power(level)
        for v, voice in enumerate(self._placed):
            voice.levels = np.exp(predicted[v, : voice.levels.size])
        base = self._ground + source.sum(axis=0)
        for _ in range(ITERATIONS):
            self._fit(self._placed, self._observed, base)
        for v, voice in enumerate(self._placed):
            levels_db[v] = 10.0 * np.log10(1e-12 + voice.levels.sum())
            fitted = np.log(voice.levels)
            share = np.where(np.isfinite(trust[v]), np.clip(trust[v], 0.0, 1.0), 0.0)[: fitted.size]
            blended = np.exp(fitted + share * (predicted[v, : fitted.size] - fitted))
            np.add.at(source[v], voice.bins, blended[:, None] * voice.weights)
        masks[...] = self._masks(source[:, self.half : self.half + self.bins], self._power)
