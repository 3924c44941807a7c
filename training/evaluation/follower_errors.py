"""How far the follower of a score is from the choir, live and for a file that is aligned as a whole."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.build import build_tracker
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import PeakFinder
from rtsep.models.choir.score.alignment import Alignment
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_grid import ScoreGrid
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.registry import DEFAULT_MODEL
from rtsep.rt.both_ways.spool import Spool
from rtsep.rt.hop.presets import Preset
from rtsep.training.evaluation.disturbances import (
    GRID_S,
    Disturbance,
    disturbances,
    stretched,
    with_wrong_notes,
)
from rtsep.training.evaluation.evaluate import OnProgress, workers
from rtsep.training.evaluation.matchmaker import Matchmaker
from rtsep.training.evaluation.streaming import looks

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

FOUND_S = 0.3  # so near it counts as found
SETTLED_S = 1.0  # and after so long as found for good


@dataclass(frozen=True)
class Errors:
    """Of one disturbance.

    Attributes:
        name: which.
        median_ms, high_ms: of the error in time of the score, at the moments when something is sung; high is
            the 90th percentile.
        near_percent: of these moments, how many are within `FOUND_S`.
        found_s: until it is within `FOUND_S` for `SETTLED_S`, from the first sound on; None: never.
    """

    name: str
    median_ms: float
    high_ms: float
    near_percent: float
    found_s: float | None


def summary(name: str, error_s: F64, step_s: float) -> Errors:
    """Of the errors [steps] while something is sung, NaN where there was no answer."""
    wrong = np.abs(np.nan_to_num(error_s, nan=1e3))
    near = wrong < FOUND_S
    need = max(1, round(SETTLED_S / step_s))
    run = np.convolve(near, np.ones(need), "valid") >= need - 0.5
    found = float(np.argmax(run)) * step_s if run.any() else None
    return Errors(
        name,
        round(1000 * float(np.median(wrong))),
        round(1000 * float(np.percentile(wrong, 90))),
        round(100 * float(near.mean()), 1),
        None if found is None else round(found, 1),
    )


def follow(sound: F32, samplerate: int, latency_ms: int, score: Score) -> dict[str, tuple[F64, F64]]:
    """Times in s, and where in the score, in s: of a live follower, and of a whole file's alignment."""
    preset = Preset(samplerate, latency_ms)
    tracker = build_tracker(DEFAULT_MODEL, voices=len(score.parts), framing=preset.framing)
    assert isinstance(tracker, NetworkTracker)
    heard = Spool(2 * tracker.found["salience"].size, None)
    hop_s = tracker.stride * preset.hop / samplerate
    guide = ScoreGuide(score, hop_s)
    peaks = PeakFinder()
    at: list[float] = []
    live: list[float] = []
    for time_s in looks(tracker, preset, sound):
        salience, offset = tracker.found["salience"][0], tracker.found["offset"][0]
        heard.write(len(at), np.concatenate([salience, offset])[None])
        count = peaks.find(salience, offset)
        guide.hear(salience, peaks.place, peaks.log_odds, count)
        at.append(time_s)
        live.append(guide.position.time_s)
    aligned = Alignment(score, hop_s, heard, len(at), lambda numbers: Spool(numbers, None))
    whole = [ScoreGrid.time_of(aligned.cell(step)[0]) for step in range(len(at))]
    times_s = np.array(at)
    return {"live": (times_s, np.array(live)), "file": (times_s, np.array(whole))}


@dataclass(frozen=True)
class Following:
    """What is followed.

    Attributes:
        sound: float32 [samples], a recording in the score's strict time.
        samplerate, latency_ms: of the tracker.
        score: what is sung.
        tempo: seconds of the score in a second of the recording.
        rival: follows the same beside it, where it is there.
    """

    sound: F32
    samplerate: int
    latency_ms: int
    score: Score
    tempo: float
    rival: Matchmaker | None = None


def errors(following: Following, wanted: Disturbance) -> dict[str, Errors]:
    """Of one disturbance, `live` and `file`, and `matchmaker` where it is there and knows the score."""
    score, rate = following.score, following.samplerate
    written = with_wrong_notes(score) if wanted.wrong_notes else score
    played = stretched(following.sound, rate, wanted.source_s)
    paths = follow(played, rate, following.latency_ms, written)
    if following.rival is not None and not wanted.wrong_notes:
        paths["matchmaker"] = following.rival.follow(played, rate)
    found = {}
    for way, (times_s, places_s) in paths.items():
        source = np.interp(times_s, np.arange(len(wanted.source_s)) * GRID_S, wanted.source_s)
        sung = (source >= 0) & (following.tempo * source < score.duration_s)
        error_s = (places_s - following.tempo * source)[sung]
        found[way] = summary(wanted.name, error_s, float(np.median(np.diff(times_s))))
    return found


def all_errors(
    following: Following, jobs: int = 1, progress: OnProgress = lambda done, total, label: None
) -> list[dict[str, Any]]:
    """The table: a row for every disturbance, with `live` and `file`."""
    wanted = disturbances(len(following.sound) / following.samplerate)
    rows = []
    with workers(jobs) as spread:
        for each, found in zip(wanted, spread(partial(errors, following), wanted), strict=True):
            rows.append({"name": each.name, **{way: asdict(of_way) for way, of_way in found.items()}})
            progress(len(rows), len(wanted), each.name)
    return rows
