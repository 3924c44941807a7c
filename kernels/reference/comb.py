"""NumPy reference of kernels/src/comb.cpp."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.comb_model import (
    BAND_SPREAD,
    BANDS,
    FLOOR_SHARE,
    HALF,
    HIGHEST_PARTIAL_HZ,
    INTERHARMONIC_FLOOR,
    ITERATIONS,
    LEAST_WEIGHT,
    LOUDEST,
    LOWEST_F0_HZ,
    MAX_PARTIALS,
    MAX_WIDEN,
    PRIOR_SHARE,
    TINY,
    UNEXPLAINED,
    UNSEEN,
    WIDEN,
    band_of,
)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def _read(envelope: F32, index: NDArray[np.intp], fraction: F64, unseen: F64) -> F64:
    """Log power of the envelope between bands; `unseen` where either band never held a partial."""
    lower, upper = envelope[index].astype(float), envelope[index + 1].astype(float)
    return np.where((lower > UNSEEN) & (upper > UNSEEN), lower + fraction * (upper - lower), unseen)


@dataclass
class _Partials:
    """Partials of one voice on the bins: K lobes of W bins each."""

    bins: NDArray[np.intp]
    """[K, W], where they lie in arrays with a margin on both sides."""
    weights: F64
    """[K, W], power response of the window around each partial."""
    band: NDArray[np.intp]
    fraction: F64
    levels: F64
    """[K], power of each partial."""


class AdaptiveComb:
    """How loud each voice is at each of its partials, read off the mixture, and the masks that follow.

    The mixture's power spectrum is modelled as a sum of window lobes, one per voice and partial. Levels start
    from each voice's smoothed envelope and are fitted by multiplicative updates for the Kullback-Leibler
    divergence (Lee and Seung, NIPS 2001): where two voices share a bin, each keeps what its envelope
    predicts. Bins that a voice owns alone teach its envelope, bins it shares hardly do.

    Args:
        voices: V.
        bins: N // 2 + 1.
        bin_hz: distance of bins.
        lobe: power response of the analysis window at 0, 1/oversampling, 2/oversampling, ... bins.
        oversampling: table entries per bin.
        learn: share of a new reading in the envelope, per hop.
        hold: how much of a silent voice's inter-harmonic floor stays, per hop.
        floor: power per bin that belongs to no voice.
    """

    def __init__(
        self,
        voices: int,
        bins: int,
        bin_hz: float,
        lobe: F32,
        oversampling: int,
        learn: float,
        hold: float,
        floor: float,
    ) -> None:
        self.voices, self.bins, self.bin_hz, self.lobe = voices, bins, np.float32(bin_hz), lobe
        self.oversampling, self.learn, self.hold, self.floor = oversampling, learn, hold, floor
        self.half = (lobe.size - 1) // oversampling
        self.bin_band = band_of(np.arange(bins, dtype=np.float32) * self.bin_hz)

    def step(
        self,
        power: F32,
        f0_hz: F32,
        envelope: F32,
        active: F32,
        before_hz: F32,
        masks: F32,
        levels_db: F32,
    ) -> None:
        """Writes masks [V, bins] and levels_db [V] (all partials of a voice) for one frame.

        Args:
            power: [bins], 1 = full-scale sine; negative or not finite is 0.
            f0_hz: [V]; below 20 Hz or not finite: unvoiced.
            envelope: [V, BANDS], state: log power.
            active: [V], state: 1 while voiced, then fading.
            before_hz: [V], state: the last pitch.
        """
        clean = self._clean(power)
        observed = np.pad(clean, self.half)
        ground = FLOOR_SHARE * clean.mean() + TINY
        placed = [self._place(f0_hz[v], before_hz[v], envelope[v], observed) for v in range(self.voices)]
        for _ in range(ITERATIONS):
            model = self._fit(placed, observed, ground)
        source = np.zeros((self.voices, self.bins))
        for v, voice in enumerate(placed):
            levels_db[v] = 10.0 * np.log10(1e-12 + voice.levels.sum())
            self._learn(voice, model, envelope[v])
            active[v] = 1.0 if voice.levels.size else active[v] * self.hold
            before_hz[v] = f0_hz[v] if np.isfinite(f0_hz[v]) else 0.0
            source[v] = self._render(voice, envelope[v], float(active[v]))
        masks[...] = self._masks(source, clean)

    @staticmethod
    def _clean(power: F32) -> F64:
        return np.where(np.isfinite(power) & (power > 0), np.minimum(power, LOUDEST), 0.0).astype(float)

    def _place(self, f0: np.float32, before: np.float32, envelope: F32, observed: F64) -> _Partials:
        """Lobes of one voice: where they lie, how wide the moving pitch makes them, and what level the
        envelope predicts."""
        count = 0
        if np.isfinite(f0) and f0 >= LOWEST_F0_HZ:
            top_hz = min(np.float32(HIGHEST_PARTIAL_HZ), np.float32(self.bins - 1) * self.bin_hz)
            count = min(MAX_PARTIALS, int(top_hz / f0))
        k = np.arange(1, count + 1, dtype=np.float32)
        centre = k * f0 / self.bin_hz if count else k
        nearest = (centre + np.float32(0.5)).astype(int)
        moved_bins = abs(float(f0) - float(before)) / float(self.bin_hz) if before > 0 else 0.0
        stretch = 1.0 / (1.0 + np.minimum(MAX_WIDEN, WIDEN * k * moved_bins))
        at = nearest[:, None] + np.arange(-self.half, self.half + 1)
        x = np.abs(at - centre[:, None].astype(float)) * stretch[:, None] * self.oversampling
        inside = (x < self.lobe.size - 1) & (at >= 0) & (at < self.bins)
        weights = np.where(inside, np.interp(x, np.arange(self.lobe.size), self.lobe), 0.0)
        index, fraction = band_of(k * f0 if count else k)
        unseen = np.log(HALF * observed[nearest + self.half] + TINY)
        levels = np.exp(_read(envelope, index, fraction, unseen))
        return _Partials(at + self.half, weights, index, fraction, levels)

    def _fit(self, placed: list[_Partials], observed: F64, base: F64 | float) -> F64:
        """One multiplicative update of all levels; returns the model, `base` and partials, that it used."""
        model = np.full(observed.size, base)
        for voice in placed:
            np.add.at(model, voice.bins, voice.levels[:, None] * voice.weights)
        for voice in placed:
            ratio = (voice.weights * (observed / model)[voice.bins]).sum(axis=1)
            ratio /= np.maximum(voice.weights.sum(axis=1), 1e-6)
            voice.levels = np.maximum(voice.levels * ratio, TINY)
        return model

    def _own(self, voice: _Partials, model: F64) -> F64:
        """How much of the power under every partial's lobe is its own, [K]."""
        own = (voice.levels[:, None] * voice.weights**2).sum(axis=1)
        everybody = (model[voice.bins] * voice.weights).sum(axis=1)
        return np.asarray(np.minimum(1.0, own / np.maximum(everybody, TINY)))

    def _learn(self, voice: _Partials, model: F64, envelope: F32) -> None:
        """Envelope in log power: partials weigh by closeness and by how much of their bins is their own.

        Those under the floor teach nothing: after a muted input the voices are as they were before.
        """
        share = self._own(voice, model)
        distance = (np.arange(BANDS) - (voice.band + voice.fraction)[:, None]) / BAND_SPREAD
        near = np.abs(np.arange(BANDS) - voice.band[:, None]) <= int(3.0 * BAND_SPREAD) + 1
        g = np.where(
            near & (voice.levels >= self.floor)[:, None], share[:, None] * np.exp(-0.5 * distance**2), 0.0
        )
        weight = g.sum(axis=0)
        informed = weight >= LEAST_WEIGHT
        reading = (g * np.log(voice.levels)[:, None]).sum(axis=0) / np.where(informed, weight, 1.0)
        rate = np.where(envelope > UNSEEN, self.learn * np.minimum(1.0, weight), 1.0)
        envelope[informed] += (rate * (reading - envelope))[informed]

    def _render(self, voice: _Partials, envelope: F32, active: float) -> F64:
        """Power of one voice on the bins: lobes at levels between envelope and fit, and the inter-harmonic
        floor between."""
        linear = np.where(
            envelope > UNSEEN, INTERHARMONIC_FLOOR * active * np.exp(envelope.astype(float)), 0.0
        )
        source = self._interharmonic_floor(linear)
        fitted = np.log(voice.levels)
        prior = _read(envelope, voice.band, voice.fraction, fitted)
        level = np.exp(fitted + PRIOR_SHARE * (prior - fitted))
        np.add.at(source, voice.bins, level[:, None] * voice.weights)
        return source[self.half : self.half + self.bins]

    def _interharmonic_floor(self, linear: NDArray[np.floating]) -> F64:
        """Power between partials on the padded bins: linear between the bands of a voice."""
        index, fraction = self.bin_band
        return np.pad(linear[index] + fraction * (linear[index + 1] - linear[index]), self.half)

    def _masks(self, source: F64, clean: F64) -> F64:
        """Wiener masks; what lies under the absolute floor, or exceeds all voices by far (a drum, a piano,
        applause), belongs to no voice and stays in the residual."""
        voices = self.floor + source.sum(axis=0)
        return np.asarray(source / (voices + np.maximum(0.0, clean - UNEXPLAINED * voices)))
