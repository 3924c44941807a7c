"""Files that are whole or not there, however a run ends."""

import os
import secrets
from pathlib import Path


def place(file: Path, content: bytes) -> None:
    """Writes beside, then renames: the name never stands for half a file.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    part = file.with_name(f".part-{secrets.token_hex(4)}-{file.name}")
    try:
        part.write_bytes(content)
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
