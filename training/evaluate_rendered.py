"""Trackers on rendered choirs, where the true F0 is what was sung and not what another tracker found.

Voices are compared slot by slot, highest first: that is what trackers are asked for, and rendered choirs
know who is where (`rtsep.training.f0_labels.pitch_order`). Items have one to four voices, and every tracker
is told how many.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir_dataset import ChoirFolder
from rtsep.training.contours import Contours
from rtsep.training.evaluate import Run, workers
from rtsep.training.f0_labels import in_order
from rtsep.training.f0_scores import VoicePoints, points, voice_score
from rtsep.training.protocol import SAMPLERATE
from rtsep.training.systems import find_system

FORMAT = "rtsep-eval-pitch/1"
F0_STEP_S = 0.005  # of rendered choirs
WARM_UP_S = 1.0  # a tracker may take that long to find its feet
# Below the item's loudest voice: quieter singing is not asked for, and only what is quieter counts as
# silence, for a reverberation has level but no pitch in the truth.
AUDIBLE_DB = 40.0
MAX_VOICES = 4


def evaluate_rendered(
    folder: Path,
    items: int,
    runs: list[Run],
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> dict[str, Any]:
    """Scores tracked systems on the first `items` items of a folder, the ones that training holds out.

    Raises:
        RtsepError: no such folder, fewer items, or a system that tracks nothing.
    """
    choirs = ChoirFolder(folder)
    if not 1 <= items <= len(choirs):
        raise RtsepError(f"{folder} holds {len(choirs)} items, not {items}", "ask for fewer with --items")
    for run in runs:
        if find_system(run.system).f0 != "tracked":
            raise RtsepError(f"{run.system} tracks no pitch", "name systems that end with -tracked")
    todo = [(run, place) for run in runs for place in range(items)]
    found: dict[Run, list[list[VoicePoints]]] = {run: [] for run in runs}
    with workers(jobs) as spread:
        for done, (run, scored) in enumerate(spread(partial(_track, folder), todo), start=1):
            progress(done, len(todo), f"{run.system} at {run.latency_ms} ms")
            found[run].append(scored)
    return {
        "format": FORMAT,
        "items": items,
        "results": [
            {
                "system": run.system,
                "title": find_system(run.system).title,
                "latency_ms": run.latency_ms,
                "by_slot": _scores([s[j] for s in scored if len(s) > j] for j in range(MAX_VOICES)),
                "by_voices": _scores(
                    [v for s in scored if len(s) == count for v in s] for count in range(1, MAX_VOICES + 1)
                ),
                "all": asdict(voice_score([v for s in scored for v in s])),
            }
            for run, scored in found.items()
        ],
    }


def _scores(groups: Iterable[list[VoicePoints]]) -> list[dict[str, Any] | None]:
    return [asdict(voice_score(group)) if group else None for group in groups]


def _track(folder: Path, task: tuple[Run, int]) -> tuple[Run, list[VoicePoints]]:
    run, place = task
    item = ChoirFolder(folder)[place]
    signals = np.concatenate([item.stems, item.noise[None]])
    if item.samplerate != SAMPLERATE:
        signals = soxr.resample(signals.T, item.samplerate, SAMPLERATE, quality="VHQ").T
    # noise as a stem of its own would count as a voice
    stems = signals[:-1] + signals[-1] / len(item.stems)
    assert run.latency_ms is not None
    nothing = Contours(np.zeros(1), np.zeros((1, len(stems))))
    estimate = find_system(run.system).separate(stems.astype(np.float32), run.latency_ms, nothing)
    assert estimate.tracked is not None
    order, level_db = item.order, np.asarray(item.level_db, np.float64)
    true = in_order(np.asarray(item.f0_hz, np.float64), order)
    times_s = F0_STEP_S * np.arange(true.shape[1], dtype=np.float64)
    late = times_s >= WARM_UP_S
    audible = in_order(level_db, order) > level_db.max() - AUDIBLE_DB
    tracked = estimate.tracked.at(times_s).T
    voiced, silent = (true > 0) & audible, (true <= 0) & ~audible
    return run, points(true.T[late], tracked.T[late], voiced.T[late], silent.T[late])
