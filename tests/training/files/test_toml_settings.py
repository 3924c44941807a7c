"""TOML over defaults: every value is of its default's kind or refused by name."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.training.files.toml_settings import FREE_LENGTH, read_config


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    name: str = "adam"


@dataclass(frozen=True)
class Outer:
    steps: int = 3
    loud: bool = False
    band_hz: tuple[float, float] = (20.0, 40.0)
    sizes: tuple[int, ...] = field(default=(8, 16), metadata=FREE_LENGTH)
    fit: Inner = Inner(rate=0.25)


def read(tmp_path: Path, text: str) -> Outer:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return read_config(Outer, file)


def test_defaults_and_tables(tmp_path: Path) -> None:
    assert read_config(Outer, None) == Outer()
    assert read(tmp_path, "") == Outer()
    text = 'steps = 4\nloud = true\nband_hz = [1, 2.5]\nsizes = [4]\n[fit]\nrate = 1\nname = "sgd"\n'
    config = read(tmp_path, text)
    assert config == Outer(4, True, (1.0, 2.5), (4,), Inner(1.0, "sgd"))
    assert isinstance(config.fit.rate, float)


def test_a_table_keeps_what_its_owner_sets(tmp_path: Path) -> None:
    assert read(tmp_path, '[fit]\nname = "sgd"\n').fit == Inner(0.25, "sgd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepps = 4", "unknown key 'stepps'"),
        ("steps = 4.0", r"steps = 4.0 does not fit; write it like the default, 3"),
        ("steps = true", "steps = True"),
        ("loud = 1", "loud = 1"),
        ("band_hz = [1]", "band_hz"),
        ("sizes = [1.5]", "sizes"),
        ("fit = 3", r"table \[fit\]"),
        ("[fit]\nname = 3", "fit.name = 3"),
        ("[fit]\nrat = 3", "fit.unknown key 'rat'"),
        ("steps =", "cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RtsepError, match=message):
        read(tmp_path, text)
