"""Standard MIDI files as notes, and back into files for a synthesiser."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mido

from rtsep.kernels.errors import RtsepError

DRUM_CHANNEL = 9
TICKS_PER_S = 960  # of written files: 480 ticks per beat at 120 beats per minute


class Note(NamedTuple):
    """One note.

    Attributes:
        start_s, end_s: from the song's beginning.
        pitch: MIDI number; on the drum channel, the General MIDI piece.
        velocity: 1..127.
    """

    start_s: float
    end_s: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """What one channel plays.

    Attributes:
        channel: 0..15; 9 is drums.
        program: General MIDI program 0..127 that plays most of its notes.
        notes: in order of their starts.
        controls: (time_s, controller or pitch-bend message) as they came.
    """

    channel: int
    program: int
    notes: tuple[Note, ...]
    controls: tuple[tuple[float, mido.Message], ...]


def read_parts(file: Path) -> list[Part]:
    """The parts of a MIDI file.

    Raises:
        RtsepError: it is no MIDI file.
    """
    try:
        midi = mido.MidiFile(file, clip=True)
        messages = list(midi)
    except (OSError, ValueError, EOFError, IndexError, KeyError) as error:
        raise RtsepError(f"{file} is no MIDI file ({error})", "take it out of the folder") from None
    now_s = 0.0
    program = dict.fromkeys(range(16), 0)
    sounding: dict[tuple[int, int], tuple[float, int]] = {}
    notes: dict[int, list[Note]] = {}
    used: dict[int, dict[int, int]] = {}
    controls: dict[int, list[tuple[float, mido.Message]]] = {}
    for message in messages:
        now_s += message.time
        if message.type == "program_change":
            program[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if key in sounding:  # a second start ends the first, as synthesisers do
                start_s, velocity = sounding.pop(key)
                notes.setdefault(message.channel, []).append(Note(start_s, now_s, message.note, velocity))
            if message.type == "note_on" and message.velocity:
                sounding[key] = (now_s, message.velocity)
                by_program = used.setdefault(message.channel, {})
                now = program[message.channel]
                by_program[now] = by_program.get(now, 0) + 1
        elif message.type in ("control_change", "pitchwheel"):
            controls.setdefault(message.channel, []).append((now_s, message))
    return [
        Part(
            channel,
            max(used[channel], key=lambda p: used[channel][p]),
            tuple(sorted(found)),
            tuple(controls.get(channel, ())),
        )
        for channel, found in sorted(notes.items())
        if channel in used
    ]


def write_parts(
    parts: Iterable[Part], file: Path, *, programs: Mapping[int, int], stretch: float, semitones: int
) -> None:
    """A MIDI file of some parts.

    Args:
        parts: to be played.
        file: written.
        programs: by channel, in place of the parts' own.
        stretch: all times are longer by this factor.
        semitones: all but drums are higher by this much.
    """
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_S // 2)
    for part in parts:
        shift = 0 if part.channel == DRUM_CHANNEL else semitones
        events: list[tuple[float, int, mido.Message]] = []
        for note in part.notes:
            pitch = min(127, max(0, note.pitch + shift))
            on = mido.Message("note_on", channel=part.channel, note=pitch, velocity=note.velocity)
            off = mido.Message("note_off", channel=part.channel, note=pitch)
            events += [(note.start_s, 2, on), (note.end_s, 1, off)]
        events += [(time_s, 0, message.copy(time=0)) for time_s, message in part.controls]
        events.sort(key=lambda event: event[:2])
        track = mido.MidiTrack()
        program = programs.get(part.channel, part.program)
        track.append(mido.Message("program_change", channel=part.channel, program=program))
        last = 0
        for time_s, _, message in events:
            tick = round(time_s * stretch * TICKS_PER_S)
            track.append(message.copy(time=max(0, tick - last)))
            last = max(last, tick)
        midi.tracks.append(track)
    midi.save(file)


def stretched(notes: Iterable[Note], stretch: float, semitones: int) -> list[Note]:
    """Notes at another tempo and pitch; arguments as of `write_parts`."""
    return [Note(n.start_s * stretch, n.end_s * stretch, n.pitch + semitones, n.velocity) for n in notes]
