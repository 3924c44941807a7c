"""Every row of docs/faults.md, done to a live session; what is heard of a fault is what a room hears."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rtsep.bench.live.faults.__main__ import main
from rtsep.bench.live.faults.cases import CASES
from rtsep.bench.live.faults.room import Room
from rtsep.rt.live.meters import NO_NUMBERS_S, NumberWatch

TABLE = Path(__file__).parents[3] / "docs" / "faults.md"


@pytest.mark.jack
@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_a_fault_costs_what_the_table_says(name: str, tmp_path: Path) -> None:
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    if name == "disk-full" and os.geteuid() != 0:
        pytest.skip("a disk of its own can be mounted by root alone")
    assert CASES[name](tmp_path).wrong == []


def test_every_row_of_the_table_can_be_injected() -> None:
    named = re.findall(r"^\| [^|]+ \| `([a-z0-9-]+)` \|", TABLE.read_text(), re.MULTILINE)
    assert named == list(CASES)


def test_an_unknown_fault_is_refused() -> None:
    result = CliRunner().invoke(main, ["earthquake"])
    assert (result.exit_code, "engine-killed" in result.output) == (2, True)


def test_a_gap_is_silence_or_the_mixture_and_ends_with_stems() -> None:
    room = Room(np.zeros(8192, np.float32))
    cycles = np.arange(0.0, 4.0, 0.005)
    for at in cycles:
        if 2.0 <= at < 2.5:  # the client is not called
            continue
        voices = 0.0 if 1.0 <= at < 2.7 else 0.1
        rest = 0.0 if 1.4 <= at < 2.6 else 0.1
        room.heard.append((float(at), voices, rest))
    gap = room.gap(0.5, 3.9)
    assert gap.begin == pytest.approx(1.0, abs=0.006)
    assert gap.end == pytest.approx(2.7, abs=0.006)
    assert gap.mixture_s == pytest.approx(0.5, abs=0.02)
    assert gap.silent_s == pytest.approx(1.2, abs=0.02)
    assert room.gap(3.0, 3.9).begin == room.gap(3.0, 3.9).end == 3.0


def test_a_model_without_numbers_is_no_engine() -> None:
    """A single hop is none of its business; an input of NaN never reaches the stems."""
    watch, bad, good = NumberWatch(), np.array([0.1, np.nan]), np.array([0.1, 0.2])
    for now, peaks in ((0.0, bad), (0.1, good), (0.2, bad), (0.2 + 0.9 * NO_NUMBERS_S, bad)):
        watch.look(peaks, now)
    with pytest.raises(ArithmeticError):
        watch.look(bad, 0.2 + NO_NUMBERS_S)
