"""How plots look: colours that the colour-blind tell apart (Okabe and Ito 2008), sizes, names of systems."""

from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 130
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
VOICE_COLOURS = (RED, BLUE, GREEN, ORANGE)
VOICE_MARKERS = ("o", "s", "^", "D")
LATENCY_COLOURS = {5: PINK, 11: RED, 21: BLUE, 43: GREEN}
LATENCY_MARKERS = {5: "v", 11: "o", 21: "s", 43: "^"}
MODEL_COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY, YELLOW)
GREYS = ("#8C8C8C", "#5A5A5A", "#B8B8B8")
SMALL = 8


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(made: Figure, file: Path) -> None:
    """As PNG, without the date and versions that would make every file another one."""
    made.savefig(file, metadata={"Software": None})


def quiet(axes: Axes, grid: Literal["both", "x", "y"] = "y") -> None:
    """Light grid along one axis, no box."""
    axes.grid(axis=grid, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL)


class Palette:
    """Colours by system: one per model, pale where F0 is given; grey for ideal masks.

    Args:
        systems: names, in the order of the table.
    """

    def __init__(self, systems: list[str]) -> None:
        self._colours: dict[str, tuple[str, float]] = {}
        models: dict[str, str] = {}
        ideal = iter(GREYS * len(systems))
        for name in systems:
            model, _, f0 = name.rpartition("-")
            if name == "mixture":
                self._colours[name] = (BLACK, 0.15)
            elif name.startswith("ideal"):
                self._colours[name] = (next(ideal), 0.6)
            else:
                model = model if f0 in ("given", "tracked") else name
                colour = models.setdefault(model, MODEL_COLOURS[len(models) % len(MODEL_COLOURS)])
                self._colours[name] = (colour, 0.9 if f0 == "tracked" else 0.3)

    def __getitem__(self, system: str) -> tuple[str, float]:
        """Colour and opacity."""
        return self._colours[system]
