"""Plots of bands: improvement over latency, and song by song."""

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtsep.training.evaluation.bands.systems import CEILINGS, RIVALS
from rtsep.training.report.plot_style import BLACK, GREYS, MODEL_COLOURS, SMALL, figure, quiet
from rtsep.training.report.report import Report

# without improvement by definition: a line at zero says as much
LEFT_OUT = ("mixture", "constant")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def over_latency(report: Report) -> Figure:
    """A panel per mix and stem; a line per system, with the 95 % interval over songs."""
    mixes, stems = report["settings"]["mixes"], report["settings"]["stems"]
    made = figure(2.8 * len(stems) + 0.6, 2.9 * len(mixes) + 0.9)
    grid = made.subplots(len(mixes), len(stems), squeeze=False, sharex=True, sharey=True)
    style = _styles(report)
    for row, mix in zip(grid, mixes, strict=True):
        for axes, stem in zip(row, stems, strict=True):
            for place, (system, (colour, marker, title)) in enumerate(style.items()):
                points = _points(report, system, mix, stem)
                if points:
                    shift = 1.0 + 0.02 * (place - len(style) / 2)  # intervals beside each other
                    xs = [shift * ms for ms, _ in points]
                    means = [entry["improvement_db"] for _, entry in points]
                    below = [e["improvement_db"] - e["interval_db"][0] for _, e in points]
                    above = [e["interval_db"][1] - e["improvement_db"] for _, e in points]
                    axes.errorbar(
                        xs, means, yerr=(below, above), color=colour, marker=marker, ms=5, lw=1.2,
                        elinewidth=0.7, capsize=2, label=title,
                    )  # fmt: skip
            axes.axhline(0.0, color=BLACK, linewidth=0.8)
            axes.set_title(f"{stem}, {mix}", fontsize=9, loc="left")
            quiet(axes)
    latencies = sorted(report["settings"]["latencies_ms"])
    for axes in grid[-1]:
        axes.set_xscale("log")
        axes.set_xticks(latencies, [str(ms) for ms in latencies])
        axes.minorticks_off()
        axes.set_xlim(0.75 * latencies[0], 1.33 * latencies[-1])  # room beside a single latency too
        axes.set_xlabel("latency / ms", fontsize=SMALL)
    for row in grid:
        row[0].set_ylabel("SI-SDR improvement / dB", fontsize=SMALL)
    _legend(made, [axes for row in grid for axes in row])
    return made


def by_song(report: Report) -> Figure:
    """A panel per mix and stem at the longest latency; a bar per song and system."""
    mixes, stems, songs = report["settings"]["mixes"], report["settings"]["stems"], report["songs"]
    ms = max(report["settings"]["latencies_ms"])
    panels = [(mix, stem) for stem in stems for mix in mixes]
    made = figure(max(7.0, 1.5 + 1.3 * len(songs)), 1.0 + 1.7 * len(panels))
    grid = made.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    style = _styles(report)
    for axes, (mix, stem) in zip(grid, panels, strict=True):
        width = 0.8 / max(1, len(style))
        for place, (system, (colour, _, title)) in enumerate(style.items()):
            entries = [e for at, e in _points(report, system, mix, stem) if at == ms]
            values = {s["name"]: s["improvement_db"] for e in entries for s in e["songs"]}
            found = [(i, values[n]) for i, n in enumerate(songs) if values.get(n) is not None]
            xs = [i + width * (place - 0.5 * (len(style) - 1)) for i, _ in found]
            if found:  # an empty bar would enter the legend in a colour of its own
                axes.bar(xs, [value for _, value in found], width, color=colour, label=title)
        axes.axhline(0.0, color=BLACK, linewidth=0.8)
        axes.set_title(f"{stem}, {mix}, {ms} ms", fontsize=9, loc="left")
        axes.set_ylabel("dB", fontsize=SMALL)
        quiet(axes)
    grid[-1].set_xticks(range(len(songs)), songs, fontsize=SMALL)
    _legend(made, list(grid))
    return made


def _styles(report: Report) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and title by system: rivals and models in colour, ceilings in grey."""
    titles = {row["system"]: row["title"] for row in report["results"] if row["system"] not in LEFT_OUT}
    rivals = [name for name in titles if name in RIVALS]
    models = [name for name in titles if name not in RIVALS and name not in CEILINGS]
    colours = {name: GREYS[i % len(GREYS)] for i, name in enumerate(CEILINGS)}
    # models first, so that a model has one colour whatever it is compared with
    colours |= {name: MODEL_COLOURS[i % len(MODEL_COLOURS)] for i, name in enumerate([*models, *rivals])}
    return {name: (colours[name], MARKERS[i % len(MARKERS)], t) for i, (name, t) in enumerate(titles.items())}


def _points(report: Report, system: str, mix: str, stem: str) -> list[tuple[int, Report]]:
    rows = (r for r in report["results"] if r["system"] == system and r["mix"] == mix)
    found = [(r["latency_ms"], r["stems"][stem]) for r in rows if r["latency_ms"] and stem in r["stems"]]
    return sorted((ms, e) for ms, e in found if e["improvement_db"] is not None)


def _legend(made: Figure, panels: list[Axes]) -> None:
    """One legend for all panels: a system may be missing in some."""
    named: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(str(label), handle)
    made.legend(
        list(named.values()), list(named), loc="outside upper center", ncols=3, fontsize=SMALL, frameon=False
    )
