"""Reliability plot: how often a tracker is right against how sure it is."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from rtsep.training.evaluation.confidence import Bin, calibration_error
from rtsep.training.report.plot_style import (
    BLACK,
    LATENCY_COLOURS,
    LATENCY_MARKERS,
    SMALL,
    figure,
    quiet,
)


def reliability(by_latency: Mapping[int, Sequence[Bin]]) -> Figure:
    """One line for each latency in ms; below, how many pitches there were."""
    made = figure(5.2, 5.6)
    above, below = made.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 100], [0, 100], color=BLACK, linewidth=0.8, linestyle=":", label="as it should be")
    for latency_ms, found in by_latency.items():
        there = [each for each in found if each.pitches]
        said = [100 * each.said for each in there]
        colour, marker = LATENCY_COLOURS[latency_ms], LATENCY_MARKERS[latency_ms]
        label = f"{latency_ms} ms, apart by {100 * calibration_error(found):.1f} % in the mean"
        above.plot(said, [100 * each.right for each in there], color=colour, marker=marker, label=label)
        below.plot(said, [each.pitches for each in there], color=colour, marker=marker)
    above.set_ylabel("pitches that somebody sings / %", fontsize=SMALL)
    above.legend(fontsize=SMALL, frameon=False)
    below.set_yscale("log")
    below.set_ylabel("pitches", fontsize=SMALL)
    below.set_xlabel("what the network says that it is sung / %", fontsize=SMALL)
    for axes in (above, below):
        quiet(axes, "both")
    return made
