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
# magic; frame of the rows in front of a seam and of those behind it; where input frames were lost; where the
# stems of a skipped hop belong; rows in front of the seam; why there is one; input frames that were lost;
# `SKIPPED`, `BYPASSED`; counters of the device: xruns, late hops, fallback samples; frames of the record; of
# which engine it is
HEADER = struct.Struct("<QqqqqIIIIQQQII")
HEADER_FLOATS = HEADER.size // 4
HOP_IN_HEADER = 12
SKIPPED, BYPASSED = 1, 2
NO_FRAME = -1  # of rows that belong nowhere: before the first sample, or after the last


class Cause(IntEnum):
    """Why frames are missing in front of a hop."""

    NONE = 0
    RING_FULL = 1
    DEVICE_LOST = 2
    ENGINE_RESTARTED = 3


@dataclass(frozen=True)
class Layout:
    """Records of `hop` frames, `width` samples each: as wide as the ring, of which the samples of an engine
    take the first.
    """

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
    which is later than the frames that come with it. `bypassed`: no engine stays up, so the residual is the
    input. `hop`: frames that this is said of, the first of a segment. `skipped_at`: frame of the stems of a
    skipped hop; that of an engine's first hops lies before what the engine gives, so it may be below 0.
    """

    cause: Cause
    lost_frames: int
    skipped: bool
    xruns: int
    late_hops: int
    fallback_samples: int
    lost_at: int = 0
    bypassed: bool = False
    hop: int = 0
    skipped_at: int = 0


@dataclass(frozen=True)
class Segment:
    """Frames that follow each other: absolute frame of the first, float32 [frames, width]; facts of the hop
    that they came with; which of the session's engines they are of, 0 for the first.
    """

    frame: int
    rows: NDArray[np.float32]
    facts: HopFacts
    engine: int = 0


def whole_rows(block: NDArray[np.float32], layout: Layout) -> int:
    """Rows of the whole records that a block begins with; an engine may have had other hops than the one
    before it.

    Raises:
        ValueError: as of `segments`.
    """
    at = 0
    while at + layout.header_rows <= len(block):
        end = at + layout.header_rows + _header(block, at, layout)[HOP_IN_HEADER]
        if end > len(block):
            break
        at = end
    return at


def segments(block: NDArray[np.float32], layout: Layout) -> Iterator[Segment]:
    """The segments of whole records, float32 [rows, width], in order; rows are views.

    Raises:
        ValueError: the block does not begin with a record.
    """
    at = 0
    while at < len(block):
        header = _header(block, at, layout)
        _, before_frame, frame, lost_at, skipped_at, before_rows, cause, lost, flags = header[:9]
        xruns, late, fallback, hop, engine = header[9:]
        at += layout.header_rows
        skipped, bypassed = bool(flags & SKIPPED), bool(flags & BYPASSED)
        facts = HopFacts(
            Cause(cause), lost, skipped, xruns, late, fallback, lost_at, bypassed, hop, skipped_at
        )
        rows = block[at : at + hop]
        at += hop
        if before_rows and before_frame != NO_FRAME:
            calm = HopFacts(Cause.NONE, 0, False, xruns, late, fallback, hop=hop)
            yield Segment(before_frame, rows[:before_rows], calm, engine)
        behind = rows[before_rows:]
        yield Segment(frame, behind if frame != NO_FRAME else behind[:0], facts, engine)


def _header(block: NDArray[np.float32], at: int, layout: Layout) -> tuple[int, ...]:
    flat = np.ascontiguousarray(block[at : at + layout.header_rows]).reshape(-1)
    header = HEADER.unpack_from(flat.view(np.uint8).data)
    if header[0] != MAGIC:
        raise ValueError("the recorder's ring holds no record where one should begin")
    return header


def merged(found: Iterable[Segment]) -> Iterator[Segment]:
    """The same frames in as few segments as can be: those that follow each other and tell nothing new are
    one, as each segment costs a write of every file. What it tells is of its first `facts.hop` frames.
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
    calm = replace(before.facts, cause=Cause.NONE, lost_frames=0, lost_at=0, skipped=False, skipped_at=0)
    same = segment.facts == calm and segment.engine == before.engine
    return same and before.frame + len(before.rows) == segment.frame


def _joined(parts: list[Segment]) -> Segment:
    rows = [part.rows for part in parts]
    joined = np.concatenate(rows) if len(rows) > 1 else rows[0]
    return Segment(parts[0].frame, joined, parts[0].facts, parts[0].engine)
