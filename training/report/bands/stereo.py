"""Ways to separate stereo, as rows of the JSON report and as a table."""

import math
from dataclasses import asdict

import numpy as np

from rtsep.training.evaluation.bands.stereo import IDEAL, WAYS, StereoResult
from rtsep.training.evaluation.bands.systems import find_system
from rtsep.training.measures.bootstrap import mean_interval
from rtsep.training.report.report import Report
from rtsep.training.report.tables import Sheet


def stereo_rows(results: list[StereoResult]) -> list[Report]:
    """JSON-ready: improvement of every stem, and its difference to the shared mask, paired song by song."""
    shared = {(r.run.system, r.run.latency_ms): r for r in results if r.run.way == WAYS[0]}
    rows = []
    for result in results:
        run = result.run
        base = shared[run.system, run.latency_ms].scores
        stems = {}
        for stem, songs in result.scores.items():
            gains = {n: s.improvement_db for n, s in songs.items() if math.isfinite(s.improvement_db)}
            against = {n: s.improvement_db for n, s in base.get(stem, {}).items()}
            over = [v - against[n] for n, v in gains.items() if math.isfinite(against.get(n, math.nan))]
            stems[stem] = {
                "improvement_db": float(np.mean(list(gains.values()))) if gains else None,
                "over_shared_db": float(np.mean(over)) if over else None,
                "over_shared_interval_db": list(mean_interval(over)) if over else None,
                "songs": [
                    {"name": n} | {k: v if math.isfinite(v) else None for k, v in asdict(s).items()}
                    for n, s in songs.items()
                ],
            }
        title = "ideal ratio mask" if run.system == IDEAL else find_system(run.system).title
        rows.append(
            {"system": run.system, "title": title, "latency_ms": run.latency_ms, "way": run.way}
            | {"stems": stems}
        )
    return rows


def stereo_sheet(report: Report) -> Sheet:
    """The table."""
    stems = report["settings"]["stems"]
    sheet = Sheet(
        "stereo: one mask for both channels, or two",
        "SI-SDR improvement in dB, both channels as one signal; in brackets the difference to one shared "
        "mask and half of its 95 % interval over songs. Vocals, drums and bass are in the middle, the rest "
        "at one side, all but the bass in a room",
        ("system", "way", *stems),
        text_columns=2,
    )
    for row in report["stereo"]:
        cells = (_cell(row["stems"].get(stem), row["way"]) for stem in stems)
        sheet.rows.append((f"{row['title']}, {row['latency_ms']} ms", row["way"], *cells))
        if row["way"] == WAYS[-1]:
            sheet.rows.append(None)
    return sheet


def _cell(entry: Report | None, way: str) -> str:
    if entry is None or entry["improvement_db"] is None:
        return "-"
    text = f"{entry['improvement_db']:+.1f}"
    if way == WAYS[0] or entry["over_shared_db"] is None:
        return text
    low, high = entry["over_shared_interval_db"]
    return f"{text} ({entry['over_shared_db']:+.1f} ±{(high - low) / 2:.1f})"
