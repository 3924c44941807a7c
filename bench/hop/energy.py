"""Energy that the processor counts itself (RAPL), where the system lets it be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


@dataclass(frozen=True)
class EnergyCounter:
    """Counters of all processor packages: everything that ran on them, not this process alone.

    Attributes:
        packages: folders of the counters; none where energy cannot be read.
        why_not: one line, "" where it can be.
    """

    packages: tuple[Path, ...]
    why_not: str

    @classmethod
    def find(cls, powercap: Path = POWERCAP) -> "EnergyCounter":
        """The counters of this machine."""
        packages = tuple(sorted(powercap.glob("intel-rapl:?")))  # AMD's have that name too
        if not packages:
            return cls((), f"{powercap} holds no energy counter (virtual machines hide it)")
        try:
            for package in packages:
                (package / "energy_uj").read_text(encoding="ascii")
        except OSError as error:
            return cls((), f"{error.filename} cannot be read ({error.strerror}; root may)")
        return cls(packages, "")

    def read_j(self) -> tuple[float, ...]:
        """Joules of every package since some moment."""
        return tuple(MICRO * _number(package / "energy_uj") for package in self.packages)

    def since_j(self, begin: tuple[float, ...]) -> float | None:
        """Joules of all packages since `begin` of `read_j`; None where energy cannot be read."""
        if not self.packages:
            return None
        ranges = (MICRO * _number(package / "max_energy_range_uj") for package in self.packages)
        # counters begin again at zero
        spent = (
            end - start if end >= start else end - start + size
            for start, end, size in zip(begin, self.read_j(), ranges, strict=True)
        )
        return float(sum(spent))


def describe(report: dict[str, Any], hops: int) -> str:
    """A worker's `energy` in words."""
    spent_j = report["packages_j"]
    if spent_j is None:
        return f"not readable, {report['why_not']}"
    return f"{spent_j / hops:.4f} J per hop, with all else that ran on the processor"


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
