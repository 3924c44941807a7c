"""A picture of a recording's pitches: notes over time, a colour for each voice."""

from pathlib import Path

import numpy as np

from rtsep.rt.cli.live_screen import A4_HZ, A4_MIDI, NOTES

# Wong's colours, which people who see few of them can tell apart (Nature Methods 8, 441, 2011).
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
WIDTH_PER_S, LEAST_WIDTH, MOST_WIDTH = 0.12, 8.0, 60.0  # inches


def draw_pitches(table: Path, picture: Path, title: str) -> None:
    """Draws a CSV file of `rtsep --f0-out` as a PNG file.

    Raises:
        ImportError: no matplotlib.
        OSError: a file that cannot be read or written.
    """
    # the classes alone: pyplot looks for a screen
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with table.open(encoding="utf-8") as file:
        names = [name.removesuffix("_hz") for name in file.readline().strip().split(",")[1:]]
        rows = np.loadtxt(file, delimiter=",", ndmin=2).reshape(-1, 1 + len(names))
    times_s, f0_hz = rows[:, 0], rows[:, 1:]
    semitones = A4_MIDI + 12 * np.log2(np.where(f0_hz > 0, f0_hz, np.nan) / A4_HZ)
    # a line from one note to the next would be a glide that nobody sang
    semitones[1:][np.abs(np.diff(semitones, axis=0)) > 1.0] = np.nan
    seconds = float(times_s[-1]) if len(times_s) else 1.0
    figure = Figure(
        figsize=(min(MOST_WIDTH, max(LEAST_WIDTH, WIDTH_PER_S * seconds)), 6), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for voice, name in enumerate(names):
        axes.plot(times_s, semitones[:, voice], color=COLOURS[voice % len(COLOURS)], linewidth=1, label=name)
    sung = semitones[np.isfinite(semitones)]
    low, high = (int(sung.min()) - 2, int(sung.max()) + 3) if sung.size else (47, 73)
    ticks = [n for n in range(low, high + 1) if "#" not in NOTES[n % 12]]
    axes.set_yticks(ticks, [f"{NOTES[n % 12]}{n // 12 - 1}" for n in ticks], fontsize="small")
    axes.set_ylim(low, high)
    axes.set_xlim(0, seconds)
    axes.set_xlabel("time in s")
    axes.set_title(title, parse_math=False)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", ncols=len(names))
    figure.savefig(picture, format="png", dpi=100)
