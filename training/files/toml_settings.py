"""Typed settings from TOML: a dataclass names every key, its default tells the type.

A default that is itself a dataclass is a table of the file. Tuples keep their length unless the field is
marked `FREE_LENGTH`.
"""

import dataclasses
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rtsep.kernels.errors import RtsepError

FREE_LENGTH = {"free_length": True}  # metadata of a tuple field that may hold more or fewer numbers

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


def read_config(cls: type[Config], file: Path | None) -> Config:
    """Defaults of the dataclass `cls` with the keys of a TOML file over them; None is the defaults alone.

    Raises:
        RtsepError: no such file or key, a value of another kind, or whatever `cls` itself refuses.
    """
    if file is None:
        return cls()
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RtsepError(f"--config {file} cannot be read ({error})", "give a TOML file") from None
    return _over(cls(), given, f"{file}: ")


def _over(default: Config, given: dict[str, Any], where: str) -> Config:
    fields = {field.name: field for field in dataclasses.fields(default)}
    values = {}
    for key, value in given.items():
        if key not in fields:
            raise RtsepError(f"{where}unknown key {key!r}", f"see {type(default).__module__} for the names")
        values[key] = _like_default(fields[key], value, f"{where}{key}")
    return dataclasses.replace(default, **values)


def _like_default(field: "dataclasses.Field[Any]", value: Any, where: str) -> Any:
    default = field.default
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        if isinstance(value, dict):
            return _over(default, value, f"{where}.")
        raise RtsepError(f"{where} = {value!r} does not fit", f"write it as a table [{field.name}]")
    if isinstance(default, tuple):
        free_length = field.metadata.get("free_length")
        if isinstance(value, list) and (free_length or len(value) == len(default)):
            likes = [default[0]] * len(value) if free_length else default
            values = [_scalar(like, v) for like, v in zip(likes, value, strict=True)]
            if None not in values:
                return tuple(values)
    elif (scalar := _scalar(default, value)) is not None:
        return scalar
    raise RtsepError(f"{where} = {value!r} does not fit", f"write it like the default, {default!r}")


def _scalar(like: Any, value: Any) -> Any:
    """`value` as the type of `like`; None if it is of another kind. Whole numbers fit where fractions do."""
    if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if type(value) is type(like) else None
