"""A hop in the recorder's ring: rows that tell where it belongs, then its frames.

Nothing is guessed later: each record holds the absolute frame of what is in it, so a hop that never came is a
gap between two numbers, whoever lost it.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x31646F6870737274
# magic; frame of the rows in front of a seam and of those behind it; rows in front of it; why there is a
# seam; input frames that were lost, and where; whether the hop was skipped; counters of the device:
# xruns, late hops, fallback samples
HEADER = struct.Struct("<QqqqIIIIQQQ")
HEADER_FLOATS = HEADER.size // 4
HEADER_DTYPE = np.dtype(
    [
        ("magic", "<u8"),
        ("before_frame", "<i8"),
        ("frame", "<i8"),
        ("lost_at", "<i8"),
        ("before_rows", "<u4"),
        ("cause", "<u4"),
        ("lost_frames", "<u4"),
        ("skipped", "<u4"),
        ("xruns", "<u8"),
        ("late_hops", "<u8"),
        ("fallback_samples", "<u8"),
    ]
)
NO_FRAME = -1  # of rows that belong nowhere: before the first sample, or after the last


class Cause(IntEnum):
    """Why frames are missing in front of a hop."""

    NONE = 0
    RING_FULL = 1
    DEVICE_LOST = 2
    ENGINE_RESTARTED = 3


@dataclass(frozen=True)
class Layout:
    """Records of `hop` frames, `width` samples each."""

    hop: int
    width: int

    @property
    def header_rows(self) -> int:
        """Rows that the header takes."""
        return -(-HEADER_FLOATS // self.width)

    @property
    def rows(self) -> int:
        """Of a record."""
        return self.header_rows + self.hop


@dataclass(frozen=True)
class HopFacts:
    """What the device and the hop loop say with a hop; `lost_frames` of the input from frame `lost_at` on,
    which is later than the frames that come with it.
    """

    cause: Cause
    lost_frames: int
    skipped: bool
    xruns: int
    late_hops: int
    fallback_samples: int
    lost_at: int = 0


@dataclass(frozen=True)
class Segment:
    """Frames that follow each other: absolute frame of the first, float32 [frames, width]; facts of the hop
    that they came with.
    """

    frame: int
    rows: NDArray[np.float32]
    facts: HopFacts


def segments(block: NDArray[np.float32], layout: Layout) -> Iterator[Segment]:
    """The segments of whole records, float32 [records * rows, width], in order; rows are views.

    Raises:
        ValueError: the block does not begin with a record.
    """
    records = block.reshape(-1, layout.rows, layout.width)
    flat = np.ascontiguousarray(records.reshape(len(records), -1)[:, :HEADER_FLOATS])
    for record, header in zip(records, flat.view(HEADER_DTYPE)[:, 0].tolist(), strict=True):
        magic, before_frame, frame, lost_at, before_rows, cause, lost, skipped, xruns, late, fallback = header
        if magic != MAGIC:
            raise ValueError("the recorder's ring holds no record where one should begin")
        facts = HopFacts(Cause(cause), lost, bool(skipped), xruns, late, fallback, lost_at)
        rows = record[layout.header_rows :]
        if before_rows and before_frame != NO_FRAME:
            calm = HopFacts(Cause.NONE, 0, False, xruns, late, fallback)
            yield Segment(before_frame, rows[:before_rows], calm)
        behind = rows[before_rows:]
        yield Segment(frame, behind if frame != NO_FRAME else behind[:0], facts)


def merged(found: Iterable[Segment]) -> Iterator[Segment]:
    """The same frames in as few segments as can be: those that follow each other and tell nothing new are
    one, as each segment costs a write of every file.
    """
    waiting: list[Segment] = []
    for segment in found:
        if waiting and not _goes_on(waiting[-1], segment):
            yield _joined(waiting)
            waiting = []
        waiting.append(segment)
    if waiting:
        yield _joined(waiting)


def _goes_on(before: Segment, segment: Segment) -> bool:
    calm = replace(before.facts, cause=Cause.NONE, lost_frames=0, lost_at=0, skipped=False)
    return segment.facts == calm and before.frame + len(before.rows) == segment.frame


def _joined(parts: list[Segment]) -> Segment:
    rows = [part.rows for part in parts]
    return Segment(parts[0].frame, np.concatenate(rows) if len(rows) > 1 else rows[0], parts[0].facts)
