"""`rtsep eval --stems` without its screen: systems x latencies x mixes x songs -> scores.

The frames are those of `rtsep.training.measures.protocol`, at each song's own sample rate.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.training.evaluation.bands.songs import Song, Stems, balanced
from rtsep.training.evaluation.bands.systems import find_system
from rtsep.training.evaluation.evaluate import workers
from rtsep.training.measures import protocol
from rtsep.training.measures.bss_eval import PUBLISHED_TAPS, BssScore, bss_eval
from rtsep.training.measures.protocol import Audio

RAW, BALANCED = "raw", "balanced"
MIXES = (RAW, BALANCED)


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        stems: to score.
        systems: names for `find_system`, in the order of the table.
        latencies_ms: presets.
        mixes: of `MIXES`.
        bss: compute BSS eval too, for systems that estimate everything that sounds.
        bss_taps: length of its filters.
    """

    stems: tuple[str, ...]
    systems: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    mixes: tuple[str, ...]
    bss: bool = False
    bss_taps: int = PUBLISHED_TAPS


class Run(NamedTuple):
    """A row of a table: a system at a latency in ms (None where it makes no difference) on a mix."""

    system: str
    latency_ms: int | None
    mix: str


@dataclass(frozen=True)
class StemScore:
    """One estimate against one stem of one song, over the frames that count.

    Attributes:
        si_sdr_db, improvement_db: means; the improvement is over the mixture, frame by frame.
        frames: that the energy rule keeps.
        nan_frames: of these without a ratio, because the estimate is silent: left out of both means.
    """

    si_sdr_db: float
    improvement_db: float
    frames: int
    nan_frames: int


@dataclass(frozen=True)
class SongResult:
    """One run on one song.

    Attributes:
        scores: by stem, then by candidate; only one, named "", but where a system chooses per stem.
        bss: by stem, where asked for and possible.
    """

    scores: dict[str, dict[str, StemScore]]
    bss: dict[str, BssScore]


@dataclass(frozen=True)
class BandEvaluation:
    """All results, one per song in the order of the songs."""

    songs: list[str]
    settings: Settings
    results: dict[Run, list[SongResult]]


def runs(settings: Settings) -> list[Run]:
    """Mix by mix; where latency makes no difference first, then latency by latency."""
    found = []
    for mix in settings.mixes:
        streaming = {name: find_system(name).streaming for name in settings.systems}
        found += [Run(name, None, mix) for name in settings.systems if not streaming[name]]
        found += [
            Run(name, ms, mix) for ms in settings.latencies_ms for name in settings.systems if streaming[name]
        ]
    return found


def evaluate(
    songs: list[Song],
    settings: Settings,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> BandEvaluation:
    """Runs every system on every song.

    Args:
        songs: see `find_songs`.
        settings: what to run.
        jobs: processes; 1 works in this one.
        progress: called with the number of finished steps, their total, and what was finished.

    Raises:
        RtsepError: songs that are too short or unreadable.
    """
    wanted = runs(settings)
    todo = [(run, song) for run in wanted for song in songs]
    results: dict[Run, list[SongResult]] = {run: [] for run in wanted}
    with workers(jobs) as spread:
        for done, (run, result) in enumerate(spread(partial(_run, settings), todo), start=1):
            at = f" at {run.latency_ms} ms" if run.latency_ms else ""
            progress(done, len(todo), f"{run.system}{at}, {run.mix}")
            results[run].append(result)
        if settings.bss:
            progress(len(todo), len(todo), "BSS eval of what was chosen per stem")
            for run, place, bss in spread(partial(_run_chosen, settings), _chosen(songs, results)):
                results[run][place] = replace(results[run][place], bss=bss)
    return BandEvaluation([song.name for song in songs], settings, results)


def _run(settings: Settings, task: tuple[Run, Song]) -> tuple[Run, SongResult]:
    run, song = task
    system, stems = find_system(run.system), _mixed(run, song)
    try:
        estimates = _separate(settings, run, stems)
        return run, score(settings, stems, estimates, system.chosen_per_stem)
    except RtsepError as error:
        raise RtsepError(f"{song.name}: {error.problem}", error.remedy) from None


def _mixed(run: Run, song: Song) -> Stems:
    stems = song.read()
    return balanced(stems) if run.mix == BALANCED else stems


def _separate(settings: Settings, run: Run, stems: Stems) -> dict[str, Audio]:
    # where latency makes no difference any preset will do
    ms = run.latency_ms or settings.latencies_ms[0]
    return dict(find_system(run.system).separate(stems, ms))


class _Chosen(NamedTuple):
    """A system that chooses per stem on one song: the candidate of every stem, over all songs."""

    run: Run
    place: int
    song: Song
    candidates: Mapping[str, str]


def _chosen(songs: list[Song], results: dict[Run, list[SongResult]]) -> Iterator[_Chosen]:
    for run, found in results.items():
        if find_system(run.system).chosen_per_stem:
            names = dict.fromkeys(name for song in found for name in song.scores)
            best = {name: best_candidate([song.scores.get(name, {}) for song in found]) for name in names}
            yield from (_Chosen(run, place, song, best) for place, song in enumerate(songs))


def _run_chosen(settings: Settings, task: _Chosen) -> tuple[Run, int, dict[str, BssScore]]:
    stems = _mixed(task.run, task.song)
    found = _separate(settings, task.run, stems)
    named = {name: found[candidate] for name, candidate in task.candidates.items()}
    return task.run, task.place, _bss(settings, stems, named)


def best_candidate(songs: list[dict[str, StemScore]]) -> str:
    """The candidate with the highest mean over songs: chosen by the result, so it is a rival at its best.

    Args:
        songs: scores of one stem by candidate, a dict per song.
    """
    candidates = dict.fromkeys(name for song in songs for name in song)
    means = {}
    for name in candidates:
        gains = [song[name].improvement_db for song in songs if name in song]
        means[name] = np.mean([gain for gain in gains if math.isfinite(gain)] or [-np.inf])
    return max(means, key=lambda name: means[name])


def score(settings: Settings, stems: Stems, estimates: dict[str, Audio], chosen_per_stem: bool) -> SongResult:
    """Estimates of one song by name, against those of its stems that are asked for."""
    scores: dict[str, dict[str, StemScore]] = {}
    for place, name in enumerate(stems.names):
        if name not in settings.stems:
            continue
        if chosen_per_stem:
            compared = estimates
        elif name in estimates:
            compared = {"": estimates[name]}
        else:
            continue
        target = stems.audio[place : place + 1]
        before = protocol.score(target, stems.mixture[None], stems.samplerate, stems.mixture)
        found = {}
        for candidate, estimate in compared.items():
            after = protocol.score(target, estimate[None], stems.samplerate, stems.mixture)
            one = stem_score(before, after)
            if one is not None:
                found[candidate] = one
        if found:
            scores[name] = found
    bss = _bss(settings, stems, estimates) if settings.bss and not chosen_per_stem else {}
    return SongResult(scores, bss)


def _bss(settings: Settings, stems: Stems, estimates: Mapping[str, Audio]) -> dict[str, BssScore]:
    """By stem; nothing where a stem of the mixture has no estimate."""
    if not all(name in estimates for name in stems.names):
        return {}
    ordered = np.stack([estimates[name] for name in stems.names])
    computed = bss_eval(stems.audio, ordered, stems.samplerate, settings.bss_taps)
    return {n: b for n, b in zip(stems.names, computed, strict=True) if n in settings.stems}


def stem_score(before: protocol.Scores, after: protocol.Scores) -> StemScore | None:
    """None where no frame counts: the stem is too quiet throughout."""
    kept = after.kept
    if not kept.any():
        return None
    ratios = after.si_sdr_db[kept]
    gains = ratios - before.si_sdr_db[kept]
    numbers = ~np.isnan(ratios)
    return StemScore(
        si_sdr_db=float(np.mean(ratios[numbers])) if numbers.any() else float("nan"),
        improvement_db=float(np.mean(gains[numbers])) if numbers.any() else float("nan"),
        frames=int(kept.sum()),
        nan_frames=int((~numbers).sum()),
    )
