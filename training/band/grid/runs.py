"""The runs of the grid: every way to train, on every kind of databases, with every seed, at the same cost.

Cost is time of a processor, counted in steps: a clock would give a run on a busy machine less, and a run that
is stopped and goes on would not be the same run. How long a step of each mode takes is measured once.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.band_config import ONE, PER_STEM, BandConfig
from rtsep.training.band.grid.regimes import DISJOINT, FULL, REGIMES, databases_of
from rtsep.training.band.networks import INTERLEAVED, MODES, SIMULTANEOUS
from rtsep.training.band.task import BandTask
from rtsep.training.databases.stem_folder import StemFolder
from rtsep.training.files.atomic_write import place
from rtsep.training.loop.fit import fit

RECORD = "run.json"  # of a run that has ended


@dataclass(frozen=True)
class GridConfig:
    """Everything about the grid.

    Attributes:
        seeds: how many; every run is made with seeds 1, 2, ...
        processor_minutes: of every run.
        step_s: processor time of a step in seconds, as measured: interleaved, simultaneous, independent.
        band: of every run; mode, moments, steps and seed are set for each.
    """

    seeds: int = 2
    processor_minutes: float = 5.0
    step_s: tuple[float, float, float] = (0.4, 0.5, 0.4)
    band: BandConfig = field(default=BandConfig())

    def __post_init__(self) -> None:
        for name in ("seeds", "processor_minutes"):
            if getattr(self, name) <= 0:
                raise RtsepError(f"{name} = {getattr(self, name)} is not above 0", "choose more")
        if min(self.step_s) <= 0:
            raise RtsepError(f"step_s = {self.step_s} are no times", "measure them")


@dataclass(frozen=True)
class GridRun:
    """One run: `mode` and `moments` as of `BandConfig`, `regime` as of `regimes.databases_of`."""

    mode: str
    regime: str
    seed: int
    moments: str = ONE

    @property
    def name(self) -> str:
        """Of its folder."""
        moments = "" if self.moments == ONE else "-moments-per-stem"
        return f"{self.mode}{moments}-{self.regime}-{self.seed}"

    def steps(self, config: GridConfig) -> int:
        """Whole rounds of the stems, so that every stem has as many."""
        steps = 60.0 * config.processor_minutes / config.step_s[MODES.index(self.mode)]
        whole = config.band.hold * 4
        return whole * max(1, round(steps / whole))


def grid_runs(config: GridConfig) -> list[GridRun]:
    """Seed by seed, so that a grid that is cut short compares all modes; then the runs whose encoder has a
    set of Adam's averages for every stem."""
    found = []
    for seed in range(1, config.seeds + 1):
        found += [GridRun(mode, regime, seed) for regime in REGIMES for mode in MODES]
    for seed in range(1, config.seeds + 1):
        found += [GridRun(INTERLEAVED, regime, seed, PER_STEM) for regime in REGIMES]
    return found


def band_config(run: GridRun, config: GridConfig) -> BandConfig:
    """The settings of a run.

    Where databases are disjoint nothing is mixed at random: with stems by themselves every mixture would know
    all of them again.
    """
    band = config.band
    mixtures = band.mixtures
    if run.regime == DISJOINT:
        mixtures = dataclasses.replace(mixtures, random_share=0.0)
    settings = dataclasses.replace(
        band.fit, steps=run.steps(config), minutes=0.0, seed=run.seed, validate_every=0
    )
    return dataclasses.replace(
        band, mode=run.mode, encoder_moments=run.moments, mixtures=mixtures, fit=settings
    )


def task_of(
    run: GridRun, config: GridConfig, databases: Sequence[StemFolder], stems: Sequence[str]
) -> BandTask:
    """What the run learns; all runs are validated on the same songs, of databases that know all stems."""
    return BandTask(
        databases_of(run.regime, databases, stems), stems, band_config(run, config),
        validates=databases_of(FULL, databases, stems),
    )  # fmt: skip


def finished(run: GridRun, out: Path) -> bool:
    """Whether the run has ended."""
    return (out / run.name / RECORD).exists()


def train(
    run: GridRun,
    config: GridConfig,
    databases: Sequence[StemFolder],
    stems: Sequence[str],
    out: Path,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, object]:
    """Trains one run, from the start or from its last checkpoint, and writes what it took.

    Returns:
        What `RECORD` holds: the run, its steps, updates of every decoder, seconds of the processor and the
        validation.
    """
    folder = out / run.name
    began = clock()
    task = task_of(run, config, databases, stems)
    fitted = fit(task, task.config.fit, folder)
    every = 1 if run.mode == SIMULTANEOUS else len(stems)
    record: dict[str, object] = {
        **dataclasses.asdict(run),
        "stems": list(stems),
        "paths": config.band.paths,
        "steps": fitted.step,
        "updates_per_decoder": fitted.step // every,
        "processor_s": round(clock() - began, 1),
        "parameters": sum(p.numel() for p in task.module.parameters()),
        "validation": fitted.measures,
    }
    place(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    return record
