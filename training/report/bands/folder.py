"""`rtsep eval --stems ... --report DIR`: `report.md` to read, `report.json` to compute with, and plots."""

import json
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.training.files.atomic_write import place
from rtsep.training.report.bands.plots import by_song, over_latency
from rtsep.training.report.bands.tables import sheets, song_sheets
from rtsep.training.report.plot_style import save
from rtsep.training.report.report import Report

PLOTS = (
    ("over_latency.png", "Improvement over latency (bars: 95 % interval over songs)", over_latency),
    ("by_song.png", "Song by song at the longest latency", by_song),
)


def write(report: Report, folder: Path) -> None:
    """Writes all files.

    Raises:
        RtsepError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place(folder / "report.json", (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
        pictures = []
        for name, caption, draw in PLOTS:
            save(draw(report), folder / name)
            pictures.append(f"## {caption}\n\n![{caption}]({name})\n")
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
        head = (
            f"# Evaluation of bands\n\n{len(report['songs'])} songs: {', '.join(report['songs'])}. "
            f"{report['protocol']['stem']}. {report['protocol']['improvement']}.\n\n{versions}.\n"
        )
        tables = [sheet.markdown() for sheet in (*sheets(report), *song_sheets(report))]
        place(folder / "report.md", "\n".join([head, *tables, *pictures]).encode())
    except OSError as error:
        raise RtsepError(
            f"--report {folder} cannot be written ({error.strerror})", "choose a writable folder"
        ) from None
