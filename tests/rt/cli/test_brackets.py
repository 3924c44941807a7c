"""Brackets in names and messages reach the terminal as they are: rich would take them for markup."""

import ast
import io
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [p for room in ("rt", "training", "bench") for p in sorted((ROOT / room).rglob("*.py"))]
PRINTING = ("Console", "TextColumn")


def calls(source: Path) -> list[ast.Call]:
    """Every call that makes something which prints strings."""
    nodes = ast.walk(ast.parse(source.read_text()))
    return [n for n in nodes if isinstance(n, ast.Call) and getattr(n.func, "id", "") in PRINTING]


@pytest.mark.parametrize("source", [p for p in SOURCES if calls(p)], ids=lambda p: p.stem)
def test_no_markup(source: Path) -> None:
    for call in calls(source):
        words = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
        assert words.get("markup") is False, f"{source}:{call.lineno} reads names as markup"


def test_a_name_with_brackets_is_shown_whole() -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, width=60, record=True, file=io.StringIO())
    table = Table("[red]take[/red].wav")
    console.print(table)
    assert "[red]take[/red].wav" in console.export_text()
