"""What every `--report DIR` is made of: its numbers as JSON, its pictures in the text, one line of error."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.training.files.atomic_write import place
from rtsep.training.report.report import Report


@contextmanager
def report_folder(folder: Path, report: Report) -> Iterator[None]:
    """The folder with `report.json` in it, to write the rest.

    Raises:
        RtsepError: the folder, or what is written into it, cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place(folder / "report.json", (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
        yield
    except OSError as error:
        raise RtsepError(
            f"--report {folder} cannot be written ({error.strerror})", "choose a writable folder"
        ) from None


def picture(name: str, caption: str) -> str:
    """A picture under its caption, as Markdown."""
    return f"## {caption}\n\n![{caption}]({name})\n"
