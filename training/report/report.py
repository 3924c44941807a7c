"""From an evaluation to a JSON-ready report.

The report holds no times of day and no speeds: the same stems, versions and settings give the same bytes.
"""

import importlib.metadata
import math
import platform
from dataclasses import asdict
from typing import Any

import numpy as np

from rtsep.rt.hop.presets import Preset
from rtsep.training.evaluation.evaluate import Evaluation, Result
from rtsep.training.evaluation.stems import PARTS, Mixture, voice_labels
from rtsep.training.evaluation.streaming import BLOCK_SAMPLES
from rtsep.training.evaluation.systems import find_system
from rtsep.training.measures import protocol
from rtsep.training.measures.pitch_scores import cents_between, nearest, points, score_set, voice_score
from rtsep.training.measures.protocol import SAMPLERATE, Scores
from rtsep.training.measures.stem_pitch import F0Truth, Hz, swift_f0_version

FORMAT = "rtsep-eval/2"
PACKAGES = (
    "rtsep", "numpy", "soundfile", "soxr", "swift-f0", "pyworld-prebuilt", "onnxruntime", "torch", "mir_eval",
)  # fmt: skip
Report = dict[str, Any]


def report(evaluation: Evaluation) -> Report:
    """Everything that was measured, pooled over mixtures and per mixture."""
    mixtures, settings, results = evaluation.mixtures, evaluation.settings, evaluation.results
    where = places(mixtures)
    return {
        "format": FORMAT,
        "versions": versions(PACKAGES),
        "settings": {
            "systems": list(settings.systems),
            "latencies_ms": list(settings.latencies_ms),
            "strict": settings.strict,
            "block_samples": BLOCK_SAMPLES,
        },
        "seeds": _seeds(settings.seeds),
        "protocol": _protocol(evaluation),
        "voices": list(where),
        "voices_per_mixture": len(mixtures[0].files),
        "mixtures": [
            {"name": m.name, "stems": [f.name for f in m.files], "excerpts": r.scores.kept.shape[1] // 4}
            for m, r in zip(mixtures, next(iter(results.values())), strict=True)
        ],
        "latencies": [_latency(latency_ms) for latency_ms in settings.latencies_ms],
        "results": [
            {"system": run.system, "title": find_system(run.system).title, "latency_ms": run.latency_ms}
            | _summary([result.scores for result in found], where)
            | {
                "mixtures": [
                    {"name": m.name} | _entry([r.scores]) for m, r in zip(mixtures, found, strict=True)
                ]
            }
            for run, found in results.items()
        ],
        "f0_truth": _truth_summary(evaluation.truths, where),
        "f0": [
            {"system": run.system, "title": find_system(run.system).title, "latency_ms": run.latency_ms}
            | _f0_summary(evaluation.truths, found, where)
            for run, found in results.items()
            if found[0].tracked is not None
        ]
        + _reference_rows(evaluation, where),
        "basic_pitch": _basic_pitch_note(evaluation),
    }


def versions(packages: tuple[str, ...]) -> Report:
    """Of Python and of packages, None where one is not installed."""
    found: Report = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _seeds(asked: int) -> Report:
    return {
        "asked": asked,
        "run": 1,
        "why": "the published systems draw noise and average over seeds; none of these draws any number, "
        "so every seed gives the same samples and one run stands for all",
    }


def _protocol(evaluation: Evaluation) -> Report:
    return {
        "samplerate": SAMPLERATE,
        "excerpt_samples": protocol.EXCERPT_SAMPLES,
        "skipped_excerpts": protocol.SKIPPED_EXCERPTS,
        "frame_samples": protocol.FRAME_SAMPLES,
        "min_target_energy": protocol.MIN_TARGET_ENERGY,
        "stream": "every excerpt by itself, normalised, separator reset"
        if evaluation.settings.strict
        else "the whole piece, unscaled; offline systems: every excerpt by itself, normalised",
        "given_f0": f"swift-f0 {swift_f0_version()} on every stem",
        "f0_truth": {
            "swift-f0": "swift-f0 on every stem",
            "agreed": "swift-f0 and dio on every stem: points where both find the same pitch within 50 "
            "cents are voiced, points where neither finds one are silent, all others are left out",
        },
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


# of every voice's label: where it stands, as (mixture, place in the mixture)
Places = dict[str, list[tuple[int, int]]]


def places(mixtures: list[Mixture]) -> Places:
    """Which voices of which mixtures share a label, labels from the highest part down."""
    found: Places = {}
    for mixture, labels in enumerate(voice_labels(mixtures)):
        for place, label in enumerate(labels):
            found.setdefault(label, []).append((mixture, place))
    known = [part for part in PARTS if part in found]
    return {label: found[label] for label in known} if len(known) == len(found) else found


def _entry(parts: list[Scores]) -> Report:
    entry = asdict(protocol.summarise(protocol.pool(parts)))
    # an estimate equal to its stem has an infinite ratio, for which JSON has no word
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in entry.items()}


def _summary(scores: list[Scores], where: Places) -> Report:
    return {
        "overall": _entry(scores),
        "voices": [_entry([scores[m].voice(j) for m, j in spots]) for spots in where.values()],
    }


def _truth_summary(truths: list[F0Truth], where: Places) -> Report | None:
    """How far the two single-voice trackers agree: how exact the truth itself is."""
    if not truths:
        return None
    voices = []
    for spots in where.values():
        first = np.concatenate([truths[m].first_hz[:, j] for m, j in spots])
        second = np.concatenate([truths[m].second_hz[:, j] for m, j in spots])
        pair = F0Truth(np.zeros(0), first, second)
        distance = cents_between(first, second)[pair.voiced]
        voices.append(
            {
                "points": len(first),
                "voiced_by_both": float(pair.voiced.mean()),
                "silent_by_both": float(pair.silent.mean()),
                "voiced_by_swift_f0_only": float(((first > 0) & (second <= 0)).mean()),
                "voiced_by_dio_only": float(((first <= 0) & (second > 0)).mean()),
                "median_difference_cents": float(np.median(distance)) if distance.size else None,
            }
        )
    return {"voices": voices}


def _f0_summary(truths: list[F0Truth], found: list[Result], where: Places) -> Report:
    tracked = [r.tracked.f0_hz for r in found if r.tracked is not None]
    return _by_truth(truths, tracked, where) | {"any_order": _any_order(truths, tracked)}


def _by_truth(truths: list[F0Truth], tracked: list[Hz], where: Places) -> Report:
    alone = [points(t.first_hz, f) for t, f in zip(truths, tracked, strict=True)]
    agreed = [points(t.first_hz, f, t.voiced, t.silent) for t, f in zip(truths, tracked, strict=True)]
    return {
        name: [asdict(voice_score([scored[m][j] for m, j in spots])) for spots in where.values()]
        for name, scored in (("swift-f0", alone), ("agreed", agreed))
    }


def _any_order(truths: list[F0Truth], tracked: list[Hz]) -> Report:
    return asdict(score_set(np.concatenate([t.first_hz for t in truths]), np.concatenate(tracked)))


def _reference_rows(evaluation: Evaluation, where: Places) -> list[Report]:
    """basic-pitch tells pitches but not voices: its nearest pitch is taken for every voice."""
    if not evaluation.references:
        return []
    pairs = list(zip(evaluation.truths, evaluation.references, strict=True))
    near = [nearest(truth.first_hz, found.f0_hz) for truth, found in pairs]
    row = _by_truth(evaluation.truths, near, where)
    unknown = {"recall": None, "wrong_voice": None, "false_voicing": None}
    for truth in ("swift-f0", "agreed"):
        row[truth] = [voice | unknown for voice in row[truth]]
    row["any_order"] = _any_order(evaluation.truths, [found.f0_hz for _, found in pairs])
    return [{"system": "basic-pitch", "title": "basic-pitch, offline", "latency_ms": None} | row]


def _basic_pitch_note(evaluation: Evaluation) -> str | None:
    if not evaluation.settings.basic_pitch:
        return None
    if evaluation.references:
        return f"basic-pitch {importlib.metadata.version('basic-pitch')}, its own ONNX file"
    return (
        "skipped: not installed, see pip install --no-deps basic-pitch"
        if evaluation.truths
        else ("skipped: no system tracks pitches")
    )
