"""What a system makes of one sound alone: drums, a voice, silence, applause, a count-in, or any file.

A drum solo should stay out of the vocals, a voice out of the drums, and what is no stem at all should not be
made louder. Levels are those of whole files, so that a short leak weighs as much as it is heard.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.evaluation.bands.songs import Song, Stems, audio_files, read_song
from rtsep.training.evaluation.bands.systems import find_system
from rtsep.training.measures.protocol import Audio

SAMPLERATE = 44100  # of the sounds made here
ALONE = ("drums", "vocals")  # stems that are played alone
SECONDS = 8.0
# Full scale of the made sounds: as loud as the audience or a drummer's sticks in a microphone.
PEAK = 0.3


@dataclass(frozen=True)
class Leak:
    """One system at one latency on one kind of input.

    Attributes:
        system, latency_ms, input: which.
        outputs_db: level of each output against the input, None for digital silence. For silence as input:
            in dB re full scale.
    """

    system: str
    latency_ms: int
    input: str
    outputs_db: dict[str, float | None]


def inputs(songs: list[Song], sounds: Path | None) -> Iterator[tuple[str, list[tuple[Audio, int]]]]:
    """Kinds of input, each a list of mono signals float32 [samples] with their sample rate."""
    alone: dict[str, list[tuple[Audio, int]]] = {name: [] for name in ALONE}
    for song in songs:
        stems = song.read()
        for name in ALONE:
            if name in stems.names:
                alone[name].append((stems.audio[stems.names.index(name)], stems.samplerate))
    yield from ((f"{name} alone", found) for name, found in alone.items() if found)
    yield "silence", [(np.zeros(int(SECONDS * SAMPLERATE), np.float32), SAMPLERATE)]
    yield "applause, made", [(applause(), SAMPLERATE)]
    yield "count-in, made", [(count_in(), SAMPLERATE)]
    if sounds is not None:
        for file in audio_files(sounds):
            heard = read_song({file.stem: file})
            yield file.stem, [(heard.audio[0], heard.samplerate)]


def require_sounds(folder: Path) -> None:
    """Before work begins.

    Raises:
        RtsepError: no folder with audio files.
    """
    if not folder.is_dir() or not audio_files(folder):
        raise RtsepError(f"--sounds {folder} holds no audio file", "give a folder of sounds, each a file")


def leaks(
    songs: list[Song],
    systems: tuple[str, ...],
    latencies_ms: tuple[int, ...],
    sounds: Path | None = None,
    progress: Callable[[str], None] = lambda label: None,
) -> list[Leak]:
    """Every streaming system that is not told the stems, on every kind of input."""
    heard = list(inputs(songs, sounds))
    found = []
    for name in systems:
        system = find_system(name)
        if not system.streaming or system.knows_stems or system.chosen_per_stem:
            continue
        for ms in latencies_ms:
            for kind, signals in heard:
                progress(f"{name} at {ms} ms, {kind}")
                pairs = [(x, system.separate(Stems(("input",), x[None], rate), ms)) for x, rate in signals]
                found.append(Leak(name, ms, kind, output_levels(pairs)))
    return found


def output_levels(pairs: list[tuple[Audio, Mapping[str, Audio]]]) -> dict[str, float | None]:
    """Mean output power over mean input power in dB, over all pairs of input and estimates.

    The residual is what the estimates leave of the input. None for digital silence; of silence as input: in
    dB re full scale.
    """
    power: dict[str, float] = {}
    whole = 0.0
    for signal, estimates in pairs:
        whole += _power(signal)
        rest = signal - sum(estimates.values())
        for name, estimate in (*estimates.items(), ("residual", rest)):
            power[name] = power.get(name, 0.0) + _power(estimate)
    reference = whole if whole > 0.0 else float(len(pairs))
    return {
        name: 10.0 * float(np.log10(value / reference)) if value > 0.0 else None
        for name, value in power.items()
    }


def _power(signal: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(signal, dtype=np.float64)))


def applause(seed: int = 0) -> Audio:
    """Some hundred claps a second: bursts of noise of 5 ms at random times, float32 [samples]."""
    rng = np.random.default_rng(seed)
    samples = int(SECONDS * SAMPLERATE)
    clap = np.exp(-np.arange(int(0.03 * SAMPLERATE)) / (0.005 * SAMPLERATE))
    found = np.zeros(samples + len(clap))
    for start in rng.integers(0, samples, int(200 * SECONDS)):
        found[start : start + len(clap)] += rng.lognormal(0.0, 0.7) * clap * rng.standard_normal(len(clap))
    return _scaled(found[:samples])


def count_in() -> Audio:
    """Two bars of sticks at 120 beats a minute: 2.5 kHz that dies away in 8 ms, float32 [samples]."""
    seconds = np.arange(int(0.1 * SAMPLERATE)) / SAMPLERATE
    stick = np.sin(2.0 * np.pi * 2500.0 * seconds) * np.exp(-seconds / 0.008)
    found = np.zeros(int(SECONDS * SAMPLERATE))
    for beat in range(8):
        start = int((0.5 + 0.5 * beat) * SAMPLERATE)
        found[start : start + len(stick)] += stick
    return _scaled(found)


def _scaled(signal: NDArray[np.float64]) -> Audio:
    return np.asarray(PEAK * signal / np.max(np.abs(signal)), np.float32)
