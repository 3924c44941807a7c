"""Energy counters: read, summed over packages, carried over their overflow; missing ones are named."""

from pathlib import Path

import pytest

from rtsep.bench.hop.energy import EnergyCounter


def package(folder: Path, number: int, energy_uj: int) -> None:
    zone = folder / f"intel-rapl:{number}"
    zone.mkdir(exist_ok=True)
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    (zone / "max_energy_range_uj").write_text("1000000\n")


def test_joules_of_all_packages_over_an_overflow(tmp_path: Path) -> None:
    package(tmp_path, 0, 200_000)
    package(tmp_path, 1, 900_000)
    counter = EnergyCounter.find(tmp_path)
    begin = counter.read_j()
    package(tmp_path, 0, 500_000)
    package(tmp_path, 1, 100_000)
    assert counter.why_not == ""
    assert counter.since_j(begin) == pytest.approx(0.3 + 0.2)


def test_a_machine_that_does_not_count_says_so(tmp_path: Path) -> None:
    counter = EnergyCounter.find(tmp_path)
    assert counter.since_j(counter.read_j()) is None
    assert "holds no energy counter" in counter.why_not


def test_counters_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir(parents=True)  # as unreadable for root as for others
    counter = EnergyCounter.find(tmp_path)
    assert not counter.packages
    assert "energy_uj cannot be read" in counter.why_not
