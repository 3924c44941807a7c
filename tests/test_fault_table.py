"""Every fault of docs/faults.md is injected by a test that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTS = (
    "overload", "engine killed", "crash loop", "recorder killed", "recorder stopped", "main killed",
    "jackd stopped 2 s", "jackd restarted", "other rate", "other period", "device gone",
    "two devices of one name", "disk full",
    "NaN storm", "NaN from the model", "1e30", "feedback", "feedback, fast", "control flood",
    "config with errors",
)  # fmt: skip


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    table = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in table[2:]]


def test_every_fault_has_a_row_without_an_empty_cell() -> None:
    assert tuple(row[0] for row in rows()) == FAULTS
    assert all(len(row) == 7 and all(row) for row in rows())


def test_every_row_names_a_test_that_exists() -> None:
    for row in rows():
        named = re.fullmatch(r"`(tests/\S+\.py)::(test_\w+)`", row[-1])
        assert named is not None, row
        tree = ast.parse((ROOT / named[1]).read_text())
        assert named[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row
