"""Plans are kept with all they depend on; what is damaged or made for anything else is never handed out."""

import dataclasses
from pathlib import Path

import pytest

from rtsep.models.runtimes.plan_cache import PlanCache, PlanKey

KEY = PlanKey("ab" * 32, "tensorrt", "NVIDIA H200", "570.1", "tensorrt 10.15", "fp16")
PLAN = bytes(range(256)) * 4


def test_kept_and_found_again(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    assert cache.get(KEY) is None
    file = cache.put(KEY, PLAN)
    assert PlanCache(tmp_path / "plans").get(KEY) == PLAN
    assert list((tmp_path / "plans").iterdir()) == [file]  # no half-written file beside it
    cache.put(KEY, b"newer")
    assert cache.get(KEY) == b"newer"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(PlanKey)])
def test_every_part_of_the_key_counts(tmp_path: Path, field: str) -> None:
    cache = PlanCache(tmp_path)
    cache.put(KEY, PLAN)
    other = dataclasses.replace(KEY, **{field: getattr(KEY, field) + "x"})
    assert cache.get(other) is None
    # another key's file under this key's name: copied by hand, or by a collision
    (tmp_path / KEY.file_name()).rename(tmp_path / other.file_name())
    assert cache.get(other) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b"570.1", b"570.2"),
        lambda content: content.split(b"\n", 1)[1],
        lambda content: b"",
    ],
    ids=["cut", "longer", "a bit", "header", "no header", "empty"],
)
def test_what_is_damaged_is_not_there(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    cache = PlanCache(tmp_path)
    file = cache.put(KEY, PLAN)
    file.write_bytes(damage(file.read_bytes()))
    assert cache.get(KEY) is None
