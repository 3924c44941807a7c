"""What a look at one thing gives."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Grade = Literal["ok", "note", "warning", "fault"]
GRADES: tuple[Grade, ...] = ("ok", "note", "warning", "fault")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what.
        grade: "ok"; "note": good to know; "warning": sound may suffer; "fault": rtsep cannot do it here.
        found: what is there.
        remedy: what to do; empty where there is nothing to do.
    """

    topic: str
    grade: Grade
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)
