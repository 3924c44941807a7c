"""Headers of WAV (RIFF, RF64, BW64) and AU, read without going back; and where a WAV's sound really ends.

A header's length of the data is often wrong: written before the end was known, cut off at 4 GiB, or wrapped
around it. What is in the file is believed, as long as it is sound: other chunks may follow it.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rtsep.rt.audio.containers.file_window import FileWindow

WRAP_BYTES = 2**32  # RIFF counts bytes in 32 bits
UNKNOWN = 0xFFFFFFFF  # what programs write that do not know the length
# From here on a length in a stream's header is a stand-in: sox writes 2 GiB less a header, ffmpeg UNKNOWN.
STAND_IN_BYTES = 0x7FFF0000
CHUNK_BYTES = 8
RIFF_MAGICS = (b"RIFF", b"RF64", b"BW64")
LARGEST_CHUNK = 2**28  # of a chunk that is not sound: pictures and texts
WAV_ENCODINGS = {
    (1, 8): "PCM_U8", (1, 16): "PCM_16", (1, 24): "PCM_24", (1, 32): "PCM_32",
    (3, 32): "FLOAT", (3, 64): "DOUBLE", (6, 8): "ALAW", (7, 8): "ULAW",
}  # fmt: skip
AU_ENCODINGS = {
    1: "ULAW",
    2: "PCM_S8",
    3: "PCM_16",
    4: "PCM_24",
    5: "PCM_32",
    6: "FLOAT",
    7: "DOUBLE",
    27: "ALAW",
}
SAMPLE_BYTES = {
    "PCM_U8": 1, "PCM_S8": 1, "ALAW": 1, "ULAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4,
    "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
EXTENSIBLE = 0xFFFE


class HeaderError(Exception):
    """No header that is known here; the message says why."""


@dataclass(frozen=True)
class StreamHeader:
    """What follows a header.

    Attributes:
        subtype: libsndfile's name of the encoding.
        endian: LITTLE or BIG.
        samplerate: Hz.
        channels: as the header says.
        data_bytes: length that the header states, None where it states none.
    """

    subtype: str
    endian: str
    samplerate: int
    channels: int
    data_bytes: int | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.subtype] * self.channels


def read_header(take: Callable[[int], bytes]) -> StreamHeader:
    """Reads up to the first byte of sound; `take(n)` gives the next n bytes, fewer at the end.

    Raises:
        HeaderError: another format, an encoding that is no plain samples, or the end.
    """
    magic = take(4)
    if magic == b".snd":
        return _au_header(take)
    if magic not in RIFF_MAGICS:
        shown = "it is empty" if not magic else f"it begins with {magic!r}"
        raise HeaderError(f"{shown}, not with RIFF, RF64 or .snd")
    take(4)
    if take(4) != b"WAVE":
        raise HeaderError("its RIFF header is not of the kind WAVE")
    layout: tuple[str, int, int] | None = None
    long_bytes = None
    while True:
        head = take(CHUNK_BYTES)
        if len(head) < CHUNK_BYTES:
            raise HeaderError("it ends inside its header")
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            if layout is None:
                raise HeaderError("its header has no format before the sound")
            stated = long_bytes if long_bytes and size == UNKNOWN else size
            return StreamHeader(layout[0], "LITTLE", layout[1], layout[2], stated or None)
        if size > LARGEST_CHUNK:
            raise HeaderError(f"its header has a chunk of {size} bytes")
        body = take(size + size % 2)
        if len(body) < size:
            raise HeaderError("it ends inside its header")
        if name == b"fmt ":
            layout = _format(body)
        elif name == b"ds64" and size >= 16:
            long_bytes = struct.unpack("<Q", body[8:16])[0]


def _format(body: bytes) -> tuple[str, int, int]:
    if len(body) < 16:
        raise HeaderError("its format chunk is too short")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack("<H", body[24:26])[0]
    subtype = WAV_ENCODINGS.get((tag, bits))
    if subtype is None:
        raise HeaderError(f"its encoding, number {tag} with {bits} bits, is no plain samples")
    return subtype, rate, channels


def _au_header(take: Callable[[int], bytes]) -> StreamHeader:
    head = take(20)
    if len(head) < 20:
        raise HeaderError("it ends inside its header")
    offset, size, encoding, rate, channels = struct.unpack(">IIIII", head)
    if encoding not in AU_ENCODINGS:
        raise HeaderError(f"its encoding, number {encoding}, is no plain samples")
    take(min(LARGEST_CHUNK, max(0, offset - 24)))
    return StreamHeader(AU_ENCODINGS[encoding], "BIG", rate, channels, None if size == UNKNOWN else size)


def is_chunk(head: bytes) -> bool:
    """Whether 8 bytes begin a chunk that follows the sound: a name of letters and a length that can be.

    In samples the same needs four bytes of letters and a jump to nearly nothing.
    """
    name, size = head[:4], int.from_bytes(head[4:8], "little")
    letters = all(chr(c).isalnum() or chr(c) in " _-" for c in name) and name.isascii()
    return len(head) == CHUNK_BYTES and letters and size <= LARGEST_CHUNK


def shown_whole(descriptor: int, size: int, start: int = 0) -> tuple[FileWindow, str] | None:
    """A WAV file whose header is too short, shown with one that lets all be read, and what was wrong.

    None where the header is right, or too long (libsndfile then reads what is there).

    Args:
        descriptor: of the file.
        size: its bytes.
        start: where its header begins.
    """
    position = start

    def take(count: int) -> bytes:
        nonlocal position
        data = os.pread(descriptor, count, position)
        position += len(data)
        return data

    try:
        header = read_header(take)
    except HeaderError:
        return None
    stated, there = header.data_bytes, size - position
    if header.endian != "LITTLE" or stated is None or stated >= there:
        return None
    if _only_chunks(descriptor, position + stated, size):
        return None
    wrapped = range(stated + WRAP_BYTES, there + 1, WRAP_BYTES)
    whole = next((n for n in wrapped if _only_chunks(descriptor, position + n, size)), there)
    rate = header.frame_bytes * header.samplerate
    note = (
        f"its header says {stated / rate:.1f} s of sound, {whole / rate:.1f} s are there and separated"
        if rate
        else "its header says less than is there"
    )
    return FileWindow(descriptor, position, position + whole, _rf64_header(header, whole)), note


def _rf64_header(header: StreamHeader, data_bytes: int) -> bytes:
    """A header that counts in 64 bits (EBU Tech 3306), for sound of any length."""
    tag, bits = next(key for key, name in WAV_ENCODINGS.items() if name == header.subtype)
    rate, width = header.samplerate, header.frame_bytes
    fmt = struct.pack("<HHIIHH", tag, header.channels, rate, rate * width % 2**32, width % 2**16, bits)
    ds64 = struct.pack("<QQQI", 72 + data_bytes, data_bytes, data_bytes // width if width else 0, 0)
    unknown = struct.pack("<I", UNKNOWN)
    return (
        b"RF64" + unknown + b"WAVEds64" + struct.pack("<I", len(ds64)) + ds64
        + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + unknown
    )  # fmt: skip


def _only_chunks(descriptor: int, position: int, size: int) -> bool:
    """Whether chunks, or nothing, fill a file from the end of the sound to its own end."""
    position += position % 2  # chunks begin at even bytes
    while size - position >= CHUNK_BYTES:
        head = os.pread(descriptor, CHUNK_BYTES, position)
        if not is_chunk(head):
            return False
        length = int.from_bytes(head[4:8], "little")
        position += CHUNK_BYTES + length + length % 2
    return True
