"""`rtsep eval` without its screen: systems x latencies x mixtures -> what was separated, scored and tracked.

A run of one system at one latency on one mixture depends on nothing else, so runs go to as many processes
as asked for; results come back in the order of the runs and are the same however many there are.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from rtsep.kernels.errors import RtsepError
from rtsep.rt.python_process import ONE_THREAD, spawn_context
from rtsep.training.baselines import basic_pitch
from rtsep.training.evaluation.stems import Mixture, read_mixture, read_stem
from rtsep.training.evaluation.systems import find_system, separate
from rtsep.training.measures import protocol
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio, Scores
from rtsep.training.measures.stem_pitch import F0Truth, mixture_f0, mixture_truth, second_f0, stem_f0

OnProgress = Callable[[int, int, str], None]  # (done, total, label)


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        systems: names for `find_system`, in the order of the table.
        latencies_ms: presets.
        seeds: 1 or 5 as in the paper; only noted, see `rtsep.training.report.report`.
        strict: every excerpt by itself through a freshly reset separator.
        cache: folder of F0 contours.
        basic_pitch: compare tracked pitches with basic-pitch's too, where it is installed.
    """

    systems: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    seeds: int
    strict: bool
    cache: Path
    basic_pitch: bool = False


class Run(NamedTuple):
    """A row of the table: a system at a latency in ms, None where the latency makes no difference."""

    system: str
    latency_ms: int | None


@dataclass(frozen=True)
class Result:
    """One run on one mixture; `tracked` is on the grid of the mixture's truth, where a pitch was tracked."""

    scores: Scores
    tracked: Contours | None


@dataclass(frozen=True)
class Evaluation:
    """All results.

    results : by run, one per mixture
    truths : of every mixture, where any pitch was tracked
    references : basic-pitch's pitches of every mixture in no order of voices, where asked for and installed

    `truths`, `references` and all tracked contours have one grid, that of the scored excerpts.
    """

    mixtures: list[Mixture]
    settings: Settings
    results: dict[Run, list[Result]]
    truths: list[F0Truth]
    references: list[Contours]

    def f0(self, mixture: int) -> Contours:
        """F0 of the stems of a mixture, from its first sample on."""
        return mixture_f0([_stem(file) for file in self.mixtures[mixture].files], self.settings.cache)


def runs(settings: Settings) -> list[Run]:
    """Offline systems first, then latency by latency: at the later ones only who decides later, and nobody
    where its model does not work."""
    systems = {name: find_system(name) for name in settings.systems}
    offline = [Run(name, None) for name, system in systems.items() if not system.streaming]
    return offline + [
        Run(name, ms)
        for ms in settings.latencies_ms
        for name, system in systems.items()
        if system.works_at(ms)
    ]


def evaluate(
    mixtures: list[Mixture],
    settings: Settings,
    jobs: int = 1,
    progress: OnProgress = lambda done, total, label: None,
) -> Evaluation:
    """Runs every system on every mixture.

    Args:
        mixtures: all of the same number of voices, so that their frames can be pooled per voice.
        settings: what to run.
        jobs: processes; 1 works in this one.
        progress: called with the number of finished steps, their total, and what was finished.

    Raises:
        RtsepError: mixtures of different numbers of voices, stems that are too short or unreadable.
    """
    _check(mixtures)
    systems = {name: find_system(name) for name in settings.systems}
    needs_second = any(system.f0 == "tracked" for system in systems.values())
    needs_first = needs_second or any(system.f0 for system in systems.values())
    stems = sorted({file for m in mixtures for file in m.files}) if needs_first else []
    todo = [(run, mixture) for run in runs(settings) for mixture in mixtures]
    listen = mixtures if needs_second and settings.basic_pitch and basic_pitch.model_file() else []
    total = len(stems) + len(todo) + len(listen)
    results: dict[Run, list[Result]] = {run: [] for run in runs(settings)}
    with workers(jobs) as spread:
        prepare = partial(_prepare, settings.cache, needs_second)
        for done, file in enumerate(spread(prepare, stems), start=1):
            progress(done, total, f"pitches of {file.stem}")
        work = partial(_run, settings)
        for done, (run, result) in enumerate(spread(work, todo), start=len(stems) + 1):
            at = f" at {run.latency_ms} ms" if run.latency_ms else ""
            progress(done, total, f"{run.system}{at}")
            results[run].append(result)
        references = []
        for reference in spread(partial(_reference, settings.cache), listen):
            references.append(reference)
            progress(total - len(listen) + len(references), total, "basic-pitch")
    truths = [_truth(mixture, settings.cache) for mixture in mixtures] if needs_second else []
    return Evaluation(mixtures, settings, results, truths, references)


def _check(mixtures: list[Mixture]) -> None:
    sizes = sorted({len(mixture.files) for mixture in mixtures})
    if len(sizes) != 1:
        raise RtsepError(
            f"mixtures of {' and '.join(map(str, sizes))} voices cannot share a table",
            "evaluate folders with different numbers of voices separately",
        )
    if not 1 <= sizes[0] <= 4:
        raise RtsepError(
            f"{mixtures[0].name} has {sizes[0]} voices, outside 1..4",
            "name up to four stems with --quartets FILE",
        )


Spread = Callable[..., Iterator]  # type: ignore[type-arg]  # map: any function, any items, in order


@contextmanager
def workers(jobs: int) -> Iterator[Spread]:
    """`map`, or the same over `jobs` processes of one thread each: results in the order of the items."""
    if jobs == 1:
        yield map
        return
    # a fresh interpreter per worker: threads of this one (progress bars, libraries) survive no fork
    context = spawn_context()
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    pool = ProcessPoolExecutor(jobs, mp_context=context)
    try:
        yield pool.map
    except BrokenProcessPool:
        raise RtsepError(
            "a process of --jobs was ended from outside", "it may want for memory: use fewer --jobs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@cache
def _stem(file: Path) -> Audio:
    return read_stem(file)


def _stems(mixture: Mixture) -> Audio:
    return read_mixture(mixture, _stem)


def _prepare(cache_folder: Path, second: bool, file: Path) -> Path:
    stem_f0(_stem(file), cache_folder)
    if second:
        second_f0(_stem(file), cache_folder)
    return file


def _run(settings: Settings, task: tuple[Run, Mixture]) -> tuple[Run, Result]:
    run, mixture = task
    stems = _stems(mixture)
    system = find_system(run.system)
    given = mixture_f0([_stem(file) for file in mixture.files], settings.cache) if system.f0 else None
    # offline systems take no notice of the preset
    estimate = separate(system, stems, run.latency_ms or settings.latencies_ms[0], given, settings.strict)
    tracked = None
    if estimate.tracked is not None:
        times_s = _truth(mixture, settings.cache).times_s
        tracked = Contours(times_s, estimate.tracked.at(times_s))
    return run, Result(protocol.score(stems, estimate.voices), tracked)


def _truth(mixture: Mixture, cache_folder: Path) -> F0Truth:
    """The truth of the scored excerpts."""
    spans = protocol.excerpts(_stems(mixture).shape[1])
    truth = mixture_truth([_stem(file) for file in mixture.files], cache_folder)
    return truth.between(spans[0].start / SAMPLERATE, spans[-1].stop / SAMPLERATE)


def _reference(cache_folder: Path, mixture: Mixture) -> Contours:
    file = basic_pitch.model_file()
    assert file is not None
    stems = _stems(mixture)
    times_s = _truth(mixture, cache_folder).times_s
    return Contours(times_s, basic_pitch.pitches(stems.sum(axis=0), len(stems), file).at(times_s))
