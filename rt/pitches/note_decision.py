"""From the pitches of one voice, hop by hop, to notes: a vibrato is one note, a glide bends one note."""

import math
from collections import deque
from dataclasses import dataclass

# A pitch for less than this is no note: consonants and reverberation give pitches for some tens of ms.
SHORTEST_S = 0.08
# A pause up to this does not end a note: the tracker loses a voice for a hop or two, and a voiced consonant
# is shorter.
BRIDGED_S = 0.06
# Of a semitone from the note: further than half, so that a singer who is 50 cents flat does not flip.
LEAVES_ST = 0.6
# A tone as steady as this is a note after CALM_S; one that swings more, after a period of vibrato (5 to
# 7 Hz), over which its mean is its pitch: at a peak it would be a neighbour's. CALM_S is longer than a
# vibrato of +-1 semitone stays beyond `LEAVES_ST` (59 ms at 5 Hz).
CALM_S, CALM_ST = 0.09, 0.2
WHOLE_S, DRIFT_ST = 0.2, 0.5
# A pitch this near to a note is on it already, vibrato included, when one looks back for its beginning.
REACH_ST = 1.5
# A short note, which ends before it has settled, may swing by so much and is no glide.
SHORT_ST = 1.4
# A pitch that is on its way for longer bends the last note meanwhile.
LONGEST_WAY_S = 5.0
# Levels from the softest to the loudest note; a level that is not known is a note of middle velocity.
SOFTEST_DB, LOUDEST_DB = -60.0, -6.0
UNKNOWN_DB, MIDDLE_VELOCITY = -119.0, 64


@dataclass(frozen=True)
class NoteOn:
    """A note begins, at `time_s` of the input; `number` as of MIDI, velocity 1..127."""

    time_s: float
    number: int
    velocity: int


@dataclass(frozen=True)
class NoteOff:
    """The note ends."""

    time_s: float
    number: int


@dataclass(frozen=True)
class Bend:
    """The pitch lies `semitones` above the note that sounds, or is about to."""

    time_s: float
    semitones: float


Event = NoteOn | NoteOff | Bend


def midi_number(f0_hz: float) -> float:
    """Semitones, 69 at 440 Hz."""
    return 69.0 + 12.0 * math.log2(f0_hz / 440.0)


def velocity(level_db: float) -> int:
    """1..127, in equal steps of dB."""
    if level_db <= UNKNOWN_DB:
        return MIDDLE_VELOCITY
    share = (level_db - SOFTEST_DB) / (LOUDEST_DB - SOFTEST_DB)
    return round(1 + 126 * min(1.0, max(0.0, share)))


@dataclass(frozen=True)
class _Point:
    time_s: float
    semitones: float
    level_db: float


class NoteDecision:
    """Decides when notes of one voice begin and end.

    A note begins where a pitch stands still, or swings around one place, for a while; it ends in a pause, or
    where another note begins. So it is decided later: a steady note after 90 ms, one with vibrato after 200
    to 300 ms, an end after 60 ms.

    Args:
        dated_back: events bear the time at which what they tell began, and come in the order of these times;
            a pitch on its way waits until it is known whose note it is. Otherwise everything is dated at the
            hop that decides it, and the old note bends along until the new one begins: for an instrument
            that plays now.
    """

    def __init__(self, *, dated_back: bool) -> None:
        self._dated_back = dated_back
        self._note: int | None = None
        self._away: deque[_Point] = deque()  # since the pitch is that of no note, or has left it
        self._heard_s = -math.inf  # when there was a pitch last

    def add(self, time_s: float, f0_hz: float, level_db: float) -> list[Event]:
        """The next hop; what has been decided with it."""
        if not f0_hz > 0:
            return self._pause(time_s)
        point = _Point(time_s, midi_number(f0_hz), level_db)
        self._heard_s = time_s
        self._away.append(point)
        if self._note is not None and abs(point.semitones - self._note) <= LEAVES_ST:
            return self._give_to_note()
        number = self._settled()
        if number is not None:
            return self._give_to_note() if number == self._note else self._begin(number, time_s)
        if not self._dated_back:
            return [] if self._note is None else [Bend(time_s, point.semitones - self._note)]
        if time_s - self._away[0].time_s <= LONGEST_WAY_S:
            return []
        old = self._away.popleft()
        return [] if self._note is None else [Bend(old.time_s, old.semitones - self._note)]

    def end(self) -> list[Event]:
        """The input has ended."""
        return self._pause(math.inf)

    def _give_to_note(self) -> list[Event]:
        """What was on its way belongs to the note that sounds."""
        assert self._note is not None
        points = list(self._away) if self._dated_back else [self._away[-1]]
        self._away.clear()
        return [Bend(p.time_s, p.semitones - self._note) for p in points]

    def _pause(self, time_s: float) -> list[Event]:
        if time_s - self._heard_s < BRIDGED_S:
            return []
        events: list[Event] = []
        away = list(self._away)
        # a short note that never settled; on a port it would be over before it began
        if self._dated_back and away and away[-1].time_s - away[0].time_s >= SHORTEST_S:
            number = round(sorted(p.semitones for p in away)[len(away) // 2])
            if number != self._note and _spread(away) <= SHORT_ST:
                events += self._begin(number, time_s)
        if self._note is not None:
            if self._away:
                events += self._give_to_note()
            events.append(NoteOff(self._heard_s if self._dated_back else time_s, self._note))
        self._note = None
        self._away.clear()
        return events

    def _settled(self) -> int | None:
        """The note that the pitch is at since it left the last one; None while it moves."""
        now_s = self._away[-1].time_s
        since_s = now_s - self._away[0].time_s
        if since_s < CALM_S:
            return None
        recent = [p for p in self._away if p.time_s >= now_s - CALM_S]
        if _spread(recent) <= CALM_ST:
            return round(sum(p.semitones for p in recent) / len(recent))
        if since_s < WHOLE_S:
            return None
        swing = [p.semitones for p in self._away if p.time_s >= now_s - WHOLE_S]
        half = len(swing) // 2
        before, after = sum(swing[:half]) / half, sum(swing[half:]) / (len(swing) - half)
        return round(sum(swing) / len(swing)) if abs(after - before) <= DRIFT_ST else None

    def _begin(self, number: int, now_s: float) -> list[Event]:
        """A note, from where the pitch came within reach of it for good."""
        points = list(self._away)
        first = len(points) - 1
        while first > 0 and abs(points[first - 1].semitones - number) <= REACH_ST:
            first -= 1
        on = NoteOn(points[first].time_s, number, velocity(max(p.level_db for p in points[first:])))
        events: list[Event] = []
        if self._dated_back:
            if self._note is not None:
                events += [Bend(p.time_s, p.semitones - self._note) for p in points[:first]]
                events.append(NoteOff(on.time_s, self._note))
            bends = [Bend(p.time_s, p.semitones - number) for p in points[first:]]
            events += [bends[0], on, *bends[1:]]
        else:
            if self._note is not None:
                events.append(NoteOff(now_s, self._note))
            bend = Bend(now_s, points[-1].semitones - number)
            events += [bend, NoteOn(now_s, number, on.velocity)]
        self._note = number
        self._away.clear()
        return events


def _spread(points: list[_Point]) -> float:
    semitones = [p.semitones for p in points]
    return max(semitones) - min(semitones)
