"""NumPy reference of kernels/src/assignment.cpp: assignment of the pitches that a network has found
to voices.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.assignments import (
    ALL_SING,
    BONUS,
    DOUBT,
    FAMILIAR_S,
    JUMP,
    MAX_EMISSION,
    MAX_REGISTER_COST,
    MEMORY_S,
    PEAKS,
    RANGE,
    REGISTER_COST,
    REGISTER_S,
    SILENT,
    SILENT_PLACE,
    SIZE,
    STEP,
    TOGGLE,
    all_assignments,
)

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
f32 = np.float32


class PitchAssignment:
    """See the kernel. Peaks come highest pitch first: but in free order, a later voice takes a later peak."""

    def __init__(self, voices: int, hop_s: float, free_order: bool = False) -> None:
        self.voices = voices
        self.hop_s = f32(hop_s)
        self.memory = np.exp(-self.hop_s / f32(MEMORY_S))
        self.assignments = all_assignments(voices, free_order)
        self.parent = np.full(SIZE, -1, np.int32)
        self.peaks = np.full((SIZE, voices), SILENT, np.int32)

    def step(
        self,
        place: F32,
        log_odds: F32,
        count: int,
        sung: F32,
        register_centre: F32,
        observed_s: F32,
        score: F32,
        chosen: I32,
        bias: F32 | None = None,
        pair_cost: F32 | None = None,
    ) -> None:
        """See the kernel."""
        bias = np.zeros((self.voices, PEAKS + 1), np.float32) if bias is None else bias
        bias = np.where(np.isfinite(bias), bias, f32(0))
        alive = int(np.argmin(np.isfinite(score))) if not np.isfinite(score).all() else SIZE
        if alive == 0:
            sung[0], register_centre[0], observed_s[0], score[0] = SILENT_PLACE, 0, 0, 0
            alive = 1
        odds = np.where(np.isfinite(log_odds), log_odds, f32(0))
        odds = np.where(odds < 0, f32(DOUBT) * odds, odds)
        emission = np.minimum(odds + f32(BONUS), f32(MAX_EMISSION))
        usable = [assignment for assignment in self.assignments if max(assignment) < count]
        best = np.full(len(usable), -np.inf, np.float32)
        parent = np.zeros(len(usable), np.intp)
        pairs = [self._pair_costs(assignment, pair_cost) for assignment in usable]
        for h in range(alive):
            choice_score = [
                self._choice_scores(
                    place, emission, count, sung[h, v], register_centre[h, v], observed_s[h, v], bias[v]
                )
                for v in range(self.voices)
            ]
            past = self.memory * score[h]
            for w, assignment in enumerate(usable):
                total = past + f32(ALL_SING) if SILENT not in assignment else past
                total = total - pairs[w]
                for v, peak in enumerate(assignment):
                    total = total + choice_score[v][peak + 1]
                if total > best[w]:
                    best[w], parent[w] = total, h
        order = np.argsort(-best, kind="stable")[: min(SIZE, int(np.isfinite(best).sum()))]
        before = register_centre.copy(), observed_s.copy()
        sung[...], register_centre[...], observed_s[...] = SILENT_PLACE, 0, 0
        score[...] = -np.inf
        self.parent[...], self.peaks[...] = -1, SILENT
        for k, w in enumerate(order):
            score[k] = best[w] - best[order[0]]
            self.parent[k], self.peaks[k] = parent[w], usable[w]
            for v, peak in enumerate(usable[w]):
                register_centre[k, v], observed_s[k, v] = (was[parent[w], v] for was in before)
                if k == 0:
                    chosen[v] = peak
                if peak != SILENT:
                    sung[k, v] = place[peak]
                if SILENT not in usable[w]:
                    observed_s[k, v] = min(observed_s[k, v] + self.hop_s, f32(REGISTER_S))
                    register_centre[k, v] = register_centre[k, v] + (self.hop_s / observed_s[k, v]) * (
                        place[peak] - register_centre[k, v]
                    )

    def _pair_costs(self, assignment: tuple[int, ...], pair_cost: F32 | None) -> f32:
        """What the pairs of voices cost that are on one peak, and those that cross."""
        sharing, crossing = f32(0), f32(0)
        for v, w in itertools.combinations(range(self.voices), 2):
            if SILENT in (assignment[v], assignment[w]):
                continue
            if assignment[v] == assignment[w]:
                sharing = sharing + (f32(np.inf) if pair_cost is None else pair_cost[v, w])
            elif assignment[v] > assignment[w]:
                crossing = crossing + (f32(0) if pair_cost is None else pair_cost[w, v])
        return sharing + crossing

    def trace(self, parent: I32, peaks: I32) -> None:
        """See the kernel."""
        parent[...], peaks[...] = self.parent, self.peaks

    def _choice_scores(
        self, place: F32, emission: F32, count: int, now: f32, centre: f32, observed: f32, bias: F32
    ) -> list[f32]:
        sounding = now >= 0
        scores = [(f32(-TOGGLE) if sounding else f32(0)) + bias[0]]
        familiar = min(observed / f32(FAMILIAR_S), f32(1))
        for p in range(count):
            transition = min(f32(STEP) * abs(place[p] - now), f32(JUMP)) if sounding else f32(TOGGLE)
            away = (place[p] - centre) / f32(RANGE)
            register_cost = familiar * min(f32(REGISTER_COST) * (away * away), f32(MAX_REGISTER_COST))
            scores.append(((emission[p] - transition) - register_cost) + bias[p + 1])
        return scores
