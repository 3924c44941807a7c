"""Plots of tracked pitch: what errors cost, and how trackers do by voice."""

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from rtsep.training.evaluation.evaluate import Evaluation, Run
from rtsep.training.evaluation.frame_pitch import frame_pitch
from rtsep.training.evaluation.systems import find_system
from rtsep.training.report.plot_style import (
    BLACK,
    SKY,
    SMALL,
    VOICE_COLOURS,
    VOICE_MARKERS,
    figure,
    quiet,
)
from rtsep.training.report.report import Report, places
from rtsep.training.report.tables import distinct_trackers

MISSED_EDGES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.98, 1.001)  # shares; whole frames right and wrong apart
CENTS_EDGES = (0.0, 2.0, 4.0, 6.0, 9.0, 13.0, 18.0, 25.0, 35.0, 50.0)
ENOUGH = 8  # frames for a median
DOTS = 4000  # more only blacken the plot


def pitch_errors(evaluation: Evaluation, run: Run, given: Run | None) -> Figure:
    """SI-SDR of 1 s frames against the share of missed pitches, and against the error of those found.

    Args:
        evaluation: with truths.
        run: a tracked system.
        given: the same with given F0, for the level that no pitch error would cost.
    """
    where = places(evaluation.mixtures)
    pitches = [frame_pitch(evaluation, run, m) for m in range(len(evaluation.mixtures))]
    rows = []
    for colour, spots in enumerate(where.values()):
        for m, v in spots:
            scores = evaluation.results[run][m].scores
            columns = (scores.si_sdr_db[v], pitches[m].missed[v], pitches[m].error_cents[v])
            kept = scores.kept[v] & np.isfinite(columns[0]) & np.isfinite(columns[1])
            rows.append(np.stack([*columns, np.full(len(kept), float(colour))], axis=1)[kept])
    table = np.concatenate(rows)
    made = figure(10.0, 4.4)
    left, right = made.subplots(1, 2, sharey=True)
    groups = [table[(table[:, 1] >= low) & (table[:, 1] < high), 0] for low, high in pairwise(MISSED_EDGES)]
    names = ["0-2", "2-10", "10-25", "25-50", "50-75", "75-98", "98-100"]
    drawn = left.boxplot(
        groups, positions=range(len(groups)), widths=0.7, whis=(5, 95), showfliers=False,
        patch_artist=True, medianprops={"color": BLACK},
    )  # fmt: skip
    for box in drawn["boxes"]:
        box.set(facecolor=SKY, alpha=0.7, linewidth=0.6)
    ticks = [f"{name}\nn={len(group)}" for name, group in zip(names, groups, strict=True)]
    left.set_xticks(range(len(groups)), ticks)
    left.set_xlabel("points of the frame whose pitch is missed by more than 50 cents / %", fontsize=SMALL)
    left.set_ylabel("SI-SDR of the frame / dB", fontsize=SMALL)
    if given is not None:
        level = np.concatenate([r.scores.si_sdr_db[r.scores.kept] for r in evaluation.results[given]])
        left.axhline(float(np.nanmedian(level)), color=BLACK, linestyle="--", linewidth=1)
        left.annotate(
            "median with given F0", (len(groups) - 0.5, float(np.nanmedian(level))), ha="right", va="bottom",
            fontsize=SMALL,
        )  # fmt: skip
    mostly_found = table[(table[:, 1] < 0.25) & np.isfinite(table[:, 2])]
    shown = mostly_found[np.random.default_rng(0).permutation(len(mostly_found))[:DOTS]]
    for index, label in enumerate(where):
        dots = shown[shown[:, 3] == index]
        right.plot(
            dots[:, 2], dots[:, 0], VOICE_MARKERS[index % 4], color=VOICE_COLOURS[index % 4], ms=3,
            alpha=0.3, mec="none", ls="",
        )  # fmt: skip
        own = mostly_found[mostly_found[:, 3] == index]
        bins = [own[(own[:, 2] >= low) & (own[:, 2] < high)] for low, high in pairwise(CENTS_EDGES)]
        enough = [part for part in bins if len(part) >= ENOUGH]
        right.plot(
            [np.median(part[:, 2]) for part in enough], [np.median(part[:, 0]) for part in enough],
            "-", marker=VOICE_MARKERS[index % 4], color=VOICE_COLOURS[index % 4], linewidth=2, ms=6,
            mec="white", label=f"{label}, medians of bins",
        )  # fmt: skip
    right.set_xlabel("median pitch error in frames with less than 25 % missed / cents", fontsize=SMALL)
    right.legend(fontsize=SMALL, frameon=False, loc="lower right")
    if len(mostly_found):
        right.set_xlim(0, 1.05 * float(np.percentile(mostly_found[:, 2], 99)))
    for axes in (left, right):
        quiet(axes)
    at = f", {run.latency_ms} ms" if run.latency_ms else ""
    made.suptitle(f"{find_system(run.system).title}{at}: what pitch errors cost", fontsize=10)
    return made


def trackers(report: Report) -> Figure:
    """Recall, wrong voice and false voicing of every tracked system, a dot per voice."""
    named = distinct_trackers(report)
    rows = [row for _, row in named]
    made = figure(10.0, 1.5 + 0.3 * len(rows))
    panels = made.subplots(1, 4, sharey=True)
    keys = (
        ("recall", "recall within 50 cents / %"),
        ("recall_any", "recall, any voice / %"),
        ("wrong_voice", "on another voice's pitch / %"),
        ("false_voicing", "false voicing / %"),
    )
    for axes, (key, heading) in zip(panels, keys, strict=True):
        for index, label in enumerate(report["voices"]):
            spots = [(row["agreed"][index][key], y) for y, row in enumerate(rows)]
            shown = [(100.0 * share, y) for share, y in spots if share is not None]
            axes.plot(
                *np.array(shown).reshape(-1, 2).T, VOICE_MARKERS[index % 4], color=VOICE_COLOURS[index % 4],
                ms=6, ls="", label=label if key == "recall" else None,
            )  # fmt: skip
        axes.set_xlabel(heading, fontsize=SMALL)
        quiet(axes, "both")
    labels = [name for name, _ in named]
    panels[0].set_yticks(range(len(rows)), labels)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    made.legend(loc="outside upper center", ncols=4, fontsize=SMALL, frameon=False)
    return made
