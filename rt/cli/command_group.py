"""The root command: help in sections, and subcommands of higher folders found by name, imported when used."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from rtsep.kernels.errors import RtsepError

ENTRY_POINT_GROUP = "rtsep.commands"
# Shown by --help without importing the commands: name -> (help line, extra of pyproject.toml that it needs).
KNOWN_COMMANDS = {
    "batch": ("Separate every recording of a folder, on all cores or on a cluster.", "archive"),
    "adapt": ("Adapt a model to a choir and its room, from a rehearsal's mixture.", "train"),
    "eval": ("Measure separation quality on a folder of stems.", "eval"),
    "compile": ("Prepare a model for another backend.", "openvino"),
    "bench": ("Time the engine on this machine, paced like a device.", "test"),
    "doctor": ("Look whether this machine is ready for a show.", ""),
    "latency": ("Measure a device's round trip, and what rtsep adds.", ""),
    "mixer": ("A mixer in the terminal for a session that runs.", "stage"),
    "embed": ("Use rtsep in a program written in C, or as LV2 plugins.", ""),
}


class SectionOption(click.Option):
    """An option that says under which heading of the help it stands."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class RootGroup(click.Group):
    """`rtsep [OPTIONS]` separates; `rtsep COMMAND` does something else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Own commands, then those of installed packages."""
        return [*super().list_commands(ctx), *sorted(_entry_points())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command from outside when it is asked for.

        Raises:
            RtsepError: what the command needs is not installed.
        """
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        entry = _entry_points().get(cmd_name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except ImportError as error:
            extra = KNOWN_COMMANDS.get(cmd_name, ("", cmd_name))[1]
            package = f"'rtsep[{extra}]'" if extra else "rtsep"
            raise RtsepError(
                f"rtsep {cmd_name} cannot start: {error}", f"install what it needs: pip install {package}"
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"entry point {entry.value} is no click command")
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One table per section, then the commands."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)
        rows = []
        for name in self.list_commands(ctx):
            own = super().get_command(ctx, name)
            rows.append((name, own.get_short_help_str(80) if own else KNOWN_COMMANDS.get(name, ("", ""))[0]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
