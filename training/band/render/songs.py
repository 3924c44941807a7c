"""Songs from MIDI files: drums, bass and the rest, each by soundfonts or by recorded notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.amplifier import compress, drive, in_room, loudspeaker
from rtsep.training.band.render.notes import DRUM_CHANNEL, Part, read_parts, stretched
from rtsep.training.band.render.one_shots import DrumKit, NotePlayer
from rtsep.training.band.render.soundfont import play_parts
from rtsep.training.choir.render.room import Response
from rtsep.training.databases.stem_folder import F32, SAMPLERATE

BASS, GUITARS, DISTORTED = range(32, 40), range(24, 32), (29, 30)
VOICES = range(52, 55)  # choirs and "ooh": neither vocals nor told from them, strings stand in
STRINGS = range(48, 52)
DRUM_LIKE = range(115, 119)  # taiko, toms, synth drum: drums by another name
EFFECTS_FROM = 119  # gun shots and helicopters are no stem
DRUM_PROGRAMS = (0, 0, 0, 8, 16, 24, 32, 40)  # kits of General MIDI fonts; fonts without one play kit 0
SEMITONES = 3  # a song is moved this far
STRETCH = (0.87, 1.15)
LONGEST_S = 240.0
RECORDED_BASS = 0.5  # shares of songs
RECORDED_GUITAR = 0.45
RECORDED_DRUMS = 0.45
FAMILY = 0.6  # of programs that are replaced by another of the same kind


@dataclass(frozen=True)
class Instruments:
    """What songs are played on; any of the recorded ones may be missing.

    Attributes:
        fonts: General MIDI soundfonts, at least one.
        kits: recorded drum kits.
        basses, guitars: recorded note by note.
        responses: rooms.
    """

    fonts: Sequence[Path]
    kits: Sequence[DrumKit]
    basses: Sequence[NotePlayer]
    guitars: Sequence[NotePlayer]
    responses: tuple[Response, ...]


def songs_with_bass(folders: Sequence[Path]) -> list[Path]:
    """MIDI files that can be told apart: with a bass programme and drums. In others a piano or a guitar
    plays the bass line, and it would be learnt as `other`.

    Raises:
        RtsepError: there are none.
    """
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*.mid")):
            parts = read_parts(file)
            if any(p.program in BASS for p in parts if p.channel != DRUM_CHANNEL) and any(
                p.channel == DRUM_CHANNEL and len(p.notes) > 20 for p in parts
            ):
                found.append(file)
    if not found:
        raise RtsepError("no MIDI song has a bass part and drums", "name other folders with --midi")
    return found


def render_song(file: Path, instruments: Instruments, rng: np.random.Generator) -> Mapping[str, F32]:
    """One performance of a song: drums, bass and other as float32 [samples] of one length."""
    parts = read_parts(file)
    stretch, semitones = float(rng.uniform(*STRETCH)), int(rng.integers(-SEMITONES, SEMITONES + 1))
    last_s = max(note.end_s for part in parts for note in part.notes) * stretch
    seconds = min(LONGEST_S, last_s + 1.0)
    drums = [p for p in parts if p.channel == DRUM_CHANNEL]
    tuned = [p for p in parts if p.channel != DRUM_CHANNEL and p.program < EFFECTS_FROM]
    bass = [p for p in tuned if p.program in BASS]
    other = [p for p in tuned if p.program not in BASS and p.program not in DRUM_LIKE]
    band = _Band(instruments, rng, stretch, semitones, seconds)
    return {"drums": band.drums(drums), "bass": band.bass(bass), "other": band.other(other)}


class _Band:
    """One performance: who plays on what is drawn once."""

    def __init__(
        self, instruments: Instruments, rng: np.random.Generator, stretch: float, semitones: int,
        seconds: float,
    ) -> None:  # fmt: skip
        self._at, self._rng = instruments, rng
        self._stretch, self._semitones, self._seconds = stretch, semitones, seconds

    def drums(self, parts: Sequence[Part]) -> F32:
        rng = self._rng
        if self._at.kits and rng.random() < RECORDED_DRUMS:
            kit = self._at.kits[int(rng.integers(len(self._at.kits)))]
            notes = [n for p in parts for n in stretched(p.notes, self._stretch, 0)]
            out = kit.play(notes, self._seconds, float(rng.uniform(0.0, 1.5)), rng)
        else:
            program = DRUM_PROGRAMS[int(rng.integers(len(DRUM_PROGRAMS)))]
            out = self._font(parts, {DRUM_CHANNEL: program})
        if rng.random() < 0.3:
            out = compress(out, float(rng.uniform(2.0, 5.0)), 0.15)
        return self._roomy(out, 0.33)

    def bass(self, parts: Sequence[Part]) -> F32:
        rng = self._rng
        if self._at.basses and rng.random() < RECORDED_BASS:
            player = self._at.basses[int(rng.integers(len(self._at.basses)))]
            notes = [n for p in parts for n in stretched(p.notes, self._stretch, self._semitones)]
            out = player.play(notes, self._seconds, rng)
        else:
            out = self._font(parts, {p.channel: self._program(p.program) for p in parts})
        if rng.random() < 0.15:
            out = loudspeaker(drive(out, float(rng.uniform(5.0, 20.0))), rng, low_hz=45.0, high_hz=3500.0)
        if rng.random() < 0.5:
            out = compress(out, float(rng.uniform(2.0, 6.0)), 0.1)
        return out

    def other(self, parts: Sequence[Part]) -> F32:
        rng = self._rng
        guitars = [p for p in parts if p.program in GUITARS]
        recorded = bool(guitars and self._at.guitars) and rng.random() < RECORDED_GUITAR
        fonts = [p for p in parts if not (recorded and p in guitars)]
        out = self._font(fonts, {p.channel: self._program(p.program) for p in fonts})
        if recorded:
            for part in guitars:
                out = out + self._guitar(part, float(np.sqrt(np.mean(out * out))))
        return self._roomy(out, 0.3)

    def _guitar(self, part: Part, beside_rms: float) -> F32:
        rng = self._rng
        player = self._at.guitars[int(rng.integers(len(self._at.guitars)))]
        notes = stretched(part.notes, self._stretch, self._semitones)
        out = player.play(notes, self._seconds, rng)
        driven = part.program in DISTORTED or rng.random() < 0.25
        out = drive(out, float(rng.uniform(20.0, 45.0) if driven else rng.uniform(-10.0, 10.0)))
        out = loudspeaker(out, rng, low_hz=80.0, high_hz=4500.0)
        rms = float(np.sqrt(np.mean(out * out)))
        wanted = max(beside_rms, 0.02) * 10.0 ** (rng.uniform(-6.0, 6.0) / 20.0)
        return out * np.float32(wanted / rms if rms else 1.0)

    def _program(self, program: int) -> int:
        """Often another instrument of the same family; strings in place of voices."""
        family = STRINGS if program in VOICES else range(program // 8 * 8, program // 8 * 8 + 8)
        if program in VOICES or self._rng.random() < FAMILY:
            found = [p for p in family if p not in VOICES]
            return found[int(self._rng.integers(len(found)))]
        return program

    def _font(self, parts: Sequence[Part], programs: dict[int, int]) -> F32:
        samples = round(self._seconds * SAMPLERATE)
        if not parts:
            return np.zeros(samples, np.float32)
        font = self._at.fonts[int(self._rng.integers(len(self._at.fonts)))]
        reverb = bool(self._rng.random() < 0.4)
        out = play_parts(
            parts, font, programs=programs, reverb=reverb, stretch=self._stretch, semitones=self._semitones
        )
        return np.pad(out, (0, max(0, samples - len(out))))[:samples]

    def _roomy(self, sound: F32, share: float) -> F32:
        if self._rng.random() >= share:
            return sound
        return in_room(sound, self._at.responses, self._rng, float(self._rng.uniform(-18.0, -6.0)))
