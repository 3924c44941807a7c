"""NumPy references of kernels/src/beam.cpp: float32 and in its order of additions, so that decisions agree
exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
f32 = np.float32

SIZE = 12
"""Hypotheses kept."""
SILENT = -1
APART = 3
"""Voices lie more than 60 cents apart; closer, one comb is all there is to see."""
GLIDE = 3
"""Candidates a voice may glide per hop without counting as a jump."""
MISSING = 2.0
"""Cost of a voice with no partial of its own present."""
SOUNDING = 0.7
"""Cost of a voice: fewer voices win where peaks are explained anyway."""
JUMP = 3.0
"""Cost of a new pitch, in emission of one hop."""
STEP = 0.1
"""Price per candidate (20 cents) of gliding."""
TOGGLE = 1.0
"""Cost of entering or leaving."""
REENTRY, REENTRY_PER_STEP = 0.1, 0.02
"""Cost of entering far from where the voice last sang."""
MEMORY = 0.7
"""Share of the past score kept per hop."""
RESEEDED = 4
"""Hypotheses that may turn into the fresh greedy reading."""
NEVER = -1e9
"""Below any gain."""


@dataclass
class _Proposal:
    pitch: tuple[int, ...]
    parent: int
    score: np.float32


class PitchBeam:
    """Who sings which candidate: a beam over joint hypotheses of all voices, one step per hop.

    A hypothesis gives every voice a candidate or silence, highest voice first. Its emission is the weight of
    the peaks that at least one voice explains (a noisy-or over voices, so that a second voice gains only what
    the first leaves open), less what is missing of each voice and a cost per sounding voice.

    Args:
        voices: V, 1..4.
        candidates: G, ascending in pitch.
        max_peaks: P.
    """

    def __init__(self, voices: int, candidates: int, max_peaks: int) -> None:
        self.voices, self.candidates, self.max_peaks = voices, candidates, max_peaks

    def step(self, weight: F32, covered: F32, missing: F32, pitch: I32, last: I32, score: F32) -> None:
        """Turns the beam by one hop.

        Args:
            weight, covered, missing: [P], [G, P], [G], of `Coverage.compute`.
            pitch: [SIZE, V], state: candidate or -1, best hypothesis first.
            last: [SIZE, V], state: where each voice last sang, or -1.
            score: [SIZE], state: 0 for the best, -inf where the beam has no hypothesis. Without any, the beam
                starts again from silence.
        """
        sounding = np.flatnonzero(weight > 0)
        self.used = int(sounding[-1]) + 1 if sounding.size else 0
        self.weight, self.covered, self.missing = weight[: self.used], covered[:, : self.used], missing
        alive = int(np.isfinite(score).cumprod().sum())
        if alive == 0:
            pitch[0], last[0], score[0], alive = SILENT, SILENT, 0, 1
        readings = [(p, h) for h in range(alive) for p in self._from(tuple(map(int, pitch[h])))]
        fresh = self._fresh()
        readings += [(fresh, h) for h in range(min(alive, RESEEDED)) if fresh is not None]
        proposals = [_Proposal(p, h, self._score(p, pitch[h], last[h], score[h])) for p, h in readings]
        proposals.sort(key=lambda p: -p.score)  # stable: of equals the first proposed
        self._keep_best(proposals, pitch, last, score)

    def _open(self, pitch: tuple[int, ...], skip: int = -1) -> F32:
        """Weight of each peak that all voices but `skip` leave unexplained."""
        rest = self.weight.copy()
        for v, c in enumerate(pitch):
            if v != skip and c != SILENT:
                rest *= f32(1) - self.covered[c]
        return rest

    def _gains(self, rest: F32) -> F32:
        """What every candidate would add to the peaks left open: [G]."""
        gain = f32(-MISSING) * self.missing
        for p in range(self.used):
            gain += rest[p] * self.covered[:, p]
        return gain

    def _in_order(self, pitch: tuple[int, ...], voice: int) -> NDArray[np.bool_]:
        """Candidates [G] that keep `voice` between its neighbours."""
        c = np.arange(self.candidates)
        allowed = np.ones(self.candidates, bool)
        for u, other in enumerate(pitch):
            if u != voice and other != SILENT:
                allowed &= (c < other - APART) if u < voice else (c > other + APART)
        return allowed

    def _from(self, pitch: tuple[int, ...]) -> list[tuple[int, ...]]:
        """What one hypothesis may become: all glide, then one voice jumps to its best or second-best peak of
        gain, enters, or falls silent."""
        base = self._glide(pitch)
        proposals = [base]
        for v in range(self.voices):
            gain = np.where(self._in_order(base, v), self._gains(self._open(base, v)), f32(NEVER))
            tops = 1 + np.flatnonzero((gain[1:-1] > gain[:-2]) & (gain[1:-1] >= gain[2:]))
            tops = tops[np.argsort(-gain[tops], kind="stable")][:2]
            choices = [c for c in (*tops.tolist(), SILENT) if c != base[v]]
            proposals += [(*base[:v], c, *base[v + 1 :]) for c in choices]
        return proposals

    def _glide(self, start: tuple[int, ...]) -> tuple[int, ...]:
        """Each voice in turn to its best candidate near where it was, twice."""
        base = list(start)
        for v in [*range(self.voices)] * 2:
            if base[v] == SILENT:
                continue
            reach = np.arange(max(0, start[v] - GLIDE), min(self.candidates - 1, start[v] + GLIDE) + 1)
            reach = reach[self._in_order(tuple(base), v)[reach]]
            if reach.size:
                gain = self._gains(self._open(tuple(base), v))[reach]
                base[v] = int(reach[np.argmax(gain - f32(STEP) * np.abs(reach - start[v]).astype(f32))])
        return tuple(base)

    def _fresh(self) -> tuple[int, ...] | None:
        """A reading of this frame alone: the best candidate, then the best of what it leaves open, and so on.

        None if it does not fill all voices: an incomplete one says nothing about which voice is missing.
        """
        chosen: tuple[int, ...] = ()
        for _ in range(self.voices):
            gain = self._gains(self._open(chosen))
            for other in chosen:
                gain[max(0, other - APART) : other + APART + 1] = NEVER
            if not gain.max() > f32(SOUNDING):
                return None
            chosen += (int(np.argmax(gain)),)
        return tuple(sorted(chosen, reverse=True))

    def _score(self, pitch: tuple[int, ...], before: I32, previous: I32, past: np.float32) -> np.float32:
        emission, transition = f32(0), f32(0)
        for v, now in enumerate(pitch):
            if now == SILENT:
                transition += f32(TOGGLE) * (before[v] != SILENT)
                continue
            emission -= f32(MISSING) * self.missing[now] + f32(SOUNDING)
            if before[v] != SILENT:
                transition += min(f32(STEP) * f32(abs(now - before[v])), f32(JUMP))
                continue
            transition += f32(TOGGLE)
            if previous[v] != SILENT:
                transition += f32(REENTRY) * min(f32(1), f32(REENTRY_PER_STEP) * f32(abs(now - previous[v])))
        explained = np.concatenate(([emission], self.weight - self._open(pitch)))
        emission = np.add.accumulate(explained, dtype=f32)[-1]
        score = f32(MEMORY) * past + emission - transition
        return score if np.isfinite(score) else f32(-np.inf)

    def _keep_best(self, proposals: list[_Proposal], pitch: I32, last: I32, score: F32) -> None:
        """The best proposals that differ by more than a candidate in some voice."""
        previous = last.copy()
        pitch[...], last[...], score[...] = SILENT, SILENT, -np.inf
        kept: list[tuple[int, ...]] = []
        for p in proposals:
            if len(kept) == SIZE or not np.isfinite(p.score):
                break
            if any(_alike(p.pitch, other) for other in kept):
                continue
            now = np.array(p.pitch, np.int32)
            pitch[len(kept)] = now
            last[len(kept)] = np.where(now != SILENT, now, previous[p.parent])
            score[len(kept)] = p.score - proposals[0].score
            kept.append(p.pitch)


def _alike(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all((x == SILENT) == (y == SILENT) and abs(x - y) <= 1 for x, y in zip(a, b, strict=True))
