"""How one singer sings a line: pitch curve, loudness and which donor frame sounds, every 5 ms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.training.choir.render.arrangement import SungNote
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voicebank import FRAME_S, Syllable, Voicebank

# This much softer than the singer's mean level, a voice is on its way into silence: no pitch to be tracked.
VOICED_ABOVE_DB = -35.0
SILENT = -1  # donor frame of silence
SILENCE_DB = -120.0
ATTACK_S, RELEASE_S = (0.03, 0.09), (0.06, 0.15)  # of the voice itself; the room adds to it
SLUR_DIP_DB = (0.0, 5.0)  # between notes on one vowel, about 60 ms
PHRASING_DB = 2.0  # standard deviation of loudness from note to note
SCOOP_SHARE, SCOOP_CENTS = 0.25, (30.0, 150.0)  # notes after a rest that are reached from below

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Singer:
    """What stays the same over an item.

    Attributes:
        bank: index of the donor.
        warp: factor on all formants.
        tilt_db_per_octave: above 500 Hz.
        vibrato_hz, vibrato_cents: rate and amplitude.
    """

    bank: int
    warp: float
    tilt_db_per_octave: float
    vibrato_hz: float
    vibrato_cents: float


@dataclass(frozen=True)
class Performance:
    """One singer's part, on frames at 0, 5, 10, ... ms.

    Attributes:
        f0_hz: float64 [frames], 0 where the donor's consonant or nothing sounds.
        level_db: float64 [frames], to be applied to the donor's frames; the singer's loud vowels lie at 0 dB.
        source: int64 [frames], frame of the donor's bank, `SILENT` where nothing sounds.
        style: int8 [frames], `Style`.
        heard: float64 [frames], level of the result in dB, donor's own level included.
    """

    f0_hz: Curve
    level_db: Curve
    source: NDArray[np.int64]
    style: NDArray[np.int8]
    heard: Curve

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where a tracker should find a pitch."""
        return (self.f0_hz > 0) & (self.heard > VOICED_ABOVE_DB)


def perform(
    notes: tuple[SungNote, ...],
    singer: Singer,
    bank: Voicebank,
    config: ChoirConfig,
    frames: int,
    rng: np.random.Generator,
) -> Performance:
    """Draws a performance of `notes`.

    Shape:
        all results: [frames], covering `frames * 5 ms`.
    """
    source = np.full(frames, SILENT, np.int64)
    level_db = np.full(frames, SILENCE_DB)
    heard = np.full(frames, SILENCE_DB)
    voiced = np.zeros(frames, np.bool_)
    style = np.zeros(frames, np.int8)
    pitch = _Pitch(singer, config, frames, rng)
    syllable, place, stopped = None, 0, -1
    for note in _with_onsets(notes, config, rng):
        start = max(0, round(note.onset_s / FRAME_S))
        breath_s = rng.uniform(*config.breath_s) if note.last else 0.0
        end_s = note.end_s - min(breath_s, 0.4 * note.duration_s)
        end = min(frames, round(end_s / FRAME_S))
        if end - start < 8:
            continue
        slurred = note.same_vowel and syllable is not None and start - stopped <= 4
        if slurred and syllable is not None:
            begin = min(start, stopped) if stopped >= 0 else start
            path, place = _walk(syllable, place, end - begin)
        else:
            syllable = bank.syllables[int(rng.integers(len(bank.syllables)))]
            # a consonant may take up to a third of the note before it, and none before the item
            lead = min(syllable.onset - syllable.first, max(0, start - stopped) + 20, start)
            begin = start - lead
            path, place = _syllable_path(syllable, lead, end - begin)
        span = slice(begin, end)
        gain_db = rng.normal(0.0, PHRASING_DB) + _swell(end - begin, rng)
        fresh = begin - stopped > 4
        gain_db = gain_db + _ramp(end - begin, rng.uniform(*ATTACK_S) if fresh else 0.0, release_s=0.0)
        if note.last:
            gain_db = gain_db + _ramp(end - begin, 0.0, rng.uniform(*RELEASE_S))
        if slurred:
            gain_db = gain_db - rng.uniform(*SLUR_DIP_DB) * _bump(end - begin)
        source[span] = path
        style[span] = note.style
        level_db[span] = gain_db - syllable.level_db
        heard[span] = gain_db
        voiced[span] = bank.voiced[path] | (path >= syllable.vowel)
        pitch.add(note, start, end, after_rest=start - stopped > 20)
        stopped = end
    f0_hz = np.where(voiced, pitch.curve_hz(), 0.0)
    # the note that rings into silence fades, whatever follows later
    return Performance(f0_hz, level_db, source, style, heard)


def _with_onsets(
    notes: tuple[SungNote, ...], config: ChoirConfig, rng: np.random.Generator
) -> list[SungNote]:
    """Every onset a little early or late; a note that goes on into the next one ends where that begins."""
    onsets = np.array([n.onset_s for n in notes]) + config.onset_spread_s * np.clip(
        rng.normal(size=len(notes)), -2.5, 2.5
    )
    moved = []
    for place, note in enumerate(notes):
        start = max(0.0, float(onsets[place]))
        end = note.end_s
        if place + 1 < len(notes) and not note.last:
            end = float(onsets[place + 1])
        moved.append(SungNote(start, end - start, note.midi, note.style, note.same_vowel, note.last))
    return moved


def _walk(syllable: Syllable, place: int, frames: int) -> tuple[NDArray[np.int64], int]:
    """Back and forth through the vowel from frame `place` of the walk; returns frames and the next place."""
    length = syllable.stop - syllable.vowel
    step = (place + np.arange(frames)) % (2 * length - 2)
    return syllable.vowel + np.where(step < length, step, 2 * length - 2 - step), place + frames


def _syllable_path(syllable: Syllable, lead: int, frames: int) -> tuple[NDArray[np.int64], int]:
    """The consonant's last `lead` frames, the way to the steady vowel, both unstretched, then the vowel."""
    fixed = np.arange(syllable.onset - lead, syllable.vowel)[:frames]
    vowel, place = _walk(syllable, 0, frames - len(fixed))
    return np.concatenate([fixed, vowel]), place


def _swell(frames: int, rng: np.random.Generator) -> Curve:
    """Loudness within a note: up to 3 dB more in its middle, or a decay."""
    t = np.linspace(0.0, 1.0, frames)
    return rng.uniform(0.0, 3.0) * np.sin(np.pi * t) - rng.uniform(0.0, 3.0) * t


def _ramp(frames: int, attack_s: float, release_s: float) -> Curve:
    """Raised-cosine fades in amplitude, in dB."""
    gain = np.ones(frames)
    for fade_s, flip in ((attack_s, False), (release_s, True)):
        n = min(frames, round(fade_s / FRAME_S))
        fade = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / max(n, 1))
        if flip:
            gain[frames - n :] *= fade[::-1]
        else:
            gain[:n] *= fade
    return 20.0 * np.log10(gain + 1e-6)


def _bump(frames: int) -> Curve:
    """One at the beginning, gone after 60 ms."""
    n = min(frames, 12)
    bump = np.zeros(frames)
    bump[:n] = 0.5 + 0.5 * np.cos(np.pi * np.arange(n) / n)
    return bump


def wander(frames: int, period_s: float, deviation: float, rng: np.random.Generator) -> Curve:
    """Gaussian noise smoothed over about `period_s`, of standard deviation `deviation`."""
    width = max(3, round(period_s / FRAME_S))
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= np.sqrt(np.sum(kernel * kernel))
    return deviation * np.convolve(rng.normal(size=frames + width - 1), kernel, mode="valid")


class _Pitch:
    """The pitch curve: notes with their errors, glides between them, vibrato, drift and jitter."""

    def __init__(self, singer: Singer, config: ChoirConfig, frames: int, rng: np.random.Generator) -> None:
        self._singer, self._config, self._rng = singer, config, rng
        self._midi = np.full(frames, np.nan)
        self._depth = np.zeros(frames)  # of the vibrato, cents
        self._scoop = np.zeros(frames)
        self._glides: list[tuple[int, int]] = []

    def add(self, note: SungNote, start: int, end: int, after_rest: bool) -> None:
        """Frames [start, end), in order of time."""
        rng, config, singer = self._rng, self._config, self._singer
        self._midi[start:] = note.midi + rng.normal(0.0, config.intonation_cents) / 100.0
        if not after_rest:
            glide = round(rng.uniform(*config.glide_s) / FRAME_S)
            self._glides.append((start - glide // 2, start - glide // 2 + glide))
        elif rng.random() < SCOOP_SHARE:
            t = np.arange(end - start) * FRAME_S
            self._scoop[start:end] = -rng.uniform(*SCOOP_CENTS) * np.exp(-t / rng.uniform(0.03, 0.08))
        delay_s, grow_s = rng.uniform(*config.vibrato_delay_s), rng.uniform(0.3, 0.6)
        t = np.arange(end - start) * FRAME_S
        self._depth[start:] = 0.0
        self._depth[start:end] = (
            singer.vibrato_cents * rng.uniform(0.7, 1.2) * np.clip((t - delay_s) / grow_s, 0.0, 1.0)
        )

    def curve_hz(self) -> Curve:
        """Continuous over rests too; only its voiced frames are used."""
        rng, config, singer, frames = self._rng, self._config, self._singer, len(self._midi)
        known = ~np.isnan(self._midi)
        if not known.any():
            return np.zeros(frames)
        midi = np.where(known, self._midi, self._midi[np.argmax(known)])
        for begin, end in self._glides:
            a, b = max(0, begin), min(frames - 1, end)
            if b > a:
                s = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, b - a + 1))
                midi[a : b + 1] = midi[a] + (midi[b] - midi[a]) * s
        rate_hz = singer.vibrato_hz + wander(frames, 1.0, 0.15, rng)
        phase = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * FRAME_S * np.cumsum(rate_hz)
        width = 20  # frames: vibrato stops within 100 ms, not from one frame to the next
        smooth = np.hanning(width + 2)[1:-1]
        depth = np.convolve(self._depth, smooth / smooth.sum(), mode="same")
        cents = depth * np.sin(phase) + self._scoop
        cents += wander(frames, 1.2, config.drift_cents, rng)
        cents += wander(frames, 0.06, config.jitter_cents, rng)
        return np.asarray(440.0 * np.exp2((midi - 69.0) / 12.0 + cents / 1200.0))
