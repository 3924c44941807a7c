"""Stems in order of pitch against stems that keep their parts, on choirs whose parts are known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rtsep.models.choir.parts.parts import Parts
from rtsep.rt.separator import Separator
from rtsep.training.choir.render.room import Response
from rtsep.training.choir.render.voicebank import Voicebank
from rtsep.training.evaluation.crossing_duets import PIECES, render_duet
from rtsep.training.evaluation.evaluate import OnProgress, workers
from rtsep.training.evaluation.stems import Mixture, read_mixture
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import SAMPLERATE, Audio, Scores

NAMED = "S,A,T,B"  # the parts of a quartet, with the ranges that choirs ask of them
Sung = tuple[Audio, Audio]  # stems float32 [voices, samples], mixture float32 [samples]


@dataclass(frozen=True)
class Orders:
    """Of a piece: mean SI-SDR in dB by order, over all performances, and by performance.

    Attributes:
        piece: which.
        mean_db: by order, `pitch`, `part` or `part S,A,T,B`.
        performances_db: by the name of the performance, likewise.
    """

    piece: str
    mean_db: dict[str, float]
    performances_db: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Performance:
    """A piece as somebody sang it: `sing` reads or renders it in the process that needs it."""

    piece: str
    name: str
    voices: int
    sing: Callable[[], Sung]

    @property
    def orders(self) -> tuple[str, ...]:
        """What makes sense for it."""
        return (
            ("pitch", "part", f"part {NAMED}") if self.voices == len(NAMED.split(",")) else ("pitch", "part")
        )


def duets(casts: int, banks: tuple[Voicebank, ...], responses: tuple[Response, ...]) -> list[Performance]:
    """Every one of `PIECES` with so many casts."""
    return [
        Performance(piece, f"cast {cast}", 2, partial(_duet, piece, cast, banks, responses))
        for piece in PIECES
        for cast in range(casts)
    ]


def _duet(piece: str, cast: int, banks: tuple[Voicebank, ...], responses: tuple[Response, ...]) -> Sung:
    duet = render_duet(piece, cast, banks, responses)
    return duet.stems, duet.stems.sum(axis=0) + duet.noise


def recorded(mixtures: list[Mixture]) -> list[Performance]:
    """Real choirs."""
    return [
        Performance("recorded", mixture.name, len(mixture.files), partial(_recorded, mixture))
        for mixture in mixtures
    ]


def _recorded(mixture: Mixture) -> Sung:
    stems = read_mixture(mixture)
    return stems, stems.sum(axis=0)


def compare_orders(
    performances: list[Performance],
    latency_ms: int,
    jobs: int = 1,
    progress: OnProgress = lambda done, total, label: None,
) -> list[Orders]:
    """Separates each performance in every order; stems are scored against the true parts.

    Args:
        performances: see `duets` and `recorded`.
        latency_ms: preset.
        jobs: processes.
        progress: called with the number of finished performances, their total, and what was finished.
    """
    found: dict[str, dict[str, dict[str, Scores]]] = {}
    with workers(jobs) as spread:
        each = zip(performances, spread(partial(_scores, latency_ms), performances), strict=True)
        for done, (performance, scores) in enumerate(each, start=1):
            found.setdefault(performance.piece, {})[performance.name] = scores
            progress(done, len(performances), f"{performance.piece}, {performance.name}")
    return [_summary(piece, by_name) for piece, by_name in found.items()]


def _scores(latency_ms: int, performance: Performance) -> dict[str, Scores]:
    stems, mixture = performance.sing()
    found = {}
    for order in performance.orders:
        _, _, named = order.partition(" ")
        parts = None if order == "pitch" else Parts.parse(named or None, {}, performance.voices)
        separator = Separator.load(
            voices=performance.voices, samplerate=SAMPLERATE, latency_ms=latency_ms, parts=parts
        )
        voices, _ = stream(separator, mixture)
        found[order] = protocol.score(stems, voices, mixture=mixture)
    return found


def _summary(piece: str, by_name: dict[str, dict[str, Scores]]) -> Orders:
    performances_db = {
        name: {order: _mean_db([score]) for order, score in scores.items()}
        for name, scores in by_name.items()
    }
    orders = next(iter(by_name.values()))
    mean_db = {order: _mean_db([scores[order] for scores in by_name.values()]) for order in orders}
    return Orders(piece, mean_db, performances_db)


def _mean_db(scores: list[Scores]) -> float:
    mean_db = protocol.summarise(protocol.pool(scores)).mean_db
    return float("nan") if mean_db is None else mean_db
