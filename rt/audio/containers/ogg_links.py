"""Chained Ogg: several recordings one after the other in one file (RFC 3533), as radio streams are saved.

libsndfile reads the first of them.
"""

import os

MAGIC = b"OggS"
HEADER_BYTES, MOST_SEGMENTS = 27, 255
FIRST_PAGE = 0x02  # flag of a page that begins a logical stream


def link_starts(descriptor: int, size: int) -> list[int]:
    """Positions at which recordings begin: [0] for an ordinary file, nothing where it is no Ogg.

    Streams that are interleaved begin with one such page each, one after the other: they are one recording.
    """
    starts: list[int] = []
    position, in_beginning = 0, False
    while position < size:
        head = os.pread(descriptor, HEADER_BYTES + MOST_SEGMENTS, position)
        if len(head) < HEADER_BYTES or head[:4] != MAGIC:
            break
        begins = bool(head[5] & FIRST_PAGE)
        if begins and not in_beginning:
            starts.append(position)
        in_beginning = begins
        segments = head[26]
        position += HEADER_BYTES + segments + sum(head[HEADER_BYTES : HEADER_BYTES + segments])
    return starts
