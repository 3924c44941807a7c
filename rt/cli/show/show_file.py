"""`rtsep --config show.toml`: the options of the command line, `[parameters]` and `[scenes.NAME]`."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from rtsep.kernels.errors import RtsepError

PARAMETERS, SCENES = "parameters", "scenes"
OF_THE_COMMAND_LINE = ("config", "check", "version", "help")  # mean nothing in the file itself


@dataclass
class ShowFile:
    """What a file says. Values of parameters are as written; who knows the parameters checks them.

    Attributes:
        path: of the file.
        options: as written, by long name without its dashes.
        defaults: the options as click's `default_map` takes them: text by the parameter's name.
        parameters: value by name.
        scenes: value by name of the parameter, by name of the scene.
        faults: one line for each, with file and key.
    """

    path: str
    options: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    scenes: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, key: str, words: str) -> None:
        """Notes one."""
        where = f"{self.path}: {key}: " if key else f"{self.path}: "
        self.faults.append(" ".join(f"{where}{words}".split()))

    def fault_of(self, error: RtsepError, *likely: str) -> None:
        """Notes what was refused, under the key of the option that it names, or the first `likely` one."""
        named = [*re.findall(r"--([a-z0-9-]+)", error.problem), *likely]
        self.fault(next((name for name in named if name in self.options), ""), str(error))

    def require_right(self) -> None:
        """Raises RtsepError with the first fault."""
        if self.faults:
            more = f" ({len(self.faults)} faults in all)" if len(self.faults) > 1 else ""
            raise RtsepError(f"{self.faults[0]}{more}", f"see rtsep --config {self.path} --check")


def read_show(path: str, command: click.Command) -> ShowFile:
    """Reads a file; what is wrong with it is in `faults`, and left out of the rest.

    Args:
        path: of the file.
        command: whose options it may hold.
    """
    show = ShowFile(path)
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        show.fault("", f"it cannot be read ({error.strerror}); name a TOML file")
        return show
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        show.fault("", f"it is no TOML ({error}); mend that line")
        return show
    known = option_names(command)
    for key, value in found.items():
        if key == PARAMETERS:
            show.parameters = _table(show, key, value)
        elif key == SCENES:
            scenes = _table(show, key, value)
            show.scenes = {name: _table(show, f"{key}.{name}", held) for name, held in scenes.items()}
        elif key in known:
            _take(show, key, value, known[key])
        else:
            show.fault(key, f"there is no such option; {did_you_mean(key, [*known, PARAMETERS, SCENES])}")
    return show


def option_names(command: click.Command) -> dict[str, click.Option]:
    """Options by their long name without dashes."""
    found = {}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in parameter.opts:
                if name.startswith("--") and name[2:] not in OF_THE_COMMAND_LINE:
                    found[name[2:]] = parameter
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=2)
    return f"did you mean {' or '.join(near)}?" if near else f"choose e.g. {' or '.join(known[:3])}"


def _table(show: ShowFile, key: str, value: object) -> dict[str, Any]:
    """A table of values; `voice-1.gain = -6` without quotes makes tables in tables, which is the same."""
    if not isinstance(value, Mapping):
        show.fault(key, f"it is a table, not {value!r}; write [{key}]")
        return {}
    if key == SCENES:
        return dict(value)
    flat: dict[str, Any] = {}
    for name, held in value.items():
        if isinstance(held, Mapping):
            flat |= {f"{name}.{inner}": v for inner, v in held.items()}
        else:
            flat[name] = held
    return flat


def _take(show: ShowFile, key: str, value: Any, option: click.Option) -> None:
    show.options[key] = value
    if option.is_flag:
        if not isinstance(value, bool):
            show.fault(key, f"it is true or false, not {value!r}; write true")
            return
    elif option.multiple:
        value = [value] if isinstance(value, str) else value
        if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            show.fault(key, f'it is a list of texts, not {value!r}; write ["..."]')
            return
    else:
        if isinstance(value, list) and all(_is_plain(one) for one in value):
            value = ",".join(map(str, value))
        if not _is_plain(value):
            show.fault(key, f"it is a text, a number or a list of them, not {value!r}; see rtsep --help")
            return
        value = str(value)
        try:
            option.type.convert(value, option, None)
        except RtsepError as error:
            show.fault(key, str(error))
            return
        except click.BadParameter as error:
            show.fault(key, error.message)
            return
    show.defaults[str(option.name)] = value


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def take_config(ctx: click.Context, _: click.Parameter, path: str | None) -> str | None:
    """The callback of `--config`: what the file says stands behind what the command line says."""
    if path is not None:
        show = read_show(os.fspath(path), ctx.command)
        ctx.obj = show
        ctx.default_map = show.defaults
    return path
