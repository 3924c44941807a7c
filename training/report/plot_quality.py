"""Plots of separation: SI-SDR by voice over latency, and systems beside published numbers."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rtsep.training.evaluation.evaluate import Evaluation, Run
from rtsep.training.evaluation.systems import find_system
from rtsep.training.report.plot_style import (
    BLACK,
    LATENCY_COLOURS,
    LATENCY_MARKERS,
    SMALL,
    Palette,
    figure,
    quiet,
)
from rtsep.training.report.published import published
from rtsep.training.report.report import Report, places

WHISKERS = (5, 95)  # percentiles


def quality_over_latency(evaluation: Evaluation) -> Figure:
    """A panel per voice, a group per latency, a box per system: quartiles, 5 and 95 %, mean as a dot."""
    where = places(evaluation.mixtures)
    rows = list(evaluation.results)
    latencies = [ms for ms in evaluation.settings.latencies_ms if any(row.latency_ms == ms for row in rows)]
    named = {
        f"{ms} ms" if ms else "offline": [r for r in rows if r.latency_ms == ms] for ms in (*latencies, None)
    }
    groups, names = [g for g in named.values() if g], [n for n, g in named.items() if g]
    palette = Palette([row.system for row in rows])
    panels = ["all voices", *where]
    made = figure(max(7.0, 2.5 + 0.3 * len(rows)), 1.2 + 1.7 * len(panels))
    grid = made.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, panel in zip(grid, panels, strict=True):
        x, ticks = 0.0, []
        for group in groups:
            for row in group:
                values = _values(evaluation, row, None if panel == "all voices" else where[panel])
                colour, alpha = palette[row.system]
                if values.size:
                    drawn = axes.boxplot(
                        [values], positions=[x], widths=0.75, whis=WHISKERS, showfliers=False,
                        patch_artist=True, medianprops={"color": BLACK},
                        whiskerprops={"color": "#555555"}, capprops={"color": "#555555"},
                    )  # fmt: skip
                    drawn["boxes"][0].set(facecolor=colour, alpha=alpha, edgecolor=BLACK, linewidth=0.6)
                    axes.plot(x, values.mean(), "o", ms=3, mfc="white", mec=BLACK, mew=0.7, zorder=5)
                x += 1.0
            ticks.append(x - 0.5 * len(group) - 0.5)
            axes.axvline(x, color="#DDDDDD", linewidth=0.8) if group is not groups[-1] else None
            x += 1.0
        axes.set_xticks(ticks, names)
        axes.tick_params(axis="x", length=0)
        axes.set_title(panel, fontsize=9, loc="left")
        axes.set_ylabel("SI-SDR / dB", fontsize=SMALL)
        quiet(axes)
    grid[-1].set_xlabel("algorithmic latency", fontsize=SMALL)
    shown = dict.fromkeys(row.system for row in rows)
    handles = [
        Patch(facecolor=palette[s][0], alpha=palette[s][1], edgecolor=BLACK, label=find_system(s).title)
        for s in shown
    ]
    made.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=SMALL, frameon=False)
    return made


def _values(evaluation: Evaluation, run: Run, where: list[tuple[int, int]] | None) -> np.ndarray:
    found = evaluation.results[run]
    scores = [r.scores for r in found] if where is None else [found[m].scores.voice(v) for m, v in where]
    values = np.concatenate([s.si_sdr_db[s.kept] for s in scores])
    return np.asarray(values[np.isfinite(values)])


def overview(report: Report) -> Figure:
    """Mean SI-SDR of every system, a mark per latency, above published systems for scale."""
    systems = list(dict.fromkeys((row["system"], row["title"]) for row in report["results"]))
    references = published(report["voices_per_mixture"])
    lines = len(systems) + len(references) + (1 if references else 0)
    made = figure(8.5, 1.3 + 0.27 * lines)
    axes = made.subplots()
    labels = []
    used = set()
    for y, (system, title) in enumerate(systems):
        labels.append(title)
        for row in report["results"]:
            mean = row["overall"]["mean_db"]
            if row["system"] == system and mean is not None:
                ms = row["latency_ms"]
                colour, marker = LATENCY_COLOURS.get(ms, BLACK), LATENCY_MARKERS.get(ms, "*")
                label = f"{ms} ms" if ms else "offline or no latency"
                axes.plot(
                    mean, y, marker, color=colour, ms=7 if ms else 9, ls="",
                    label=None if label in used else label,
                )  # fmt: skip
                used.add(label)
    first = len(systems) + 1
    for y, row in enumerate(references, start=first):
        labels.append(f"{row.system}; {row.songs} ({row.known_by})")
        axes.plot(
            row.mean_db, y, "D", mfc="white", mec=BLACK, ms=6, ls="",
            label="published, offline, other songs or singers" if y == first else None,
        )  # fmt: skip
    if references:
        axes.axhline(len(systems), color="#999999", linewidth=0.8)
    positions = [*range(len(systems)), *range(first, first + len(references))]
    axes.set_yticks(positions, labels)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.set_xlabel("mean SI-SDR over 1 s frames of all voices / dB", fontsize=SMALL)
    quiet(axes, "both")
    made.legend(loc="outside upper center", ncols=5, fontsize=SMALL, frameon=False)
    return made
