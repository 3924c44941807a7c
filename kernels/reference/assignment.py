"""NumPy reference of kernels/src/assignment.cpp: who sings which of the pitches that a network has found."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.assignments import (
    ALL_SING,
    BONUS,
    DOUBT,
    FAMILIAR_S,
    JUMP,
    MEMORY_S,
    MOST_EARNED,
    MOST_STRAY,
    RANGE,
    REGISTER_S,
    SILENT,
    SILENT_PLACE,
    SIZE,
    STEP,
    STRAY,
    TOGGLE,
    ways,
)

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
f32 = np.float32


class PitchAssignment:
    """See the kernel. Peaks come highest pitch first, so a later voice takes a later peak."""

    def __init__(self, voices: int, hop_s: float) -> None:
        self.voices = voices
        self.hop_s = f32(hop_s)
        self.memory = np.exp(-self.hop_s / f32(MEMORY_S))
        self.ways = ways(voices)

    def step(
        self,
        place: F32,
        log_odds: F32,
        count: int,
        sung: F32,
        home: F32,
        heard_s: F32,
        score: F32,
        chosen: I32,
    ) -> None:
        """See the kernel."""
        alive = int(np.argmin(np.isfinite(score))) if not np.isfinite(score).all() else SIZE
        if alive == 0:
            sung[0], home[0], heard_s[0], score[0] = SILENT_PLACE, 0, 0, 0
            alive = 1
        odds = np.where(np.isfinite(log_odds), log_odds, f32(0))
        odds = np.where(odds < 0, f32(DOUBT) * odds, odds)
        earned = np.minimum(odds + f32(BONUS), f32(MOST_EARNED))
        usable = [way for way in self.ways if max(way) < count]
        best = np.full(len(usable), -np.inf, np.float32)
        parent = np.zeros(len(usable), np.intp)
        for h in range(alive):
            worth = [
                self._worth(place, earned, count, sung[h, v], home[h, v], heard_s[h, v])
                for v in range(self.voices)
            ]
            past = self.memory * score[h]
            for w, way in enumerate(usable):
                total = past + f32(ALL_SING) if SILENT not in way else past
                for v, peak in enumerate(way):
                    total = total + worth[v][peak + 1]
                if total > best[w]:
                    best[w], parent[w] = total, h
        order = np.argsort(-best, kind="stable")[:SIZE]
        before = home.copy(), heard_s.copy()
        sung[...], home[...], heard_s[...] = SILENT_PLACE, 0, 0
        score[...] = -np.inf
        for k, w in enumerate(order):
            score[k] = best[w] - best[order[0]]
            for v, peak in enumerate(usable[w]):
                home[k, v], heard_s[k, v] = (was[parent[w], v] for was in before)
                if k == 0:
                    chosen[v] = peak
                if peak != SILENT:
                    sung[k, v] = place[peak]
                if SILENT not in usable[w]:
                    heard_s[k, v] = min(heard_s[k, v] + self.hop_s, f32(REGISTER_S))
                    home[k, v] = home[k, v] + (self.hop_s / heard_s[k, v]) * (place[peak] - home[k, v])

    def _worth(self, place: F32, earned: F32, count: int, now: f32, usual: f32, heard: f32) -> list[f32]:
        sounding = now >= 0
        worth = [f32(-TOGGLE) if sounding else f32(0)]
        familiar = min(heard / f32(FAMILIAR_S), f32(1))
        for p in range(count):
            price = min(f32(STEP) * abs(place[p] - now), f32(JUMP)) if sounding else f32(TOGGLE)
            away = (place[p] - usual) / f32(RANGE)
            stray = familiar * min(f32(STRAY) * (away * away), f32(MOST_STRAY))
            worth.append((earned[p] - price) - stray)
        return worth
