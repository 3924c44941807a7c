"""`rtsep-train band`: trains the band model on databases that know some stems each."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtsep.kernels.errors import RtsepError
from rtsep.models.registry import find_model
from rtsep.training.commands.training_run import lasting, training_extra
from rtsep.training.files.toml_settings import read_config

if TYPE_CHECKING:
    from torch import Tensor

    from rtsep.training.band.task import BandTask

LEAST_POWER = 0.25  # below it, and above its inverse, a mask is all but flat or on and off


@click.command("band")
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), multiple=True, required=True,
    help="Database of rtsep-train stems or render-band; once for each.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; resumed if begun."
)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="Run or model to begin with the weights of.",
)
@click.option(
    "--model", "model_folder", type=click.Path(path_type=Path),
    help="New folder for a model of the best weights: rtsep --model FOLDER --stems vocals,drums.",
)  # fmt: skip
@click.option(
    "--mean-with-start", is_flag=True,
    help="--model is the mean of the best weights and of --start's: both, without their noise.",
)  # fmt: skip
@click.option(
    "--power", "powers", multiple=True, metavar="STEM=P",
    help="--model gives this stem's gains to the power of P: below 1 it hears more of it. Once for each.",
)  # fmt: skip
@click.option("--stems", default="vocals,drums,bass,other", show_default=True, help="A decoder each.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option(
    "--mode", type=click.Choice(["interleaved", "simultaneous", "independent"]), help="Over the config's."
)
@click.option("--minutes", type=click.FloatRange(min=0.0), help="Over the config's.")
@click.option("--seed", type=click.IntRange(min=0), help="Over the config's.")
def command(
    folders: tuple[Path, ...], out: Path, start: Path | None, model_folder: Path | None, stems: str,
    config_file: Path | None, mode: str | None, minutes: float | None, seed: int | None,
    mean_with_start: bool, powers: tuple[str, ...],
) -> None:  # fmt: skip
    """Trains an encoder and a decoder per stem.

    interleaved: a step takes one database and one decoder. simultaneous: a step learns every stem that its
    rows know. independent: an encoder for every stem.
    """
    with training_extra():
        import torch

        from rtsep.training.band.band_config import BandConfig
        from rtsep.training.band.model_folder import Origin, load_model, write_model
        from rtsep.training.band.task import BandTask
        from rtsep.training.databases.stem_folder import StemFolder
        from rtsep.training.loop.checkpoint import BEST, load_best
        from rtsep.training.loop.fit import fit
    config = lasting(read_config(BandConfig, config_file), minutes)
    if mode is not None:
        config = dataclasses.replace(config, mode=mode)
    if seed is not None:
        config = dataclasses.replace(config, fit=dataclasses.replace(config.fit, seed=seed))
    names = tuple(stem.strip() for stem in stems.split(",") if stem.strip())
    if not names or len(set(names)) != len(names):
        raise RtsepError(f"--stems {stems!r} is no list of stems", "write e.g. vocals,drums,bass,other")
    if model_folder is not None and model_folder.exists():
        raise RtsepError(f"{model_folder} exists", "name a new folder: models are never overwritten")
    if mean_with_start and (start is None or model_folder is None):
        raise RtsepError("--mean-with-start is about --start and --model", "give both, or leave it out")
    power = _powers(powers, names)
    if power and model_folder is None:
        raise RtsepError("--power is about --model", "give both, or leave it out")
    if start is not None:  # its weights stand on the levels that were measured for them
        config = dataclasses.replace(config, statistics_steps=0)
    databases = [StemFolder(folder) for folder in folders]
    task = BandTask(databases, names, config)
    if start is not None:
        if (start / BEST).exists():
            load_best(task.module, start)
        else:
            load_model(task.module, find_model(str(start)))
        for place in range(len(names)):  # set after training, for what was trained then
            task.module.decoder(place).power.fill_(1.0)
    begun = {name: weight.clone() for name, weight in task.module.state_dict().items()}
    fitted = fit(task, config.fit, out)
    click.echo(f"{out}: {fitted.step} steps, best {fitted.best_score:.2f} dB on songs held out")
    if model_folder is not None:
        measures = load_best(task.module, out)
        if mean_with_start:
            _mean_with(task, begun)
        for stem, value in power.items():
            task.module.decoder(names.index(stem)).power.fill_(value)
        if mean_with_start or power:  # another network than the one that was validated
            with torch.no_grad():
                measures = task.validate(task.module.eval())
        found = ", ".join(f"{stem} {measures[f'{stem}_db']:.1f}" for stem in names)
        origin = Origin(
            manifests=[database.manifest for database in databases],
            measured_quality=(f"dB better than the mixture on mixtures of songs held out, 43 ms: {found}",),
            seed=config.fit.seed,
            recipe=f"rtsep-train band --mode {config.mode}",
        )
        write_model(task.module, model_folder, f"Stems of a band: {', '.join(names)}.", origin)
        click.echo(f"{model_folder}: rtsep --model {model_folder} --stems {','.join(names)}")


def _powers(given: tuple[str, ...], stems: tuple[str, ...]) -> dict[str, float]:
    """Of --power."""
    out = {}
    for word in given:
        stem, _, number = word.partition("=")
        try:
            power = float(number)
        except ValueError:
            power = math.nan
        if stem not in stems or not LEAST_POWER <= power <= 1.0 / LEAST_POWER:
            raise RtsepError(
                f"--power {word} is no stem of {', '.join(stems)} with a power of {LEAST_POWER} to "
                f"{1.0 / LEAST_POWER:g}",
                "write e.g. other=0.75",
            )
        out[stem] = power
    return out


def _mean_with(task: "BandTask", begun: "dict[str, Tensor]") -> None:
    """Every weight half way to where the run began."""
    import torch

    with torch.no_grad():
        for name, weight in task.module.state_dict().items():
            if weight.is_floating_point():
                weight.lerp_(begun[name], 0.5)
