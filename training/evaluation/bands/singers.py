"""Singers out of a band: the cascade against a choir model that hears the band, and one that hears no band.

A mixture is singers whose stems are known (a duet, a quartet) over the stems of a song but its vocals. Three
ways to take the singers apart, all through the streaming path: `cascade` (`--stems vocals --voices N`),
`choir` (`--voices N` on the whole mixture), and `clean` (the same on the singers alone: what the
cascade would reach if its vocals were perfect).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from rtsep.models.registry import DEFAULT_MODEL
from rtsep.models.singers import VOCALS
from rtsep.rt.separator import Separator
from rtsep.training.databases.stem_folder import active_level_dbfs
from rtsep.training.evaluation.bands.evaluate import StemScore, stem_score
from rtsep.training.evaluation.bands.songs import Song
from rtsep.training.evaluation.bands.systems import BLOCK_SAMPLES
from rtsep.training.evaluation.evaluate import workers
from rtsep.training.evaluation.stems import Mixture, read_mixture
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import Audio

WAYS = ("choir", "cascade", "clean")
SINGERS_DBFS = -20.0  # of all singers together while they sing


class Meeting(NamedTuple):
    """Singers over a song `backing_db` against them, at a latency in ms, taken apart in one of `WAYS`."""

    singers: Mixture
    song: Song
    backing_db: float
    latency_ms: int
    way: str


@dataclass(frozen=True)
class SingersResult:
    """Scores of one meeting, highest voice first; None for a voice that is too quiet throughout."""

    meeting: Meeting
    scores: list[StemScore | None]


def meetings(
    singers: list[Mixture],
    songs: list[Song],
    each: int,
    backings_db: tuple[float, ...],
    latencies_ms: tuple[int, ...],
) -> list[Meeting]:
    """Every song with `each` of the mixtures of singers, taken in turn, in all ways."""
    each = min(each, len(singers))
    pairs = [
        (singers[(each * place + turn) % len(singers)], song)
        for place, song in enumerate(songs)
        for turn in range(each)
    ]
    return [
        Meeting(group, song, backing_db, ms, way)
        for backing_db, ms, way in product(backings_db, latencies_ms, WAYS)
        for group, song in pairs
    ]


def evaluate_singers(
    wanted: list[Meeting],
    model: str | None = None,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[SingersResult]:
    """Runs all meetings.

    Args:
        wanted: see `meetings`.
        model: band of the cascade, by name or folder; the shipped one where left out.
        jobs: processes.
        progress: called with the number of finished steps, their total, and what was finished.
    """
    found = []
    with workers(jobs) as spread:
        for done, scores in enumerate(spread(partial(_run, model), wanted)):
            meeting = wanted[done]
            found.append(SingersResult(meeting, scores))
            progress(done + 1, len(wanted), f"{meeting.way} at {meeting.latency_ms} ms, {meeting.song.name}")
    return found


def _run(model: str | None, meeting: Meeting) -> list[StemScore | None]:
    voices, backing, samplerate = scene(meeting)
    mixture = np.asarray(voices.sum(axis=0) + backing, np.float32)
    heard = np.asarray(voices.sum(axis=0), np.float32) if meeting.way == "clean" else mixture
    asked = {"voices": len(voices), "samplerate": samplerate, "latency_ms": meeting.latency_ms}
    if meeting.way == "cascade":
        separator = Separator.load(model, stems=(VOCALS,), **asked)  # type: ignore[arg-type]
    else:
        separator = Separator.load(DEFAULT_MODEL, **asked)  # type: ignore[arg-type]
    estimates = stream(separator, heard, BLOCK_SAMPLES)[0][: len(voices)]
    scores = []
    for voice, estimate in zip(voices, estimates, strict=True):
        before, after = (
            protocol.score(voice[None], each[None], samplerate, mixture) for each in (mixture, estimate)
        )
        scores.append(stem_score(before, after))
    return scores


def scene(meeting: Meeting) -> tuple[Audio, Audio, int]:
    """Voices float32 [voices, samples], backing [samples] and the song's sample rate.

    The singers are brought to `SINGERS_DBFS`, the backing to `backing_db` against that, while they sound.
    """
    stems = meeting.song.read()
    rate = stems.samplerate
    voices = read_mixture(meeting.singers, partial(_read, rate))
    backing = sum(a for name, a in zip(stems.names, stems.audio, strict=True) if name != VOCALS)
    samples = min(voices.shape[1], np.shape(backing)[-1])
    voices, backing = voices[:, :samples], np.asarray(backing, np.float32)[:samples]
    voices = voices * _gain(voices.sum(axis=0), rate, SINGERS_DBFS)
    backing = backing * _gain(backing, rate, SINGERS_DBFS + meeting.backing_db)
    return voices, backing, rate


def _gain(audio: Audio, samplerate: int, level_dbfs: float) -> np.float32:
    return np.float32(10.0 ** ((level_dbfs - active_level_dbfs(audio, samplerate)) / 20.0))


def _read(samplerate: int, file: Path) -> Audio:
    audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = audio.mean(axis=1)
    return np.asarray(mono if rate == samplerate else soxr.resample(mono, rate, samplerate), np.float32)
