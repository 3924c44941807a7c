"""Whether an adapted model is better, judged without stems on seconds that were never learnt from.

Two questions, and both must be answered yes with certainty. *As sung*: does the model, with a few ms of what
comes, come nearer to what a better-informed pass makes of the recording? *Remixed*: does it separate mixtures
of the choir's own voices, whose parts are known? The first knows real mistakes of the tracker, but its truth
is one model's opinion; the second's truth is exact, but its voices are estimates. How well they foretell the
gain against true stems is measured in training/README.md. That the model explains the mixture better is no
criterion: a network can do so while its voices get worse.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.adapt.rehearsal import Rehearsal
from rtsep.training.choir.adapt.remix import LABEL_SAMPLES, remix
from rtsep.training.choir.levels.mask_loss import MaskLoss
from rtsep.training.choir.levels.mixtures import F32
from rtsep.training.choir.levels.stream import LevelStream, excerpts, hop_pitches, level_stream
from rtsep.training.loop.processes import beside
from rtsep.training.measures.protocol import EXCERPT_SAMPLES, Scores, pool, score
from rtsep.training.seeds import generator

AS_SUNG, REMIXED = "as sung", "remixed"
REMIXES = 3
LEAST_SECONDS = 6  # with somebody in them
WORST_DB, BEST_DB = -30.0, 30.0  # one second must not decide alone
DRAWS, LOWER_SHARE = 4000, 0.05  # of the bootstrap

Seconds = NDArray[np.float64]  # SI-SDR [V, seconds] in dB, NaN where a voice is too quiet to count
Key = tuple[str, int]  # question, preset in ms


@dataclass(frozen=True)
class Verdict:
    """The gain in dB of SI-SDR, second by second paired.

    Attributes:
        gains_db: mean by question and preset.
        least_db: by question, over all presets: what the gain exceeds with a confidence of 95 %.
        seconds: that were judged, by question.
    """

    gains_db: dict[Key, float]
    least_db: dict[str, float]
    seconds: dict[str, int]

    @property
    def gain_db(self) -> float:
        """Mean of all."""
        return float(np.mean(list(self.gains_db.values())))

    @property
    def is_certain(self) -> bool:
        """Both questions are answered yes with certainty, and no preset pays for another."""
        return min(self.least_db.values()) > 0.0 and min(self.gains_db.values()) > 0.0

    def __str__(self) -> str:
        parts = []
        for question, least_db in self.least_db.items():
            by_preset = [(ms, gain) for (q, ms), gain in self.gains_db.items() if q == question]
            gains = ", ".join(f"{gain:+.2f} dB at {ms} ms" for ms, gain in by_preset)
            parts.append(
                f"{question} {gains} (all: at least {least_db:+.2f}, {self.seconds[question]} seconds)"
            )
        return "; ".join(parts)


@dataclass(frozen=True)
class _Part:
    """Excerpts of a stream to judge: each runs for four seconds and is judged for the next four."""

    stream: LevelStream
    starts: range  # samples, of the excerpts

    def score(self, loss: MaskLoss) -> Scores:
        hop = self.stream.hop
        hops = 2 * EXCERPT_SAMPLES // hop + 2  # estimates end a hop early
        found = []
        for start in self.starts:
            first = min(start // hop, self.stream.hops - hops)
            batch = excerpts([(self.stream, first)], hops)
            stems = batch.stems
            whole = slice(0, 2 * EXCERPT_SAMPLES)
            estimates = loss.estimates(beside(loss.net, batch)).cpu()
            found.append(score(stems[0, :, whole].numpy(), estimates[0, :, whole].numpy()))
        return pool(found)


class Judge:
    """Holds the held-out part of a rehearsal.

    Args:
        rehearsal: whose end it is.
        sung: by preset, the rehearsal with its better separated voices as targets.
        seed: of the remixes.
    """

    def __init__(self, rehearsal: Rehearsal, sung: dict[int, LevelStream], seed: int) -> None:
        end, warm = rehearsal.learnt_samples, EXCERPT_SAMPLES
        starts = range(end - warm, rehearsal.mixture.size - 2 * warm + 1, EXCERPT_SAMPLES)
        self._parts: dict[Key, list[_Part]] = {(AS_SUNG, ms): [_Part(s, starts)] for ms, s in sung.items()}
        rng = generator(seed, "remixes to judge by")
        voices, f0_hz = rehearsal.forward[:, end:], rehearsal.forward_hz[:, end // LABEL_SAMPLES :]
        self._parts |= {(REMIXED, ms): [] for ms in sung}
        for _ in range(REMIXES):
            stems, pitches = remix(voices, f0_hz, rng)
            # its own end goes before it, so that every second is judged warm
            stems = np.concatenate([stems[:, -warm:], stems], axis=1)
            pitches = np.concatenate([pitches[:, -warm // LABEL_SAMPLES :], pitches], axis=1)
            for ms in sung:
                stream = level_stream(_sum(stems), stems, hop_pitches(pitches, stems.shape[1], ms), ms)
                every = range(0, stems.shape[1] - 2 * warm + 1, EXCERPT_SAMPLES)
                self._parts[REMIXED, ms].append(_Part(stream, every))

    @torch.no_grad()
    def scores(self, loss: MaskLoss) -> dict[Key, Seconds]:
        """Of the network as it is."""
        return {
            key: _decibels(pool([part.score(loss) for part in parts])) for key, parts in self._parts.items()
        }

    def compare(self, before: dict[Key, Seconds], after: dict[Key, Seconds]) -> Verdict:
        """What has changed.

        Raises:
            RtsepError: hardly anybody sings in the held-out part.
        """
        rng = generator(0, "bootstrap of the gain")
        gains: dict[Key, float] = {}
        least, counted = {}, {}
        for question in (AS_SUNG, REMIXED):
            presets = [ms for q, ms in before if q == question]
            by_preset = np.array(
                [_mean(after[question, ms] - before[question, ms], axis=0) for ms in presets]
            )
            seconds = _mean(by_preset, axis=0)
            seconds = seconds[~np.isnan(seconds)]
            if seconds.size < LEAST_SECONDS:
                raise RtsepError(
                    f"{seconds.size} of the rehearsal's last {before[question, presets[0]].shape[1]} seconds "
                    f"can be judged, at least {LEAST_SECONDS} are needed",
                    "give a recording with singing up to its end",
                )
            drawn = seconds[rng.integers(seconds.size, size=(DRAWS, seconds.size))].mean(axis=1)
            least[question] = float(np.quantile(drawn, LOWER_SHARE))
            counted[question] = int(seconds.size)
            for ms, row in zip(presets, by_preset, strict=True):
                gains[question, ms] = float(np.nanmean(row))
        return Verdict(gains, least, counted)


def _sum(stems: F32) -> F32:
    return np.asarray(stems.sum(axis=0))


def _decibels(scores: Scores) -> Seconds:
    """A silent estimate of a sounding voice is as bad as can be."""
    bounded = np.clip(np.nan_to_num(scores.si_sdr_db, nan=WORST_DB), WORST_DB, BEST_DB)
    return np.where(scores.kept, bounded, np.nan)


def _mean(values: Seconds, axis: int) -> Seconds:
    """Of what is not NaN; NaN where all are."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
