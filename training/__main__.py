"""`rtsep-train` or `python -m rtsep.training`: render data, train, measure."""

import sys
from typing import NoReturn

from rtsep.rt.python_process import leave_current_folder

if __name__ == "__main__":
    leave_current_folder()

import click

from rtsep.rt.cli.main import run_group
from rtsep.training.commands.assemble import command as assemble
from rtsep.training.commands.bands.add_stem import command as add_stem
from rtsep.training.commands.bands.band import command as band
from rtsep.training.commands.bands.grid import command as band_grid
from rtsep.training.commands.bands.grid_table import command as band_grid_table
from rtsep.training.commands.bands.render_band import command as render_band
from rtsep.training.commands.bands.stems import command as stems
from rtsep.training.commands.choir import command as choir
from rtsep.training.commands.evaluate import command as evaluate
from rtsep.training.commands.evaluating.accompany import command as accompany
from rtsep.training.commands.evaluating.confidence import command as evaluate_confidence
from rtsep.training.commands.evaluating.parts import command as evaluate_parts
from rtsep.training.commands.evaluating.pitch import command as evaluate_pitch
from rtsep.training.commands.evaluating.score import command as evaluate_score
from rtsep.training.commands.evaluating.singers import command as evaluate_singers
from rtsep.training.commands.pitch import command as pitch
from rtsep.training.commands.render_choir import command as render_choir
from rtsep.training.commands.unet import command as unet


@click.group()
def group() -> None:
    """Data, training and evaluation of rtsep's models."""


group.add_command(render_choir)
group.add_command(pitch)
group.add_command(assemble)
group.add_command(choir)
group.add_command(unet)
group.add_command(stems)
group.add_command(render_band)
group.add_command(band)
group.add_command(band_grid)
group.add_command(band_grid_table)
group.add_command(add_stem)
group.add_command(evaluate)
group.add_command(evaluate_parts)
group.add_command(evaluate_pitch)
group.add_command(evaluate_confidence)
group.add_command(evaluate_score)
group.add_command(evaluate_singers)
group.add_command(accompany)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: a user's mistake is one line on standard error and exit code 2."""
    sys.exit(run_group(group, "rtsep-train", arguments))


if __name__ == "__main__":
    main()
