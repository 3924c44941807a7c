"""What a choir does with a score: another tempo, a fermata, a cut, a repeat; made from one recording.

A recording that keeps the score's strict time is stretched by a phase vocoder after a map of times, so that
pitches, voices and room stay and the place in the score is known at every moment.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.score.score import Score

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

WINDOW_S = 0.064  # partials of neighbouring voices lie apart in it
OVERLAP = 4
GRID_S = 0.01  # of maps
FERMATA_S, LATE_S = 2.5, 6.0
WRONG_SHARE = 0.06  # of all notes


@dataclass(frozen=True)
class Disturbance:
    """A recording as it might have gone.

    Attributes:
        name: for the table.
        source_s: float64 [moments], every `GRID_S`: which time of the recording is heard, below 0 silence.
        wrong_notes: whether some notes are not what is written.
    """

    name: str
    source_s: F64
    wrong_notes: bool = False


def _walk(start_s: float, stop_s: float, tempo: float = 1.0) -> F64:
    return np.arange(start_s, stop_s, tempo * GRID_S)


def disturbances(length_s: float) -> list[Disturbance]:
    """Those of the table, of a recording that lasts `length_s`."""
    whole = _walk(0.0, length_s)
    third, two_thirds = round(length_s / 3), round(2 * length_s / 3)
    seconds = np.arange(0.0, length_s, GRID_S)
    rubato = np.cumsum(GRID_S * (1.0 + 0.25 * np.sin(2 * np.pi * seconds / 8.0)))
    held = [
        part
        for start, stop in ((0, third), (third, two_thirds), (two_thirds, length_s))
        for part in (_walk(start, stop), np.full(round(FERMATA_S / GRID_S), float(stop) - 0.2))
    ]
    return [
        Disturbance("as sung", whole),
        Disturbance("15 % slower", _walk(0.0, length_s, 1 / 1.15)),
        Disturbance("15 % faster", _walk(0.0, length_s, 1.15)),
        Disturbance("rubato, 25 % in 8 s", rubato[rubato < length_s]),
        Disturbance(f"fermatas of {FERMATA_S:g} s", np.concatenate(held[:-1])),
        Disturbance("start in the middle", _walk(0.4 * length_s, length_s)),
        Disturbance("a third repeated", np.concatenate([_walk(0, two_thirds), _walk(third, length_s)])),
        Disturbance(f"{100 * WRONG_SHARE:g} % wrong notes", whole, wrong_notes=True),
        Disturbance(
            f"start {LATE_S:g} s late", np.concatenate([np.full(round(LATE_S / GRID_S), -1.0), whole])
        ),
    ]


def with_wrong_notes(score: Score, seed: int = 1) -> Score:
    """Some notes, drawn at random, up to a fifth away."""
    rng = np.random.default_rng(seed)
    parts = tuple(
        tuple(
            (start, end, midi + float(rng.choice((-7, -4, -2, 2, 3, 5))) * (rng.random() < WRONG_SHARE))
            for start, end, midi in part
        )
        for part in score.notes
    )
    return replace(score, notes=parts)


def stretched(sound: F32, samplerate: int, source_s: F64) -> F32:
    """The sound [samples] as a map has it, float32 [moments * GRID_S * samplerate].

    A phase vocoder: magnitudes of the moment, phases that go on by what they go on in the recording.
    """
    size = int(WINDOW_S * samplerate) // OVERLAP * OVERLAP
    hop = size // OVERLAP
    window = np.hanning(size + 1)[:-1]
    count = int(len(source_s) * GRID_S * samplerate)
    at = np.interp(np.arange(0, count, hop) / samplerate, np.arange(len(source_s)) * GRID_S, source_s)
    jumps = np.abs(np.diff(at, prepend=at[0])) > 0.5  # a cut: phases begin anew
    padded = np.concatenate([np.zeros(size), sound, np.zeros(2 * size)])
    out = np.zeros(count + 2 * size)
    phase = np.zeros(size // 2 + 1)
    for frame, (moment, cut) in enumerate(zip(at, jumps, strict=True)):
        if moment < 0:
            continue
        start = int(moment * samplerate) + size - size // 2
        now = np.fft.rfft(window * padded[start : start + size])
        before = np.fft.rfft(window * padded[start - hop : start - hop + size])
        phase = np.angle(now) if cut or not frame else phase + np.angle(now) - np.angle(before)
        sound_now = np.fft.irfft(np.abs(now) * np.exp(1j * phase), size)
        out[frame * hop : frame * hop + size] += window * sound_now / (0.375 * OVERLAP)
    return out[size // 2 : size // 2 + count].astype(np.float32)
