"""Stereo: songs of mono stems are panned, and three ways to separate both channels are compared.

`shared` is one mask for both channels. `mid-side`, where the sum and the difference of the channels are
separated each on its own (as on stage, see `rtsep.models.mid_side`), and `per-channel` take a second run of
the networks. Every way is run by every band model, and with ideal ratio masks, which tell what the way
itself can reach.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsep.models.build import build_model
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.baselines.oracle import IdealMasks, ratio
from rtsep.training.evaluation.bands.evaluate import StemScore, stem_score
from rtsep.training.evaluation.bands.songs import Song, Stems
from rtsep.training.evaluation.bands.systems import BLOCK_SAMPLES, CEILINGS, RIVALS
from rtsep.training.evaluation.evaluate import workers
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import Audio
from rtsep.training.seeds import generator

WAYS = ("shared", "mid-side", "per-channel")
IDEAL = "ideal"
SIDE_DEGREES = (15.0, 40.0)  # a stem that is not in the middle stands between these, left or right
# Level of a stem's stereo room against the stem. Drums are recorded by two microphones above them, vocals get
# a reverberation, guitars and keyboards are widened; the bass stays dry.
ROOM_DB = {"drums": -3.0, "vocals": -12.0, "bass": None}
ELSE_ROOM_DB = -12.0
MIDDLE = tuple(ROOM_DB)
ROOM_S = 0.3  # in which the room dies away by 60 dB


def panned(stems: Stems, song: str) -> Stems:
    """Places every stem with constant power: vocals, drums and bass in the middle, all else at one side; all
    but the bass in a stereo room, the drums in a wide one. The same for the same name of a song."""
    rng = generator(0, f"stereo {song}")
    audio = np.empty((*stems.audio.shape, 2), np.float32)
    for place, name in enumerate(stems.names):
        aside = rng.uniform(*SIDE_DEGREES) * rng.choice((-1.0, 1.0))
        degrees = 0.0 if name in MIDDLE else float(aside)
        angle = np.deg2rad(45.0 + degrees)
        audio[place] = stems.audio[place][:, None] * np.array((np.cos(angle), np.sin(angle)), np.float32)
        room_db = ROOM_DB.get(name, ELSE_ROOM_DB)
        if room_db is not None:
            audio[place] += _room(stems.audio[place], stems.samplerate, room_db, rng)
    return Stems(stems.names, audio, stems.samplerate)


def _room(dry: Audio, samplerate: int, level_db: float, rng: np.random.Generator) -> Audio:
    """Two independent tails of noise that die away, float32 [samples, 2], `level_db` against `dry`."""
    times_s = np.arange(round(ROOM_S * samplerate)) / samplerate
    tails = rng.standard_normal((2, len(times_s))) * 10.0 ** (-3.0 * times_s / ROOM_S)
    size = 1 << (len(dry) + len(times_s)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tails, size), size)[:, : len(dry)]
    power = np.mean(np.square(wet))
    wanted = float(np.mean(np.square(dry, dtype=np.float64))) / 2.0 * 10.0 ** (level_db / 10.0)
    return np.asarray((wet * np.sqrt(wanted / power)).T, np.float32)


class StereoRun(NamedTuple):
    """A row: a model (or `ideal`) at a latency in ms, its channels separated in one of `WAYS`."""

    system: str
    latency_ms: int
    way: str


@dataclass(frozen=True)
class StereoResult:
    """One run on all songs: scores by stem, then by song; SI-SDR is that of both channels as one signal."""

    run: StereoRun
    scores: dict[str, dict[str, StemScore]]


def compare_ways(
    songs: list[Song],
    wanted: tuple[str, ...],
    systems: tuple[str, ...],
    latencies_ms: tuple[int, ...],
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[StereoResult]:
    """Every band model among `systems`, and ideal masks, in every way.

    Args:
        songs: of mono stems; panned here.
        wanted: stems to score.
        systems: names for `find_system`; rivals that learn nothing are left out.
        latencies_ms: presets.
        jobs: processes.
        progress: called with the number of finished steps, their total, and what was finished.
    """
    names = [name for name in systems if name not in RIVALS and name not in CEILINGS]
    runs = [StereoRun(*run) for run in product((*names, IDEAL), latencies_ms, WAYS)]
    results = [StereoResult(run, {}) for run in runs]
    todo = [(run, song) for run in runs for song in songs]
    with workers(jobs) as spread:
        for done, scores in enumerate(spread(partial(_run, wanted), todo)):
            run, song = todo[done]
            for stem, score in scores.items():
                results[done // len(songs)].scores.setdefault(stem, {})[song.name] = score
            progress(done + 1, len(todo), f"stereo: {run.system} at {run.latency_ms} ms, {run.way}")
    return results


def _run(wanted: tuple[str, ...], task: tuple[StereoRun, Song]) -> dict[str, StemScore]:
    run, song = task
    stems = panned(song.read(), song.name)
    found = separate(stems, run)
    mixture = interleaved(stems.mixture)
    scores = {}
    for place, name in enumerate(stems.names):
        if name in wanted and name in found:
            target = interleaved(stems.audio[place])[None]
            before, after = (
                # twice as many samples a second: frames and the energy rule are those of one channel
                protocol.score(target, heard[None], 2 * stems.samplerate, mixture)
                for heard in (mixture, interleaved(found[name]))
            )
            score = stem_score(before, after)
            if score is not None:
                scores[name] = score
    return scores


def interleaved(audio: Audio) -> Audio:
    """[samples, 2] -> [2 samples]: both channels as one signal, so that one gain serves both."""
    return np.ascontiguousarray(audio).reshape(-1)


def separate(stems: Stems, run: StereoRun) -> dict[str, Audio]:
    """Estimates by stem, float32 [samples, 2], aligned with the input."""
    if run.way == "shared":
        return _through(_separator(stems, stems.audio, run, 2), stems.mixture)
    parts = stems.audio
    if run.way == "mid-side":
        parts = _turned(parts)
    mixture = parts.sum(axis=0, dtype=np.float32)
    sides = []
    for channel in range(2):
        separator = _separator(stems, parts[..., channel : channel + 1], run, 1)
        sides.append(_through(separator, mixture[:, channel : channel + 1]))
    joined = {name: np.concatenate([side[name] for side in sides], axis=1) for name in sides[0]}
    return {name: _turned(audio) for name, audio in joined.items()} if run.way == "mid-side" else joined


def _turned(audio: Audio) -> Audio:
    """Left and right to mid and side, or back: [..., 2], of the same power, its own inverse."""
    left, right = audio[..., 0], audio[..., 1]
    return np.asarray(np.stack([left + right, left - right], axis=-1) * np.sqrt(0.5), np.float32)


def _separator(
    stems: Stems, audio: Audio, run: StereoRun, channels: int
) -> tuple[Separator, tuple[str, ...]]:
    preset = Preset(stems.samplerate, run.latency_ms)
    if run.system != IDEAL:
        # a model of one channel has one mask, which serves however many the separator has
        model = build_model(run.system, framing=preset.framing)
        return Separator(model, preset, channels), model.stems
    # both channels of every stem stand side by side; the outputs of the second half repeat those of the first
    signals = np.concatenate([audio[..., channel] for channel in range(channels)])
    rule = partial(_ratio_of_both, channels)
    return Separator(IdealMasks(signals, preset.framing, rule), preset, channels), stems.names


def _ratio_of_both(channels: int, spectra: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    """Ratio masks of the mean power over channels, [channels x stems, bins] -> the same shape."""
    by_channel = spectra.reshape(channels, -1, spectra.shape[1])
    masks = ratio(np.sqrt(np.mean(np.abs(by_channel) ** 2, axis=0)))
    return np.asarray(np.tile(masks, (channels, 1)))


def _through(loaded: tuple[Separator, tuple[str, ...]], mixture: Audio) -> dict[str, Audio]:
    separator, names = loaded
    latency = separator.latency_samples
    padded = np.concatenate([mixture, np.zeros((latency, mixture.shape[1]), np.float32)])
    out = np.empty((len(separator.stems), *padded.shape), np.float32)
    for start in range(0, len(padded), BLOCK_SAMPLES):
        block = slice(start, start + BLOCK_SAMPLES)
        out[:, block] = separator.process(padded[block])
    return dict(zip(names, out[:, latency:], strict=False))
