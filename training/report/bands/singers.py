"""Singers out of a band: the numbers as JSON and as a table."""

import math
from collections import defaultdict

import numpy as np

from rtsep.training.evaluation.bands.singers import SingersResult
from rtsep.training.evaluation.stems import voice_labels
from rtsep.training.measures.bootstrap import mean_interval
from rtsep.training.report.report import Report, versions
from rtsep.training.report.tables import Sheet

TITLES = {
    "choir": "--voices on the mixture",
    "cascade": "--stems vocals --voices",
    "clean": "--voices on the singers alone",
}


def summarise(results: list[SingersResult]) -> Report:
    """JSON-ready: SI-SDR and its improvement over the mixture per level, latency, way and voice."""
    groups = list(dict.fromkeys(r.meeting.singers for r in results))
    labels = dict(zip(groups, voice_labels(groups), strict=True))
    rows: dict[tuple[float, int, str], list[SingersResult]] = defaultdict(list)
    for result in results:
        rows[result.meeting.backing_db, result.meeting.latency_ms, result.meeting.way].append(result)
    return {
        "format": "rtsep-eval-singers/1",
        "versions": versions(("rtsep", "numpy", "onnxruntime")),
        "results": [
            {
                "backing_db": level,
                "latency_ms": ms,
                "way": way,
                **_row(found, [labels[r.meeting.singers] for r in found]),
            }
            for (level, ms, way), found in rows.items()
        ],
    }


def _row(found: list[SingersResult], labels: list[tuple[str, ...]]) -> Report:
    gains: dict[str, list[float]] = defaultdict(list)
    by_meeting, ratios, songs = [], [], []
    for result, names in zip(found, labels, strict=True):
        numbers = []
        for name, score in zip(names, result.scores, strict=True):
            if score is not None and math.isfinite(score.improvement_db):
                gains[name].append(score.improvement_db)
                numbers.append(score.improvement_db)
                ratios.append(score.si_sdr_db)
        if numbers:
            by_meeting.append(float(np.mean(numbers)))
            song, group = result.meeting.song.name, result.meeting.singers.name
            songs.append({"song": song, "singers": group, "improvement_db": by_meeting[-1]})
    return {
        "improvement_db": float(np.mean(by_meeting)) if by_meeting else None,
        "interval_db": list(mean_interval(by_meeting)) if by_meeting else None,
        "si_sdr_db": float(np.mean(ratios)) if ratios else None,
        "voices": {name: float(np.mean(values)) for name, values in gains.items()},
        "meetings": songs,
    }


def sheet(report: Report) -> Sheet:
    """The table."""
    names = list(dict.fromkeys(name for row in report["results"] for name in row["voices"]))
    found = Sheet(
        "singers out of a band",
        "SI-SDR improvement over the mixture in dB, mean over groups of singers and songs and half of its "
        "95 % interval; SI-SDR: mean of the estimates",
        ("backing", "way", "SI-SDR", "improvement", *names),
        text_columns=2,
    )
    for row in report["results"]:
        if row["improvement_db"] is None:
            continue
        low, high = row["interval_db"]
        found.rows.append(
            (
                f"{row['backing_db']:+.0f} dB, {row['latency_ms']} ms",
                TITLES[row["way"]],
                f"{row['si_sdr_db']:.1f}",
                f"{row['improvement_db']:+.1f} ±{(high - low) / 2:.1f}",
                *(f"{row['voices'][n]:+.1f}" if n in row["voices"] else "-" for n in names),
            )
        )
    return found
