"""From a score to what each voice of one item sings: choice of parts, rests, doublings, styles."""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from rtsep.training.choir.render.scores import Note, Score, random_score
from rtsep.training.choir.render.settings import ChoirConfig

# A phrase ends at a fermata, or after so many quarters without one.
LONGEST_PHRASE_QUARTERS = 12.0
# Chorales lie at singing pitch; beyond these even soloists do not go.
LOWEST_MIDI, HIGHEST_MIDI = 36.0, 86.0


class Style(IntEnum):
    """How a note sounds."""

    SUNG = 0
    HUMMED = 1
    BREATHY = 2


@dataclass(frozen=True)
class SungNote:
    """A note in time.

    Attributes:
        onset_s, duration_s: as the beat has it; singers deviate.
        midi: pitch, 69 = 440 Hz.
        style: how it sounds.
        same_vowel: it goes on with the vowel of the note before, without a consonant.
        last: a breath or a rest follows.
    """

    onset_s: float
    duration_s: float
    midi: float
    style: Style = Style.SUNG
    same_vowel: bool = False
    last: bool = False

    @property
    def end_s(self) -> float:
        """Seconds from the beginning of the item."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class Arrangement:
    """What an item's voices sing, and in words how it came about."""

    voices: tuple[tuple[SungNote, ...], ...]
    score: str
    texture: str
    tempo_qpm: float
    transposition: int
    doubling: str


def arrange(config: ChoirConfig, scores: tuple[Score, ...], rng: np.random.Generator) -> Arrangement:
    """Draws an arrangement of `config.item_s` seconds."""
    wanted = 1 + int(rng.choice(len(config.voices), p=np.array(config.voices) / sum(config.voices)))
    tempo = float(rng.uniform(*config.tempo_qpm))
    quarters = config.item_s * tempo / 60.0
    if not scores or rng.random() < config.random_score_item:
        score = random_score(wanted, quarters + 4.0, rng)
    else:
        score = scores[int(rng.integers(len(scores)))]
    chosen = np.sort(rng.permutation(len(score.parts))[:wanted])
    parts = [score.parts[int(i)] for i in chosen]
    first = float(np.floor(rng.uniform(0.0, max(1.0, score.end - quarters))))
    shift = _transposition(parts, config.transpose_semitones, rng)
    phrases = _phrase_ends(parts, first)
    texture, active = _texture(config, len(parts), len(phrases), rng)
    leader, follower, doubled = _doubling(config, len(parts), len(phrases), rng)
    clock = _Clock(first, phrases, parts, tempo, rng)
    voices = []
    for voice in range(len(parts)):
        notes: list[SungNote] = []
        start = first
        for phrase, end in enumerate(phrases):
            source = voice
            if voice == follower and doubled[phrase]:
                source = leader
            octaves = _octaves_between(parts[voice], parts[source])
            style, vocalise = _style(config, rng)
            written = [n for n in parts[source] if start <= n.onset < end]
            kept = [n for n in written if active[voice, phrase] and rng.random() >= config.dropped_note]
            notes += _sing(kept, clock, shift + 12 * octaves, style, vocalise, config.item_s)
            start = end
        voices.append(tuple(_mark_ends(notes)))
    doubling = f"{follower} doubles {leader}" if doubled.any() else "none"
    return Arrangement(tuple(voices), score.name, texture, tempo, shift, doubling)


def _transposition(parts: list[tuple[Note, ...]], most: int, rng: np.random.Generator) -> int:
    pitches = [note.midi for part in parts for note in part]
    low, high = LOWEST_MIDI - min(pitches), HIGHEST_MIDI - max(pitches)
    drawn = int(rng.integers(-most, most + 1))
    return int(np.clip(drawn, min(0.0, low), max(0.0, high)))


def _phrase_ends(parts: list[tuple[Note, ...]], first: float) -> list[float]:
    """In quarters, after `first`: ends of notes under a fermata, and what is needed in between."""
    last = max(part[-1].end for part in parts)
    fermatas = sorted({note.end for part in parts for note in part if note.fermata} | {last})
    ends, start = [], first
    for end in fermatas:
        while end - start > LONGEST_PHRASE_QUARTERS:
            start += LONGEST_PHRASE_QUARTERS / 2
            ends.append(start)
        if end > start:
            ends.append(end)
            start = end
    return ends


def _texture(
    config: ChoirConfig, voices: int, phrases: int, rng: np.random.Generator
) -> tuple[str, np.ndarray]:
    """Which voices sing in which phrase, bool [voices, phrases]."""
    drawn = rng.random()
    if drawn < config.silent_item:
        return "silent", np.zeros((voices, phrases), np.bool_)
    drawn -= config.silent_item
    if drawn < config.tutti_item:
        return "tutti", np.ones((voices, phrases), np.bool_)
    drawn -= config.tutti_item
    if drawn < config.entries_item:
        entry = rng.integers(0, max(1, min(phrases, 4)), size=voices)
        stay = rng.integers(1, 5, size=voices)
        phrase = np.arange(phrases)
        return "entries", (phrase >= entry[:, None]) & (phrase < (entry + stay)[:, None])
    return "changing", rng.random((voices, phrases)) < config.phrase_voice


def _doubling(
    config: ChoirConfig, voices: int, phrases: int, rng: np.random.Generator
) -> tuple[int, int, np.ndarray]:
    """(leader, follower, in which phrases)."""
    if voices < 2 or rng.random() >= config.doubling_item:
        return 0, 0, np.zeros(phrases, np.bool_)
    leader, follower = (int(v) for v in rng.permutation(voices)[:2])
    return leader, follower, rng.random(phrases) < 0.6


def _octaves_between(part: tuple[Note, ...], source: tuple[Note, ...]) -> int:
    """Octaves from `source` to where `part` lies: doublings stay in the singer's range."""
    gap = np.mean([n.midi for n in part]) - np.mean([n.midi for n in source])
    return int(np.round(gap / 12.0))


def _style(config: ChoirConfig, rng: np.random.Generator) -> tuple[Style, bool]:
    drawn = rng.random()
    vocalise = bool(rng.random() < config.vocalise_phrase)
    if drawn < config.hummed_phrase:
        return Style.HUMMED, True
    if drawn < config.hummed_phrase + config.breathy_phrase:
        return Style.BREATHY, vocalise
    return Style.SUNG, vocalise


class _Clock:
    """Quarters to seconds: every phrase has its own tempo, fermatas hold."""

    def __init__(
        self,
        first: float,
        phrases: list[float],
        parts: list[tuple[Note, ...]],
        tempo: float,
        rng: np.random.Generator,
    ) -> None:
        held = {note.end for part in parts for note in part if note.fermata}
        quarters, seconds = [first], [0.0]
        for end in phrases:
            quarter_s = 60.0 / (tempo * rng.uniform(0.94, 1.06))
            hold_s = rng.uniform(0.2, 1.2) if end in held else 0.0
            # the hold stretches the last half quarter
            turn = max(quarters[-1], end - 0.5)
            if turn > quarters[-1]:
                seconds.append(seconds[-1] + (turn - quarters[-1]) * quarter_s)
                quarters.append(turn)
            seconds.append(seconds[-1] + (end - quarters[-1]) * quarter_s + hold_s)
            quarters.append(end)
        self._quarters, self._seconds = quarters, seconds

    def __call__(self, quarter: float) -> float:
        return float(np.interp(quarter, self._quarters, self._seconds))


def _sing(
    notes: list[Note], clock: _Clock, shift: int, style: Style, vocalise: bool, item_s: float
) -> list[SungNote]:
    sung = []
    for place, note in enumerate(notes):
        onset, end = clock(note.onset), min(clock(note.end), item_s)
        if end - onset >= 0.1:  # shorter ones are cut off by the end of the item
            same_vowel = place > 0 and vocalise
            sung.append(SungNote(onset, end - onset, note.midi + shift, style, same_vowel, note.fermata))
    return sung


def _mark_ends(notes: list[SungNote]) -> list[SungNote]:
    """`last` where a rest follows, and no slur across it."""
    marked = []
    for place, note in enumerate(notes):
        after = notes[place + 1].onset_s - note.end_s if place + 1 < len(notes) else 1.0
        before = note.onset_s - notes[place - 1].end_s if place else 1.0
        marked.append(
            replace(note, last=note.last or after > 0.05, same_vowel=note.same_vowel and before <= 0.05)
        )
    return marked
