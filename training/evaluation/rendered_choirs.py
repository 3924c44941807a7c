"""Trackers on rendered choirs, where the true F0 is what was sung and not what another tracker found.

Voices are compared slot by slot, highest first: that is what trackers are asked for, and rendered choirs
know who is where (`rtsep.training.choir.render.f0_labels.pitch_order`). Items have one to four voices, and
every tracker is given their number. Or every voice is tracked by itself, where swift-f0, which follows one
voice offline, is the measure.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.dataset import ChoirFolder
from rtsep.training.choir.render.f0_labels import LABEL_S, in_order
from rtsep.training.evaluation.evaluate import Run, workers
from rtsep.training.evaluation.systems import find_system
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.pitch_scores import VoicePoints, points, voice_score
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.measures.stem_pitch import F0_HOP_S, swift_f0

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

FORMAT = "rtsep-eval-pitch/1"
WARM_UP_S = 1.0  # a tracker may take that long to find its feet
# Below the item's loudest voice: quieter singing is not asked for, and only what is quieter counts as
# silence, for a reverberation has level but no pitch in the truth.
AUDIBLE_DB = 40.0
SINGLE = "swift-f0"  # the name of the measure


def evaluate_rendered(
    folder: Path,
    items: int,
    runs: list[Run],
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
    solo: bool = False,
) -> dict[str, Any]:
    """Scores tracked systems on the first `items` items of a folder, the ones that training holds out.

    Args:
        folder, items: of render-choir.
        runs: systems that end with -tracked; with `solo` also `SINGLE`, at no latency.
        jobs: processes.
        progress: called with runs done, of how many, and which.
        solo: every voice by itself.

    Raises:
        RtsepError: no such folder, fewer items, or a system that tracks nothing.
    """
    choirs = ChoirFolder(folder)
    if not 1 <= items <= len(choirs):
        raise RtsepError(f"{folder} holds {len(choirs)} items, not {items}", "ask for fewer with --items")
    for run in runs:
        if not (solo and run.system == SINGLE) and find_system(run.system).f0 != "tracked":
            raise RtsepError(f"{run.system} tracks no pitch", "name systems that end with -tracked")
    todo = [(run, place) for run in runs for place in range(items)]
    found: dict[Run, list[list[VoicePoints]]] = {run: [] for run in runs}
    with workers(jobs) as spread:
        for done, (run, scored) in enumerate(spread(partial(_track, folder, solo), todo), start=1):
            progress(done, len(todo), _title(run))
            found[run].append(scored)
    return {
        "format": FORMAT,
        "items": items,
        "solo": solo,
        "results": [
            {
                "system": run.system,
                "title": _title(run),
                "latency_ms": run.latency_ms,
                **({} if solo else _parts(scored)),
                "all": asdict(voice_score([v for s in scored for v in s])),
            }
            for run, scored in found.items()
        ],
    }


def _title(run: Run) -> str:
    return (
        f"{SINGLE}, offline"
        if run.system == SINGLE
        else f"{find_system(run.system).title}, {run.latency_ms} ms"
    )


def _parts(scored: list[list[VoicePoints]]) -> dict[str, Any]:
    """By slot, and by how many sing in an item."""
    return {
        "by_slot": _scores([s[j] for s in scored if len(s) > j] for j in range(MAX_VOICES)),
        "by_voices": _scores(
            [v for s in scored if len(s) == count for v in s] for count in range(1, MAX_VOICES + 1)
        ),
    }


def _scores(groups: Iterable[list[VoicePoints]]) -> list[dict[str, Any] | None]:
    return [asdict(voice_score(group)) if group else None for group in groups]


def _track(folder: Path, solo: bool, task: tuple[Run, int]) -> tuple[Run, list[VoicePoints]]:
    run, place = task
    item = ChoirFolder(folder)[place]
    signals = np.concatenate([item.stems, item.noise[None]])
    if item.samplerate != SAMPLERATE:
        signals = soxr.resample(signals.T, item.samplerate, SAMPLERATE, quality="VHQ").T
    stems, noise = signals[:-1].astype(np.float32), signals[-1].astype(np.float32)
    true, level_db = np.asarray(item.f0_hz, np.float64), np.asarray(item.level_db, np.float64)
    if solo:
        voices = [slice(voice, voice + 1) for voice in range(len(stems))]
        return run, [p for v in voices for p in _points(run, stems[v], noise, true[v], level_db[v])]
    order = item.order
    return run, _points(run, stems, noise, in_order(true, order), in_order(level_db, order))


def _points(run: Run, stems: F32, noise: F32, true: F64, level_db: F64) -> list[VoicePoints]:
    """Of stems [V, samples] that sing true [V, labels] Hz."""
    nothing = Contours(np.zeros(1), np.zeros((1, len(stems))))
    # noise as a stem of its own would count as a voice
    recorded = stems + noise / np.float32(len(stems))
    if run.system == SINGLE:
        f0_hz = swift_f0(recorded[0] / max(float(np.abs(recorded[0]).max()), 1e-9))
        tracked = Contours(F0_HOP_S * np.arange(len(f0_hz), dtype=np.float64), f0_hz[:, None])
    else:
        assert run.latency_ms is not None
        estimate = find_system(run.system).separate(recorded, run.latency_ms, nothing)
        assert estimate.tracked is not None
        tracked = estimate.tracked
    times_s = LABEL_S * np.arange(true.shape[1], dtype=np.float64)
    late = times_s >= WARM_UP_S
    audible = level_db > level_db.max() - AUDIBLE_DB
    voiced, silent = (true > 0) & audible, (true <= 0) & ~audible
    return points(true.T[late], tracked.at(times_s)[late], voiced.T[late], silent.T[late])
