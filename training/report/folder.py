"""`rtsep eval --report DIR`: tables, plots and the numbers behind them, in a folder.

`report.md` to read, `report.json` and `frames.csv.gz` (every 1 s frame of every run) to compute with, PNGs to
look at.
"""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.training.evaluation.evaluate import Evaluation, Run
from rtsep.training.evaluation.frame_pitch import frame_pitch
from rtsep.training.evaluation.stems import read_mixture, voice_labels
from rtsep.training.evaluation.systems import find_system, separate
from rtsep.training.files.atomic_write import place
from rtsep.training.measures.protocol import EXCERPT_SAMPLES, SAMPLERATE
from rtsep.training.report.plot_masks import LENGTH_S, masks
from rtsep.training.report.plot_pitch import pitch_errors, trackers
from rtsep.training.report.plot_quality import overview, quality_over_latency
from rtsep.training.report.plot_style import save
from rtsep.training.report.report import Report
from rtsep.training.report.report_folder import picture, report_folder
from rtsep.training.report.tables import sheets

# Trackers and levels are warm, and the first scored excerpt begins.
START_S = EXCERPT_SAMPLES / SAMPLERATE


def write(
    evaluation: Evaluation, report: Report, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Writes all files.

    Raises:
        RtsepError: the folder cannot be written.
    """
    with report_folder(folder, report):
        progress("frames.csv.gz")
        place(folder / "frames.csv.gz", _frames(evaluation))
        pictures = []
        for name, caption, draw in _plots(evaluation, report):
            progress(name)
            draw(folder / name)
            pictures.append(picture(name, caption))
        tables = [sheet.markdown() for sheet in sheets(report)]
        text = "\n".join([_head(report), *tables, *pictures])
        place(folder / "report.md", text.encode())


Plot = tuple[str, str, Callable[[Path], None]]


def _plots(evaluation: Evaluation, report: Report) -> list[Plot]:
    plots: list[Plot] = [
        ("overview.png", "Systems at a glance", lambda file: save(overview(report), file)),
        (
            "quality_over_latency.png",
            "SI-SDR by voice over latency (quartiles, whiskers at 5 and 95 %, mean as a dot)",
            lambda file: save(quality_over_latency(evaluation), file),
        ),
    ]
    shown = _best(evaluation, "tracked")
    if shown is not None:
        plots += [
            ("trackers.png", "Tracked pitch by voice", lambda file: save(trackers(report), file)),
            (
                "pitch_errors.png",
                "What pitch errors cost",
                lambda file: save(pitch_errors(evaluation, shown, _given(evaluation, shown)), file),
            ),
        ]
    looked_at = shown or _best(evaluation, "given")
    if looked_at is not None:
        plots.append(
            ("masks.png", "Ten seconds of masks", lambda file: _draw_masks(evaluation, looked_at, file))
        )
    return plots


def _best(evaluation: Evaluation, f0: str) -> Run | None:
    """The streaming system of that kind with the highest mean SI-SDR, at the middle of its latencies."""
    means: dict[str, float] = {}
    for run, found in evaluation.results.items():
        system = find_system(run.system)
        if system.streaming and system.f0 == f0:
            values = np.concatenate([r.scores.si_sdr_db[r.scores.kept] for r in found])
            means[run.system] = max(means.get(run.system, -np.inf), float(np.nanmean(values)))
    if not means:
        return None
    latencies = sorted(evaluation.settings.latencies_ms)
    return Run(max(means, key=lambda name: means[name]), latencies[len(latencies) // 2])


def _given(evaluation: Evaluation, tracked: Run) -> Run | None:
    run = Run(f"{tracked.system.removesuffix('-tracked')}-given", tracked.latency_ms)
    return run if run in evaluation.results else None


def _draw_masks(evaluation: Evaluation, run: Run, file: Path) -> None:
    mixture = evaluation.mixtures[0]
    stems = read_mixture(mixture)[:, : int((START_S + LENGTH_S + 1.0) * SAMPLERATE)]
    if stems.shape[1] < int((START_S + LENGTH_S) * SAMPLERATE):
        padding = int((START_S + LENGTH_S) * SAMPLERATE) - stems.shape[1]
        stems = np.pad(stems, ((0, 0), (0, padding)))
    true = evaluation.f0(0)
    latency_ms = run.latency_ms or evaluation.settings.latencies_ms[0]
    estimate = separate(find_system(run.system), stems, latency_ms, true)
    ideal = separate(find_system("ideal"), stems, latency_ms, None)
    title = f"{find_system(run.system).title}, {latency_ms} ms, {mixture.name}"
    made = masks(
        stems.sum(axis=0),
        estimate.voices,
        ideal.voices,
        list(voice_labels([mixture])[0]),
        title,
        true,
        estimate.tracked,
        START_S,
    )
    save(made, file)


def _head(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    return (
        "# Evaluation\n\n"
        f"{len(report['mixtures'])} mixtures of {report['voices_per_mixture']} voices at 16 kHz; "
        f"excerpts of 4 s, the first skipped; {report['protocol']['stream']}. "
        f"Given F0: {report['protocol']['given_f0']}.\n\n{versions}.\n"
    )


def _frames(evaluation: Evaluation) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        (
            "system",
            "latency_ms",
            "mixture",
            "voice",
            "frame",
            "si_sdr_db",
            "kept",
            "f0_missed",
            "f0_error_cents",
        )
    )
    labels = voice_labels(evaluation.mixtures)
    for run, found in evaluation.results.items():
        for m, (mixture, result) in enumerate(zip(evaluation.mixtures, found, strict=True)):
            ratios, kept = _texts(result.scores.si_sdr_db, 2), result.scores.kept.astype(int).tolist()
            missed = errors = [[""] * len(row) for row in kept]
            if result.tracked is not None:
                pitch = frame_pitch(evaluation, run, m)
                missed, errors = _texts(pitch.missed, 3), _texts(pitch.error_cents, 1)
            latency = "" if run.latency_ms is None else run.latency_ms
            for voice, label in enumerate(labels[m]):
                columns = zip(ratios[voice], kept[voice], missed[voice], errors[voice], strict=True)
                for frame, numbers in enumerate(columns):
                    table.writerow((run.system, latency, mixture.name, label, frame, *numbers))
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _texts(values: NDArray[np.float64], digits: int) -> list[list[str]]:
    return [[f"{value:.{digits}f}" if np.isfinite(value) else "" for value in row] for row in values.tolist()]
