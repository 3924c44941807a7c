"""The runs of the grid beside each other: means over songs and seeds, and differences between modes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.training.band.band_config import ONE, PER_STEM
from rtsep.training.band.grid.regimes import REGIMES
from rtsep.training.band.grid.runs import RECORD, GridRun
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, SIMULTANEOUS
from rtsep.training.evaluation.bands.grid_scores import SongScores
from rtsep.training.measures.bootstrap import mean_interval

Row = dict[str, Any]  # of a table
MEASURES = ("improvement_db", "sir_db", "sdr_db")
# the claim of a row: the first against the second; a mode and its moments
PAIRS = (
    ((INTERLEAVED, ONE), (SIMULTANEOUS, ONE)),
    ((INTERLEAVED, ONE), (INDEPENDENT, ONE)),
    ((SIMULTANEOUS, ONE), (INDEPENDENT, ONE)),
    ((INTERLEAVED, PER_STEM), (INTERLEAVED, ONE)),
)


def run_rows(out: Path, scores: Mapping[GridRun, SongScores]) -> list[Row]:
    """One row per mix, mode, moments and regime: by stem and measure the mean over songs of every seed."""
    rows = []
    for mix in _mixes(scores):
        for kind in dict.fromkeys((run.mode, run.moments, run.regime) for run in scores):
            own = [run for run in scores if (run.mode, run.moments, run.regime) == kind]
            records = [json.loads((out / run.name / RECORD).read_text(encoding="utf-8")) for run in own]
            stems = {
                stem: {
                    measure: [_mean(scores[run], mix, stem, measure) for run in own] for measure in MEASURES
                }
                for stem in records[0]["stems"]
            }
            rows.append(
                {
                    "mix": mix, "mode": kind[0], "moments": kind[1], "regime": kind[2],
                    "seeds": [run.seed for run in own],
                    "steps": records[0]["steps"],
                    "updates_per_decoder": records[0]["updates_per_decoder"],
                    "processor_s": [record["processor_s"] for record in records],
                    "parameters": records[0]["parameters"],
                    "stems": stems,
                }
            )  # fmt: skip
    return rows


def differences(scores: Mapping[GridRun, SongScores]) -> list[Row]:
    """One row per mix, regime, pair, stem and measure: the mean difference with its 95 % interval over songs,
    song by song between the means over seeds; and the difference of every seed.

    The stem "mean" is the mean over the stems of a song.
    """
    rows = []
    for mix in _mixes(scores):
        for regime in REGIMES:
            for first, second in PAIRS:
                one, other = (
                    {r.seed: r for r in scores if (r.mode, r.moments) == kind and r.regime == regime}
                    for kind in (first, second)
                )
                seeds = sorted(one.keys() & other.keys())
                if not seeds:
                    continue
                pairs = [(scores[one[seed]][mix], scores[other[seed]][mix]) for seed in seeds]
                rows += [
                    {"mix": mix, "regime": regime, "first": first, "second": second} | row
                    for row in _compared(pairs)
                ]
    return rows


def _compared(pairs: Sequence[tuple[SongScores, SongScores]]) -> list[Row]:
    """By stem and measure, from the songs of both runs of every seed."""
    songs = list(pairs[0][0])
    stems = list(dict.fromkeys(stem for song in songs for stem in pairs[0][0][song]))
    rows = []
    for measure in MEASURES:
        table = np.array(
            [[[_less(a, b, song, stem, measure) for stem in stems] for song in songs] for a, b in pairs]
        )  # [seeds, songs, stems]
        with_mean = [*zip(stems, np.moveaxis(table, 2, 0), strict=True)]
        if not np.isnan(table).all():
            with np.errstate(invalid="ignore"):
                with_mean.append(("mean", np.array([[_nanmean(s) for s in seed] for seed in table])))
        for stem, found in with_mean:
            of_songs = np.array([_nanmean(found[:, song]) for song in range(len(songs))])
            numbers = of_songs[np.isfinite(of_songs)]
            if numbers.size:
                rows.append(
                    {
                        "stem": stem, "measure": measure, "difference_db": float(numbers.mean()),
                        "interval_db": mean_interval(numbers),
                        "by_seed_db": [_nanmean(seed) for seed in found],
                        "songs": int(numbers.size),
                    }
                )  # fmt: skip
    return rows


def _less(first: SongScores, second: SongScores, song: str, stem: str, measure: str) -> float:
    one, other = (run.get(song, {}).get(stem, {}).get(measure) for run in (first, second))
    return float("nan") if one is None or other is None else one - other


def _nanmean(values: Any) -> float:
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return float(numbers.mean()) if numbers.size else float("nan")


def _mean(scores: SongScores, mix: str, stem: str, measure: str) -> float | None:
    values = [song[stem].get(measure) for song in scores[mix].values() if stem in song]
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def _mixes(scores: Mapping[GridRun, SongScores]) -> list[str]:
    return [mix for mix in ("raw", "balanced") if all(mix in found for found in scores.values())]
