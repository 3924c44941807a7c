"""From an evaluation of bands to a JSON-ready report: means over songs with their intervals, and every song.

The report holds no times of day and no speeds: the same stems, versions and settings give the same bytes.
"""

import math
from dataclasses import asdict

import numpy as np

from rtsep.rt.hop.presets import Preset
from rtsep.training.evaluation.bands.evaluate import BALANCED, BandEvaluation, SongResult, best_candidate
from rtsep.training.evaluation.bands.songs import BALANCED_DBFS
from rtsep.training.evaluation.bands.systems import BLOCK_SAMPLES, find_system
from rtsep.training.measures import protocol
from rtsep.training.measures.bootstrap import DRAWS, mean_interval
from rtsep.training.measures.bss_eval import NAMES, BssScore
from rtsep.training.report.report import Report, versions

FORMAT = "rtsep-eval-bands/1"
PACKAGES = ("rtsep", "numpy", "scipy", "soundfile", "onnxruntime", "museval", "musdb")


def report(evaluation: BandEvaluation, leaks: list[Report], stereo: list[Report]) -> Report:
    """Everything that was measured.

    Args:
        evaluation: all results.
        leaks: of `rtsep.training.evaluation.bands.leaks`, empty where not asked for.
        stereo: of `stereo_rows`, empty where not asked for.
    """
    settings = evaluation.settings
    return {
        "format": FORMAT,
        "versions": versions(PACKAGES),
        "settings": asdict(settings) | {"block_samples": BLOCK_SAMPLES},
        "protocol": {
            "stem": "mono: channels averaged; every song at its own sample rate",
            "excerpt_s": protocol.EXCERPT_SAMPLES // protocol.SAMPLERATE,
            "skipped_excerpts": protocol.SKIPPED_EXCERPTS,
            "frame_s": protocol.FRAME_SAMPLES // protocol.SAMPLERATE,
            "min_target_energy_per_16000_samples": protocol.MIN_TARGET_ENERGY,
            "improvement": "SI-SDR of the estimate minus that of the mixture, frame by frame; means over the "
            "frames of a song, then over songs",
            "interval": f"95 % of the means of {DRAWS} bootstrap draws of the songs",
            BALANCED: f"every stem at {BALANCED_DBFS} dBFS while it sounds",
            "bss": "BSS eval v4, frames of 1 s: medians over frames, then over songs",
        },
        "latencies": [_latency(ms) for ms in settings.latencies_ms],
        "songs": evaluation.songs,
        "results": [
            {
                "system": run.system,
                "title": find_system(run.system).title,
                "latency_ms": run.latency_ms,
                "mix": run.mix,
                "stems": {
                    stem: _stem(evaluation.songs, found, stem)
                    for stem in settings.stems
                    if any(stem in song.scores for song in found)
                },
            }
            for run, found in evaluation.results.items()
        ],
        "leaks": leaks,
        "stereo": stereo,
    }


def _latency(latency_ms: int) -> Report:
    preset = Preset(44100, latency_ms)
    return {
        "latency_ms": latency_ms,
        "samples_at_44100_hz": preset.latency_samples,
        "exact_ms_at_44100_hz": round(1000.0 * preset.latency_samples / 44100, 2),
    }


def _stem(names: list[str], found: list[SongResult], stem: str) -> Report:
    choice = best_candidate([song.scores.get(stem, {}) for song in found])
    scored = [
        (name, song.scores[stem][choice])
        for name, song in zip(names, found, strict=True)
        if choice in song.scores.get(stem, {})
    ]
    gains = [s.improvement_db for _, s in scored if math.isfinite(s.improvement_db)]
    ratios = [s.si_sdr_db for _, s in scored if math.isfinite(s.si_sdr_db)]
    entry: Report = {
        "choice": choice or None,
        "songs_scored": len(gains),
        "si_sdr_db": _mean(ratios),
        "improvement_db": _mean(gains),
        "interval_db": list(mean_interval(gains)) if gains else None,
        "songs": [
            {"name": name} | {k: v if math.isfinite(v) else None for k, v in asdict(score).items()}
            for name, score in scored
        ],
    }
    bss = [(name, song.bss[stem]) for name, song in zip(names, found, strict=True) if stem in song.bss]
    if bss:
        entry["bss"] = {
            "median_over_songs": dict(zip(NAMES, _medians([b for _, b in bss]), strict=True)),
            "songs": [{"name": name} | dict(zip(NAMES, b, strict=True)) for name, b in bss],
        }
    return entry


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _medians(scores: list[BssScore]) -> list[float | None]:
    columns = ([v for v in column if v is not None] for column in zip(*scores, strict=True))
    return [float(np.median(column)) if column else None for column in columns]
