"""`rtsep eval`: the screen and the files around `rtsep.training.evaluation`."""

from pathlib import Path

import click
from click.core import ParameterSource

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.presets import LATENCIES_MS, OVERLAP_AT_48K
from rtsep.training.commands.evaluating.bands import BandWishes, evaluate_bands
from rtsep.training.commands.shared import (
    choices,
    progress_bar,
    require_places,
    results_console,
    words,
    write_json,
)
from rtsep.training.evaluation.evaluate import Settings, evaluate, runs
from rtsep.training.evaluation.stems import Mixture, find_mixtures, pairs
from rtsep.training.evaluation.systems import F0_SOURCES, find_system, known_systems
from rtsep.training.measures.bss_eval import PUBLISHED_TAPS
from rtsep.training.measures.stem_pitch import default_cache
from rtsep.training.report.report import report
from rtsep.training.report.tables import sheets

CHOIRS_ONLY = ("voices", "quartets", "in_pairs", "f0", "seeds", "strict", "with_basic_pitch", "cache")
BANDS_ONLY = ("mix", "models", "bss", "bss_taps", "with_leaks", "sounds", "stereo")


@click.command("eval")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--voices", type=int, help="Voices of every mixture; checked against the stems found.")
@click.option(
    "--latency", default=",".join(map(str, OVERLAP_AT_48K)), show_default=True,
    help="Presets in ms; also 143, 243, 543 of choirs that decide later.",
)  # fmt: skip
@click.option(
    "--quartets",
    default="same",
    show_default=True,
    metavar="same|all|FILE",
    help="Which stems to mix: singer k of every part, all combinations, or a list of names.",
)
@click.option("--pairs", "in_pairs", is_flag=True, help="Every two voices of these mixtures instead.")
@click.option(
    "--f0",
    default="tracked,given",
    show_default=True,
    help="Pitches of the systems: tracked in the mixture, given from the stems (swift-f0), or both.",
)
@click.option(
    "--systems",
    metavar="NAMES",
    help=f"Rows of the table: {', '.join(known_systems())}; or MODEL-given, -tracked, "
    "-offline, -143, -243 or -543 with a model's name or path. Default: all of these.",
)
@click.option("--seeds", type=click.Choice(["1", "5"]), default="1", help="As published; noted in the JSON.")
@click.option(
    "--strict", is_flag=True, help="Every excerpt normalised and separated by itself, from a reset."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--basic-pitch", "with_basic_pitch", is_flag=True,
    help="Score basic-pitch beside the trackers (pip install --no-deps basic-pitch).",
)  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for F0 contours of stems.")
@click.option("--stems", metavar="NAMES", help="Evaluate a band: its stems, e.g. vocals,drums,bass,other.")
@click.option(
    "--mix",
    default="raw,balanced",
    show_default=True,
    help="Bands: stems as they are (raw), brought to one loudness (balanced), or both.",
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME|FOLDER", help="Bands: one more model; may be repeated."
)
@click.option("--bss", is_flag=True, help="Bands: BSS eval v4 too (museval; seconds a song).")
@click.option(
    "--bss-taps",
    type=click.IntRange(1, 2048),
    default=PUBLISHED_TAPS,
    show_default=True,
    help="Bands: its filters; published numbers have 512, fewer are quicker and lower.",
)
@click.option(
    "--leaks",
    "with_leaks",
    is_flag=True,
    help="Bands: also what drums, a voice, silence, applause and a count-in alone leave in every output.",
)
@click.option(
    "--sounds",
    type=click.Path(path_type=Path),
    help="Bands: folder of more sounds for --leaks.",
)
@click.option(
    "--stereo",
    is_flag=True,
    help="Bands: also with panned stems, one mask for both channels against two.",
)
@click.option(
    "--report", "folder", type=click.Path(path_type=Path), help="Write tables, plots and all numbers here."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report here as well.")
@click.pass_context
def command(
    ctx: click.Context,
    folders: tuple[Path, ...],
    voices: int | None,
    latency: str,
    quartets: str,
    in_pairs: bool,
    f0: str,
    systems: str | None,
    seeds: str,
    strict: bool,
    jobs: int,
    with_basic_pitch: bool,
    cache: Path | None,
    stems: str | None,
    mix: str,
    models: tuple[str, ...],
    bss: bool,
    bss_taps: int,
    with_leaks: bool,
    sounds: Path | None,
    stereo: bool,
    folder: Path | None,
    json_file: Path | None,
) -> None:
    """Scores separation through the streaming path, of choirs or of bands.

    Choirs: FOLDER holds the voices, whose sum is the mixture. 16 kHz, 4 s excerpts (the first skipped),
    SI-SDR of 1 s frames, mean / median in dB.

    Bands, with --stems: FOLDER holds songs, each a folder of stems (or is MUSDB18). The same frames at the
    songs' own rate, improvement of SI-SDR over the mixture, mean over songs, beside rivals that learn
    nothing and ideal masks.
    """
    presets = tuple(int(ms) for ms in choices("--latency", latency, tuple(map(str, LATENCIES_MS))))
    _refuse(ctx, CHOIRS_ONLY if stems is not None else BANDS_ONLY, stems is not None)
    if stems is not None:
        wanted = BandWishes(stems, systems, models, presets, mix, bss, bss_taps, with_leaks, sounds, stereo)
        evaluate_bands(folders, wanted, jobs, folder, json_file)
        return
    wanted_f0 = choices("--f0", f0, F0_SOURCES)
    names = _systems(systems, wanted_f0, f0)
    settings = Settings(names, presets, int(seeds), strict, cache or default_cache(), with_basic_pitch)
    if not runs(settings):
        raise RtsepError(
            f"--latency {latency} is for systems that decide later, and {', '.join(names)} is not one",
            "add 43, or choir-tracked to --systems",
        )
    mixtures = _mixtures(folders, quartets, in_pairs, voices)
    require_places(json_file, folder)
    with progress_bar() as progress:
        evaluation = evaluate(mixtures, settings, jobs, progress)
    found = report(evaluation)
    console = results_console()
    for sheet in sheets(found):
        console.print(sheet.on_terminal())
    for row in found["results"]:
        if row["overall"]["nan_frames"]:
            at = f" at {row['latency_ms']} ms" if row["latency_ms"] else ""
            console.print(f"{row['title']}{at}: {row['overall']['nan_frames']} silent estimates skipped")
    if found["basic_pitch"] and not evaluation.references:
        console.print(f"basic-pitch {found['basic_pitch']}")
    if folder is not None:
        from rtsep.training.report.folder import write  # draws: not needed for the rest

        write(evaluation, found, folder)
    if json_file is not None:
        write_json("--json", json_file, found)


def _refuse(ctx: click.Context, names: tuple[str, ...], band: bool) -> None:
    """Options of the other kind of evaluation, which would otherwise be left unheeded."""
    for parameter in ctx.command.params:
        given = parameter.name and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            kind = "choirs, not for --stems" if band else "bands"
            remedy = "leave it out" if band else "name the stems with --stems, or leave it out"
            raise RtsepError(f"{parameter.opts[0]} is for {kind}", remedy)


def _systems(systems: str | None, wanted_f0: tuple[str, ...], f0: str) -> tuple[str, ...]:
    asked = known_systems() if systems is None else words("--systems", systems)
    names = tuple(name for name in asked if find_system(name).f0 in (None, *wanted_f0))
    if not names:
        raise RtsepError(
            f"--systems {systems} with --f0 {f0} leaves no system", "drop one of the two options"
        )
    return names


def _mixtures(folders: tuple[Path, ...], quartets: str, in_pairs: bool, voices: int | None) -> list[Mixture]:
    mixtures = [mixture for folder in folders for mixture in find_mixtures(folder, quartets)]
    if in_pairs:
        mixtures = pairs(mixtures)
    for mixture in mixtures:
        if voices is not None and len(mixture.files) != voices:
            raise RtsepError(
                f"--voices {voices}, but {mixture.name} has {len(mixture.files)} stems",
                "leave --voices out, or choose other mixtures with --quartets",
            )
    return mixtures
