"""`rtsep eval --stems ... --report DIR`: `report.md` to read, `report.json` to compute with, and plots."""

from pathlib import Path

from rtsep.training.files.atomic_write import place
from rtsep.training.report.bands.plots import by_song, over_latency
from rtsep.training.report.bands.tables import sheets, song_sheets
from rtsep.training.report.plot_style import save
from rtsep.training.report.report import Report
from rtsep.training.report.report_folder import picture, report_folder

PLOTS = (
    ("over_latency.png", "Improvement over latency (bars: 95 % interval over songs)", over_latency),
    ("by_song.png", "Song by song at the longest latency", by_song),
)


def write(report: Report, folder: Path) -> None:
    """Writes all files.

    Raises:
        RtsepError: the folder cannot be written.
    """
    with report_folder(folder, report):
        pictures = []
        for name, caption, draw in PLOTS:
            save(draw(report), folder / name)
            pictures.append(picture(name, caption))
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
        head = (
            f"# Evaluation of bands\n\n{len(report['songs'])} songs: {', '.join(report['songs'])}. "
            f"{report['protocol']['stem']}. {report['protocol']['improvement']}.\n\n{versions}.\n"
        )
        tables = [sheet.markdown() for sheet in (*sheets(report), *song_sheets(report))]
        place(folder / "report.md", "\n".join([head, *tables, *pictures]).encode())
