"""`rtsep-train unet`: trains the U-Net baseline on rendered choirs."""

from pathlib import Path

import click

from rtsep.training.commands.training_run import training_extra


@click.command("unet")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of rendered choirs at 16 kHz."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; resumed.")
@click.option("--minutes", type=click.FloatRange(min=0.01), default=240.0, show_default=True)
@click.option("--config", type=click.Path(path_type=Path), help="TOML over the defaults: table [fit].")
def command(data: Path, out: Path, minutes: float, config: Path | None) -> None:
    """Trains the supervised U-Net that `rtsep eval --systems unet:OUT` compares with.

    Writes unet.safetensors and a card into OUT. It is a baseline: offline, and F0 must be given.
    """
    with training_extra():
        from rtsep.training.baselines.unet_training import train
    train(data, out, minutes, config)
