"""`rtsep eval --stems`: the screen and the files around `rtsep.training.evaluation.bands`."""

from dataclasses import asdict, dataclass
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.shared import (
    choices,
    progress_bar,
    require_places,
    results_console,
    words,
    write_json,
)
from rtsep.training.evaluation.bands.evaluate import MIXES, Settings, evaluate
from rtsep.training.evaluation.bands.leaks import leaks, require_sounds
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.evaluation.bands.stereo import compare_ways
from rtsep.training.evaluation.bands.systems import CEILINGS, find_system, known_systems
from rtsep.training.measures.bss_eval import require_museval
from rtsep.training.report.bands.stereo import stereo_rows
from rtsep.training.report.bands.summary import report
from rtsep.training.report.bands.tables import sheets


@dataclass(frozen=True)
class BandWishes:
    """Options of the command line as they were given; latencies are checked already."""

    stems: str
    systems: str | None
    models: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    mix: str
    bss: bool
    bss_taps: int
    leaks: bool
    sounds: Path | None
    stereo: bool

    def settings(self) -> Settings:
        """Checked.

        Raises:
            RtsepError: a system, mix or package that is not there.
        """
        names = known_systems() if self.systems is None else words("--systems", self.systems)
        ceilings = tuple(name for name in names if name in CEILINGS)
        others = tuple(name for name in names if name not in CEILINGS)
        names = tuple(dict.fromkeys((*others, *self.models, *ceilings)))
        for name in names:
            find_system(name)
        if self.bss:
            require_museval()
        if self.sounds is not None:
            if not self.leaks:
                raise RtsepError("--sounds is for --leaks", "give --leaks too, or leave --sounds out")
            require_sounds(self.sounds)
        return Settings(
            stems=words("--stems", self.stems),
            systems=names,
            latencies_ms=self.latencies_ms,
            mixes=choices("--mix", self.mix, MIXES),
            bss=self.bss,
            bss_taps=self.bss_taps,
        )


def evaluate_bands(
    folders: tuple[Path, ...], wishes: BandWishes, jobs: int, folder: Path | None, json_file: Path | None
) -> None:
    """Runs everything, prints tables, writes files.

    Args:
        folders: of songs.
        wishes: what to run.
        jobs: processes.
        folder: of the report, if wanted.
        json_file: of its numbers, if wanted.
    """
    settings = wishes.settings()
    require_places(json_file, folder)
    songs = [song for place in folders for song in find_songs(place, settings.stems)]
    with progress_bar() as progress:
        evaluation = evaluate(songs, settings, jobs, progress)
        leaked = []
        if wishes.leaks:
            steps = len(evaluation.results) * len(songs)
            found = leaks(
                songs,
                settings.systems,
                settings.latencies_ms,
                wishes.sounds,
                lambda label: progress(steps, steps, label),
            )
            titles = {name: find_system(name).title for name in settings.systems}
            leaked = [asdict(leak) | {"title": titles[leak.system]} for leak in found]
        ways = []
        if wishes.stereo:
            compared = compare_ways(
                songs, settings.stems, settings.systems, settings.latencies_ms, jobs, progress
            )
            ways = stereo_rows(compared)
    summary = report(evaluation, leaked, ways)
    console = results_console()
    for sheet in sheets(summary):
        console.print(sheet.on_terminal())
    if folder is not None:
        from rtsep.training.report.bands.folder import write  # draws: not needed for the rest

        write(summary, folder)
    if json_file is not None:
        write_json("--json", json_file, summary)
