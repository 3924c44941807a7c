"""The pages of the API: every public name is on them, and what their examples print is true."""

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import rtsep
from rtsep.bench.jack_rig import JackServer

ROOT = Path(__file__).parent.parent
PUBLIC = [name for name in rtsep.__all__ if name != "__version__"]
NEEDS_DEVICE = {"Session"}


def examples(name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(recurse=False).find(getattr(rtsep, name), name, globs={})
    return [test for test in found if test.examples]


def failures(name: str) -> str:
    said: list[str] = []
    for test in examples(name):
        doctest.DocTestRunner().run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", [n for n in PUBLIC if n not in NEEDS_DEVICE])
def test_examples_print_what_they_say(name: str) -> None:
    assert failures(name) == ""


@pytest.mark.jack
def test_the_live_example_prints_what_it_says(jack_server: JackServer) -> None:
    assert failures("Session") == ""


def test_what_a_host_builds_and_calls_has_an_example() -> None:
    made_by_hosts = {"BatchSeparator", "Control", "F0Track", "Parameter", "Preset", "RtsepError"}
    for name in made_by_hosts | {"Separator", "Session", "separate"}:
        assert examples(name), name


def test_pages_hold_every_public_name_glossary_and_formulas(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="pdoc is not installed (extra `test`)")
    subprocess.run([sys.executable, str(ROOT / "docs" / "build.py"), str(tmp_path)], check=True, timeout=120)
    page = (tmp_path / "rtsep.html").read_text(encoding="utf-8")
    for name in PUBLIC:
        assert f'<section id="{name}">' in page, name
        assert (inspect.getdoc(getattr(rtsep, name)) or "").strip(), name
    assert "Glossary" in page
    assert "SI-SDR" in page
    assert r"\cos\frac{2 \pi n}{2M}" in page
