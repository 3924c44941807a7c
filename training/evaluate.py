"""`rtsep eval` without its screen: systems x latencies x mixtures -> one JSON-ready report.

The report holds no times of day and no speeds: the same stems, versions and settings give the same bytes.
"""

import importlib.metadata
import math
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.rt.presets import Preset
from rtsep.training import protocol
from rtsep.training.f0_scores import score_f0
from rtsep.training.f0_truth import mixture_f0, swift_f0_version
from rtsep.training.protocol import SAMPLERATE, Audio, Scores
from rtsep.training.stems import Mixture, read_mixture
from rtsep.training.systems import BLOCK_SAMPLES, SYSTEMS, Contours, separate

FORMAT = "rtsep-eval/1"
PACKAGES = ("rtsep", "numpy", "soundfile", "soxr", "swift-f0", "onnxruntime", "mir_eval")
Report = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        systems: keys of `SYSTEMS`, in the order of the table.
        latencies_ms: presets.
        seeds: 1 or 5 as in the paper; see `_seeds`.
        strict: every excerpt by itself through a freshly reset separator.
        cache: folder of F0 contours.
    """

    systems: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    seeds: int
    strict: bool
    cache: Path


def evaluate(
    mixtures: list[Mixture], settings: Settings, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Scores every system on every mixture.

    Args:
        mixtures: all of the same number of voices, so that their frames can be pooled per voice.
        settings: what to run.
        progress: called with a label before every one of `len(runs(settings)) * len(mixtures)` runs.

    Raises:
        RtsepError: mixtures of different numbers of voices, stems that are too short or unreadable.
    """
    sizes = sorted({len(mixture.files) for mixture in mixtures})
    if len(sizes) != 1:
        raise RtsepError(
            f"mixtures of {' and '.join(map(str, sizes))} voices cannot share a table",
            "evaluate folders with different numbers of voices separately",
        )
    if not 1 <= sizes[0] <= 4:
        raise RtsepError(
            f"{mixtures[0].name} has {sizes[0]} voices, outside 1..4",
            "name up to four stems with --quartets FILE",
        )
    needs_f0 = any(SYSTEMS[name].f0 for name in settings.systems)
    audio: dict[Path, Audio] = {}
    scores: dict[tuple[str, int | None], list[Scores]] = {run: [] for run in runs(settings)}
    contours: dict[tuple[str, int | None], list[tuple[Contours, Contours]]] = {}
    for mixture in mixtures:
        stems = read_mixture(mixture, audio)
        spans = protocol.excerpts(stems.shape[1])
        true = Contours(*mixture_f0(stems, settings.cache)) if needs_f0 else None
        for name, latency_ms in scores:
            progress(f"{mixture.name}: {name}" + (f" at {latency_ms} ms" if latency_ms else ""))
            # the systems without a latency take no notice of the preset
            preset_ms = latency_ms or settings.latencies_ms[0]
            estimate = separate(name, stems, preset_ms, true, settings.strict)
            scores[name, latency_ms].append(protocol.score(stems, estimate.voices))
            if estimate.tracked is not None and true is not None:
                scored = true.between(spans[0].start / SAMPLERATE, spans[-1].stop / SAMPLERATE)
                found = Contours(scored.times_s, estimate.tracked.at(scored.times_s))
                contours.setdefault((name, latency_ms), []).append((scored, found))
    return {
        "format": FORMAT,
        "versions": _versions(),
        "settings": {
            "systems": list(settings.systems),
            "latencies_ms": list(settings.latencies_ms),
            "strict": settings.strict,
            "block_samples": BLOCK_SAMPLES,
        },
        "seeds": _seeds(settings.seeds),
        "protocol": _protocol(settings.strict),
        "voices": _voice_labels(mixtures),
        "mixtures": [
            {"name": m.name, "stems": [f.name for f in m.files], "excerpts": s.kept.shape[1] // 4}
            for m, s in zip(mixtures, next(iter(scores.values())), strict=True)
        ],
        "latencies": [_latency(latency_ms) for latency_ms in settings.latencies_ms],
        "results": [
            {"system": name, "title": SYSTEMS[name].title, "latency_ms": latency_ms}
            | _summary(protocol.pool(found))
            | {"mixtures": [{"name": m.name} | _summary(s) for m, s in zip(mixtures, found, strict=True)]}
            for (name, latency_ms), found in scores.items()
        ],
        "f0": [
            {"system": name, "latency_ms": latency_ms} | _f0_summary(pairs)
            for (name, latency_ms), pairs in contours.items()
        ],
    }


def runs(settings: Settings) -> list[tuple[str, int | None]]:
    """(system, latency in ms) of every row; None where the latency makes no difference."""
    free: list[tuple[str, int | None]] = [
        (name, None) for name in settings.systems if not SYSTEMS[name].streaming
    ]
    return free + [
        (name, ms) for ms in settings.latencies_ms for name in settings.systems if SYSTEMS[name].streaming
    ]


def _versions() -> Report:
    versions: Report = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _seeds(asked: int) -> Report:
    return {
        "asked": asked,
        "run": 1,
        "why": "the published systems draw noise and average over seeds; none of these draws any number, "
        "so every seed gives the same samples and one run stands for all",
    }


def _protocol(strict: bool) -> Report:
    return {
        "samplerate": SAMPLERATE,
        "excerpt_samples": protocol.EXCERPT_SAMPLES,
        "skipped_excerpts": protocol.SKIPPED_EXCERPTS,
        "frame_samples": protocol.FRAME_SAMPLES,
        "min_target_energy": protocol.MIN_TARGET_ENERGY,
        "stream": "every excerpt by itself, normalised, separator reset"
        if strict
        else "the whole piece, unscaled",
        "f0_reference": f"swift-f0 {swift_f0_version()} on every stem",
    }


def _latency(latency_ms: int) -> Report:
    preset = Preset(SAMPLERATE, latency_ms)
    return {
        "latency_ms": latency_ms,
        "latency_samples": preset.latency_samples,
        "exact_ms": 1000.0 * preset.latency_samples / SAMPLERATE,
        "hop_samples": preset.hop,
        "window_samples": preset.window_samples,
    }


def _voice_labels(mixtures: list[Mixture]) -> list[str]:
    """The stems' common beginnings (`soprano` of soprano1, soprano2), else voice-1, voice-2, ..."""
    labels = []
    for voice, files in enumerate(zip(*(m.files for m in mixtures), strict=True), start=1):
        names = {file.stem.rstrip("0123456789-_ ").lower() for file in files}
        label = names.pop() if len(names) == 1 else ""
        labels.append(label or f"voice-{voice}")
    return labels


def _finite(value: float | None) -> float | None:
    """JSON knows no NaN and no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _summary(scores: Scores) -> Report:
    def entry(voice: int | None) -> Report:
        numbers = asdict(protocol.summarise(scores, voice))
        return numbers | {key: _finite(numbers[key]) for key in ("mean_db", "median_db")}

    return {"overall": entry(None), "voices": [entry(voice) for voice in range(len(scores.kept))]}


def _f0_summary(pairs: list[tuple[Contours, Contours]]) -> Report:
    true = np.concatenate([t.f0_hz for t, _ in pairs])
    return asdict(score_f0(true, np.concatenate([found.f0_hz for _, found in pairs])))
