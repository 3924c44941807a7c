"""`rtsep-train eval-singers --report DIR`: the numbers, their table and a plot."""

from pathlib import Path

from matplotlib.figure import Figure

from rtsep.training.files.atomic_write import place
from rtsep.training.report.bands.singers import TITLES, sheet
from rtsep.training.report.plot_style import BLACK, BLUE, GREEN, RED, SMALL, figure, quiet, save
from rtsep.training.report.report import Report
from rtsep.training.report.report_folder import picture, report_folder

STYLE = {"choir": (BLUE, "s"), "cascade": (RED, "o"), "clean": (GREEN, "^")}
PLOT = "improvement.png"


def write(report: Report, folder: Path) -> None:
    """`report.json`, `report.md` and a plot.

    Raises:
        RtsepError: the folder cannot be written.
    """
    with report_folder(folder, report):
        save(improvement(report), folder / PLOT)
        caption = "Every dot a group of singers over a song; mean and its 95 % interval"
        text = f"# Singers out of a band\n\n{sheet(report).markdown()}\n{picture(PLOT, caption)}"
        place(folder / "report.md", text.encode())


def improvement(report: Report) -> Figure:
    """A panel per latency; over the level of the backing, every way's mean with its interval and its dots."""
    rows = [row for row in report["results"] if row["improvement_db"] is not None]
    latencies = sorted({row["latency_ms"] for row in rows}) or [0]
    levels = sorted({row["backing_db"] for row in rows})
    made = figure(1.6 + 3.6 * len(latencies), 3.6)
    grid = made.subplots(1, len(latencies), squeeze=False, sharey=True)[0]
    for axes, ms in zip(grid, latencies, strict=True):
        for k, (way, (colour, marker)) in enumerate(STYLE.items()):
            found = sorted((r for r in rows if r["latency_ms"] == ms and r["way"] == way), key=_level)
            at = [levels.index(r["backing_db"]) + 0.16 * (k - 1) for r in found]
            for x, row in zip(at, found, strict=True):
                dots = [meeting["improvement_db"] for meeting in row["meetings"]]
                axes.plot([x] * len(dots), dots, ".", color=colour, alpha=0.35, ms=4, mew=0)
            means = [row["improvement_db"] for row in found]
            below = [row["improvement_db"] - row["interval_db"][0] for row in found]
            above = [row["interval_db"][1] - row["improvement_db"] for row in found]
            axes.errorbar(
                at, means, yerr=(below, above), color=colour, marker=marker, ms=5, lw=1.2, elinewidth=0.8,
                capsize=2, label=TITLES[way],
            )  # fmt: skip
        axes.axhline(0.0, color=BLACK, linewidth=0.8)
        axes.set_title(f"{ms} ms", fontsize=9, loc="left")
        axes.set_xticks(range(len(levels)), [f"{level:+g}" for level in levels])
        axes.set_xlabel("backing re all singers / dB", fontsize=SMALL)
        quiet(axes)
    grid[0].set_ylabel("SI-SDR improvement / dB", fontsize=SMALL)
    handles, labels = grid[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=SMALL, frameon=False)
    return made


def _level(row: Report) -> float:
    return float(row["backing_db"])
