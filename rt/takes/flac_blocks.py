"""The blocks of a FLAC file that nobody has completed (RFC 9639): how many it says it has, where they end."""

import os
from mmap import mmap

HEAD_BYTES = 4096  # more than the head of any file that libsndfile begins
FIRST_METADATA = 4  # behind `fLaC`
BLOCK_OFFSET = 8  # of the frames of a block, 16 bits
TOTAL_OFFSET = 21  # of the byte whose lower half begins the 36 bits of the number of frames
SYNC_BYTES = 3  # of a block's header, the same for all blocks of a file
NUMBER_OFFSET = 4  # in a block's header, of the block's number, coded as UTF-8 codes a character


def head_bytes(content: bytes | mmap) -> int:
    """Where the first block begins."""
    offset = FIRST_METADATA
    while True:
        kind, size = content[offset], int.from_bytes(content[offset + 1 : offset + 4], "big")
        offset += 4 + size
        if kind & 0x80:
            return offset


def block_frames(content: bytes | mmap) -> int:
    """Frames of a block; the last one of a file may have fewer."""
    return int.from_bytes(content[BLOCK_OFFSET : BLOCK_OFFSET + 2], "big")


def flac_frames(content: bytes | mmap) -> int:
    """Frames that the head tells; 0 of a file that has no head yet."""
    return int.from_bytes(content[TOTAL_OFFSET : TOTAL_OFFSET + 5], "big") & (1 << 36) - 1


def write_flac_frames(descriptor: int, frames: int) -> None:
    """Writes the number of frames into the head."""
    first = os.pread(descriptor, 1, TOTAL_OFFSET)
    if first:
        total = bytes([first[0] & 0xF0 | frames >> 32]) + (frames & 0xFFFFFFFF).to_bytes(4, "big")
        os.pwrite(descriptor, total, TOTAL_OFFSET)


def flac_end(content: bytes | mmap, frames: int) -> int:
    """Where the block behind the first `frames` frames, whole blocks, begins; the end where there is none."""
    if not frames:
        return len(content)
    number = chr(frames // block_frames(content)).encode("utf-8", "surrogatepass")
    at = head_bytes(content)
    sync = content[at : at + SYNC_BYTES]
    while (at := content.find(sync, at)) >= 0:
        if content[at + NUMBER_OFFSET : at + NUMBER_OFFSET + len(number)] == number:
            return at
        at += 1
    return len(content)
