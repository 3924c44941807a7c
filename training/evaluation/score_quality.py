"""What a score brings to the stems, and what a wrong one costs: the same choir with this score, with others
and with none."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rtsep.models.choir.score.score import Score
from rtsep.rt import one_call
from rtsep.rt.separator import Separator
from rtsep.training.evaluation.evaluate import OnProgress, workers
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import SAMPLERATE, Audio, Scores

WAYS = ("live", "file")  # followed as it is sung; aligned as a whole and decided from both ends
ANOTHER_KEY = 3.0  # semitones: far from a choir that has sunk, near enough for notes that fit by chance


@dataclass(frozen=True)
class Quality:
    """Of the stems with one score: mean SI-SDR in dB over all frames of all mixtures, `live` and `file`."""

    name: str
    live_db: float
    file_db: float


def scores_to_try(score: Score, other: Score | None) -> dict[str, Score | None]:
    """By name: none, the right one, the right one in another key, and wrong ones."""
    lower = tuple(
        tuple((start, end, midi - ANOTHER_KEY) for start, end, midi in part) for part in score.notes
    )
    found: dict[str, Score | None] = {
        "none": None,
        "the right one": score,
        f"written {ANOTHER_KEY:g} semitones lower": replace(score, notes=lower),
        f"a wrong --transpose {ANOTHER_KEY:g}": replace(score, transpose=ANOTHER_KEY),
    }
    return found if other is None else {**found, "of another piece": other}


def score_qualities(
    mixtures: list[Audio],
    tried: dict[str, Score | None],
    latency_ms: int,
    jobs: int,
    progress: OnProgress = lambda done, total, label: None,
) -> list[Quality]:
    """Separates every mixture with every score, live and as a file.

    Args:
        mixtures: their stems, float32 [voices, samples] at 16 kHz.
        tried: see `scores_to_try`.
        latency_ms: preset.
        jobs: processes.
        progress: called with the number of finished runs, their total, and what was finished.
    """
    todo = [(name, way, number) for name in tried for way in WAYS for number in range(len(mixtures))]
    found: dict[tuple[str, str], list[Scores]] = {}
    arguments = [(mixtures[number], tried[name], way) for name, way, number in todo]
    with workers(jobs) as spread:
        results = spread(partial(_separated, latency_ms), arguments)
        for done, ((name, way, _), scores) in enumerate(zip(todo, results, strict=True), start=1):
            found.setdefault((name, way), []).append(scores)
            progress(done, len(todo), f"score: {name}, {way}")
    return [Quality(name, *(_mean_db(found[name, way]) for way in WAYS)) for name in tried]


def _separated(latency_ms: int, task: tuple[Audio, Score | None, str]) -> Scores:
    stems, score, way = task
    mixture, voices = stems.sum(axis=0), len(stems)
    if way == "live":
        separator = Separator.load(voices=voices, samplerate=SAMPLERATE, latency_ms=latency_ms, score=score)
        return protocol.score(stems, stream(separator, mixture)[0])
    found = one_call.separate(
        mixture, SAMPLERATE, voices=voices, latency_ms=latency_ms, offline="on", score=score
    )
    return protocol.score(stems, np.stack(list(found.values())[:-1]))


def _mean_db(scores: list[Scores]) -> float:
    mean_db = protocol.summarise(protocol.pool(scores)).mean_db
    return float("nan") if mean_db is None else mean_db
