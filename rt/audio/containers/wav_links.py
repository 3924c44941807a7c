"""WAV files joined end to end (`cat a.wav b.wav`): where each of them begins.

libsndfile reads the first of them.
"""

import os
import struct

from rtsep.rt.audio.containers.wav_header import CHUNK_BYTES, RIFF_MAGICS, UNKNOWN, is_chunk

KIND_BYTES = 4  # `WAVE`, behind the length of the whole


def begins_wav(head: bytes) -> bool:
    """Whether 12 bytes are the first of a WAV file."""
    return head[:4] in RIFF_MAGICS and head[CHUNK_BYTES : CHUNK_BYTES + KIND_BYTES] == b"WAVE"


def wav_starts(descriptor: int, size: int) -> list[int]:
    """Positions at which recordings begin: [0] for an ordinary file, nothing where it is no WAV.

    Args:
        descriptor: of the file.
        size: its bytes.
    """
    starts: list[int] = []
    position: int | None = 0
    while position is not None and begins_wav(os.pread(descriptor, CHUNK_BYTES + KIND_BYTES, position)):
        starts.append(position)
        position = _next_start(descriptor, position + CHUNK_BYTES + KIND_BYTES, size)
    return starts


def _next_start(descriptor: int, position: int, size: int) -> int | None:
    """Where the next recording begins, from the first chunk of one: behind its last chunk. None at the end of
    the file, and where what follows is no chunk: the sound of a header that is wrong.
    """
    long_bytes = None
    while position < size:
        head = os.pread(descriptor, CHUNK_BYTES, position)
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"ds64":
            long_bytes = struct.unpack(
                "<Q", os.pread(descriptor, 16, position + CHUNK_BYTES)[8:].ljust(8, b"\0")
            )[0]
        elif name == b"data":
            length = long_bytes if long_bytes and length == UNKNOWN else length
            if not length:  # unknown: the sound goes on to the end
                return None
        elif not is_chunk(head):
            return None
        end = position + CHUNK_BYTES + length
        # chunks begin at even bytes of their file, but not every program fills up the last one
        for start in (end, end + length % 2):
            if begins_wav(os.pread(descriptor, CHUNK_BYTES + KIND_BYTES, start)):
                return start
        position = end + length % 2
    return None
