"""`rtsep-train` or `python -m rtsep.training`: render data, train, measure."""

import sys
from typing import NoReturn

import click

from rtsep.rt.cli import run_group
from rtsep.training.assemble_cli import command as assemble
from rtsep.training.choir_cli import command as choir
from rtsep.training.evaluate_cli import command as evaluate
from rtsep.training.evaluate_rendered_cli import command as evaluate_pitch
from rtsep.training.pitch_cli import command as pitch
from rtsep.training.render_cli import command as render_choir
from rtsep.training.unet_cli import command as unet


@click.group()
def group() -> None:
    """Data, training and evaluation of rtsep's models."""


group.add_command(render_choir)
group.add_command(pitch)
group.add_command(assemble)
group.add_command(choir)
group.add_command(unet)
group.add_command(evaluate)
group.add_command(evaluate_pitch)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: a user's mistake is one line on standard error and exit code 2."""
    sys.exit(run_group(group, "rtsep-train", arguments))


if __name__ == "__main__":
    main()
