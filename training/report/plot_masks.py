"""Ten seconds to look at: the mixture with its pitches, and each voice's mask beside the ideal one."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtsep.training.baselines.centred_stft import HOP, WINDOW_SAMPLES, centred_stft
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio
from rtsep.training.report.plot_style import SMALL, VOICE_COLOURS, figure

LENGTH_S = 10.0
TOP_HZ = 3000.0
PITCH_TOP_HZ = 1200.0
RANGE_DB = 70.0
# Where the mixture holds nothing a mask has no meaning: left blank.
BLANK_DB = -65.0
F0_STEP_S = 0.02  # of the dots, a few pixels


def masks(
    mixture: Audio,
    voices: Audio,
    ideal: Audio,
    names: list[str],
    title: str,
    true: Contours,
    found: Contours | None,
    start_s: float,
) -> Figure:
    """What a system let through, as the ratio of spectrograms |estimate| / |mixture|.

    Shape:
        mixture: float32 [samples] at 16 kHz; voices, ideal: float32 [voices, samples]; true, found: F0 of the
            same voices.
    """
    span = slice(int(start_s * SAMPLERATE), int((start_s + LENGTH_S) * SAMPLERATE))
    bins = int(TOP_HZ * WINDOW_SAMPLES / SAMPLERATE) + 1
    whole = np.abs(centred_stft(mixture[span]))[:, :bins]
    level_db = 20.0 * np.log10(np.maximum(whole, 1e-9) / whole.max())
    extent = (start_s, start_s + whole.shape[0] * HOP / SAMPLERATE, 0.0, TOP_HZ / 1000.0)
    made = figure(12.0, 3.6 + 1.9 * len(voices))
    grid = made.add_gridspec(1 + len(voices), 2, height_ratios=[1.9, *[1.0] * len(voices)])
    top = made.add_subplot(grid[0, :])
    picture = top.imshow(
        level_db.T, origin="lower", aspect="auto", extent=extent, cmap="gray_r", vmin=-RANGE_DB, vmax=0.0
    )
    made.colorbar(picture, ax=top, label="level / dB", pad=0.01)
    times_s = np.arange(start_s, start_s + LENGTH_S, F0_STEP_S)
    for index, name in enumerate(names):
        colour = VOICE_COLOURS[index % len(VOICE_COLOURS)]
        _pitch(top, times_s, true.at(times_s)[:, index], colour, "-", 0.8, f"{name}, true")
        if found is not None:
            _pitch(top, times_s, found.at(times_s)[:, index], colour, ".", 4.0, f"{name}, tracked")
    top.set_ylim(0.0, PITCH_TOP_HZ / 1000.0)
    top.set_title(f"mixture and pitches; below: masks of {title} (left), ideal masks (right)", fontsize=10)
    top.set_ylabel("frequency / kHz", fontsize=SMALL)
    top.legend(ncols=4, fontsize=7, loc="upper right", framealpha=0.85, handlelength=1.2)
    first = None
    panels = []
    for column, estimates in enumerate((voices, ideal)):
        for row, name in enumerate(names):
            axes = made.add_subplot(grid[1 + row, column], sharex=first, sharey=first)
            first = first or axes
            ratio = np.abs(centred_stft(estimates[row, span]))[:, :bins] / np.maximum(whole, 1e-9)
            shown = np.where(level_db > BLANK_DB, np.minimum(ratio, 1.0), np.nan)
            picture = axes.imshow(
                shown.T, origin="lower", aspect="auto", extent=extent, cmap="cividis", vmin=0.0, vmax=1.0
            )
            axes.set_title(name if column == 0 else f"{name}, ideal", fontsize=SMALL, loc="left", pad=2)
            axes.tick_params(labelsize=SMALL, labelbottom=row == len(names) - 1, labelleft=column == 0)
            if column == 0:
                axes.set_ylabel("kHz", fontsize=SMALL)
            if row == len(names) - 1:
                axes.set_xlabel("time / s", fontsize=SMALL)
            panels.append(axes)
    made.colorbar(picture, ax=panels, label="share of the mixture's magnitude", pad=0.01)
    return made


def _pitch(
    axes: Axes,
    times_s: NDArray[np.float64],
    f0_hz: NDArray[np.float64],
    colour: str,
    style: str,
    size: float,
    label: str,
) -> None:
    khz = np.where(f0_hz > 0, f0_hz, np.nan) / 1000.0
    axes.plot(times_s, khz, style, color=colour, linewidth=size, markersize=size, label=label)
