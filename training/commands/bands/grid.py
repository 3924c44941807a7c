"""`rtsep-train band-grid`: ways to train the band model against each other, at one cost."""

from pathlib import Path

import click

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.training_run import training_extra
from rtsep.training.files.toml_settings import read_config


@click.command("band-grid")
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), multiple=True, required=True,
    help="Database of rtsep-train stems or render-band; once for each.",
)  # fmt: skip
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the runs; what is missing is run.",
)
@click.option("--stems", default="vocals,drums,bass,other", show_default=True, help="A decoder each.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option("--seed", type=click.IntRange(min=1), help="Only the runs of this seed: a process for each.")
def command(
    folders: tuple[Path, ...], out: Path, stems: str, config_file: Path | None, seed: int | None
) -> None:
    """Trains interleaved, simultaneous and independent networks, each on databases that know all stems and on
    disjoint ones, with several seeds; and interleaved with Adam's averages of the encoder kept per stem.

    Stopped, it goes on where it was. `rtsep-train band-grid-table` compares the runs.
    """
    with training_extra():
        from rtsep.training.band.grid.runs import GridConfig, finished, grid_runs, train
        from rtsep.training.databases.stem_folder import StemFolder
    config = read_config(GridConfig, config_file)
    names = tuple(stem.strip() for stem in stems.split(",") if stem.strip())
    runs = [run for run in grid_runs(config) if seed in (None, run.seed)]
    if not runs:
        raise RtsepError(f"--seed {seed} is none of the {config.seeds} seeds", "choose a smaller one")
    databases = [StemFolder(folder) for folder in folders]
    for run in runs:
        if finished(run, out):
            click.echo(f"{run.name}: done before")
            continue
        record = train(run, config, databases, names, out)
        click.echo(f"{run.name}: {record['steps']} steps, {record['processor_s']} s of a processor")
