"""Notes of voices as MIDI messages: a channel for each voice, pitch bend over four octaves."""

import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.pitches.note_decision import Bend, Event, NoteDecision, NoteOff, NoteOn
from rtsep.rt.pitches.pitch_hop import PitchHop

# As MPE instruments expect it of a note's channel; a step of the bend is 0.6 cents.
BEND_RANGE_ST = 48
MAX_BEND = 8191
# Bends closer than this, in cents and in seconds, are left out: nobody hears them, and files stay small.
LEAST_BEND_CENTS, LEAST_BEND_S = 2.0, 0.008
DRUM_CHANNEL = 9  # of General MIDI: voices stay below it


def require_mido() -> ModuleType:
    """The library of MIDI messages and files.

    Raises:
        RtsepError: it is not installed.
    """
    try:
        import mido
    except ImportError:
        raise RtsepError("--midi-out needs mido", "install it: pip install 'rtsep[stage]'") from None
    found: ModuleType = mido
    return found


def bend_of(semitones: float) -> int:
    """Pitch wheel, -8192..8191."""
    return max(-MAX_BEND, min(MAX_BEND, round(semitones / BEND_RANGE_ST * 8192)))


class VoiceChannels:
    """From the pitches of all voices to dated messages; voice 1 is on channel 1, and so on.

    Args:
        voices: how many, up to 9.
        dated_back: see `NoteDecision`: true for a file, false for a port.
    """

    def __init__(self, voices: int, *, dated_back: bool) -> None:
        self._mido: Any = require_mido()
        self._decisions = [NoteDecision(dated_back=dated_back) for _ in range(min(voices, DRUM_CHANNEL))]
        self._bent: list[tuple[float, float]] = [(-math.inf, math.inf)] * voices  # last bend: time and cents

    def setup(self, channel: int) -> list[Any]:
        """Messages that set the bend range of a channel: RPN 0, then none, so that no later value hits it."""
        control = ((101, 0), (100, 0), (6, BEND_RANGE_ST), (38, 0), (101, 127), (100, 127))
        message = self._mido.Message
        return [message("control_change", channel=channel, control=c, value=v) for c, v in control]

    def add(self, hop: PitchHop) -> Iterator[tuple[float, int, Any]]:
        """Time, channel and message of everything that this hop decides."""
        for channel, decision in enumerate(self._decisions):
            f0_hz, level_db = float(hop.f0_hz[channel]), float(hop.level_db[channel])
            yield from self._messages(channel, decision.add(hop.time_s, f0_hz, level_db))

    def end(self) -> Iterator[tuple[float, int, Any]]:
        """Ends all notes."""
        for channel, decision in enumerate(self._decisions):
            yield from self._messages(channel, decision.end())

    def _messages(self, channel: int, events: list[Event]) -> Iterator[tuple[float, int, Any]]:
        message = self._mido.Message
        for index, event in enumerate(events):
            time_s = max(0.0, event.time_s)
            match event:
                case NoteOn(_, number, velocity):
                    yield time_s, channel, message("note_on", channel=channel, note=number, velocity=velocity)
                case NoteOff(_, number):
                    yield time_s, channel, message("note_off", channel=channel, note=number, velocity=0)
                case Bend(at_s, semitones):
                    before_s, before_cents = self._bent[channel]
                    begins = isinstance(events[min(index + 1, len(events) - 1)], NoteOn)
                    near = abs(100 * semitones - before_cents) < LEAST_BEND_CENTS
                    if (near or at_s - before_s < LEAST_BEND_S) and not begins:
                        continue
                    self._bent[channel] = at_s, 100 * semitones
                    yield time_s, channel, message("pitchwheel", channel=channel, pitch=bend_of(semitones))
