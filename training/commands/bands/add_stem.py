"""`rtsep-train add-stem`: another stem for a band model: a new decoder on its encoder, which stays."""

import dataclasses
from pathlib import Path

import click

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.training_run import lasting, training_extra
from rtsep.training.files.toml_settings import read_config


@click.command("add-stem")
@click.argument("stem")
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), multiple=True, required=True,
    help="Database that knows the stem, or gives what to mix it with; once for each.",
)  # fmt: skip
@click.option("--base", default="band", show_default=True, help="Model to whose encoder the stem is added.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder of the add-on.")
@click.option(
    "--run", type=click.Path(path_type=Path), required=True, help="Folder of the run; resumed if begun."
)
@click.option(
    "--beside", default="vocals,drums,bass", show_default=True,
    help="Stems of the databases that the new one is mixed with; none of them may hold it.",
)  # fmt: skip
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option("--minutes", type=click.FloatRange(min=0.0), help="Over the config's.")
@click.option("--from-scratch", is_flag=True,
              help="Learn an encoder too, as a model of its own: to see what the base is worth.")  # fmt: skip
def command(
    stem: str, folders: tuple[Path, ...], base: str, out: Path, run: Path, beside: str,
    config_file: Path | None, minutes: float | None, from_scratch: bool,
) -> None:  # fmt: skip
    """Trains a decoder of STEM on the encoder of a band model and writes it as an add-on.

    Use it with `rtsep --model BASE --add-on OUT --stems vocals,STEM`.
    """
    with training_extra():
        from safetensors.torch import load

        from rtsep.models.band_rules import ENCODER
        from rtsep.models.card import BAND
        from rtsep.models.registry import find_model
        from rtsep.training.band.band_config import BandConfig
        from rtsep.training.band.model_folder import Origin, write_add_on, write_model
        from rtsep.training.band.networks import SIMULTANEOUS
        from rtsep.training.band.task import BandTask
        from rtsep.training.databases.stem_folder import StemFolder
        from rtsep.training.loop.checkpoint import load_best
        from rtsep.training.loop.fit import fit
    if out.exists():
        raise RtsepError(f"{out} exists", "name a new folder: models are never overwritten")
    model = find_model(base)
    encoders = [n for n in model.card.networks if n.role == ENCODER]
    if model.card.family != BAND or not encoders:
        raise RtsepError(f"model {model.card.name} has no encoder to add a stem to", "name a band model")
    if stem in model.card.stems:
        raise RtsepError(f"model {model.card.name} has {stem} already", "name another stem")
    config = lasting(read_config(BandConfig, config_file), minutes)
    # one stem: there is nothing to take turns with
    config = dataclasses.replace(config, mode=SIMULTANEOUS, **encoders[0].config)
    databases = [StemFolder(folder) for folder in folders]
    weights = None if from_scratch else load(model.read(encoders[0].weights))
    others = tuple(name.strip() for name in beside.split(",") if name.strip())
    task = BandTask(databases, (stem,), config, encoder=weights, beside=others)
    fit(task, config.fit, run)
    measures = load_best(task.module, run)
    origin = Origin(
        manifests=[d.manifest for d in databases],
        measured_quality=(f"{stem}: {measures['score']:.1f} dB better than the mixture on songs held out",),
        seed=config.fit.seed,
        recipe=f"rtsep-train add-stem {stem}",
    )
    if from_scratch:
        write_model(task.module, out, f"Stem of a band: {stem}.", origin)
        click.echo(f"{out}: a model of {stem}, {measures['score']:.2f} dB on songs held out")
        return
    write_add_on(task.module.decoder(0), stem, model, out, origin)
    click.echo(f"{out}: {stem} for the model {model.card.name}, {measures['score']:.2f} dB on songs held out")
