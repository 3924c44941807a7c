"""Notes from pitches: vibrato and glides are not many notes, pauses of consonants do not cut them."""

import numpy as np
import pytest

from rtsep.rt.pitches.note_decision import Bend, Event, NoteDecision, NoteOff, NoteOn, velocity

HOP_S = 256 / 48000


def decide(semitones: np.ndarray, *, dated_back: bool = True, hop_s: float = HOP_S) -> list[Event]:
    """Events of pitches, MIDI numbers hop by hop, NaN where there is none."""
    decision, events = NoteDecision(dated_back=dated_back), []
    for hop, number in enumerate(semitones):
        f0_hz = 0.0 if np.isnan(number) else 440.0 * 2 ** ((number - 69) / 12)
        events += decision.add(hop * hop_s, f0_hz, -20.0)
    return events + decision.end()


def notes(events: list[Event]) -> list[tuple[int, float, float]]:
    """Number, start and end of every note."""
    ons = [e for e in events if isinstance(e, NoteOn)]
    offs = [e for e in events if isinstance(e, NoteOff)]
    assert [e.number for e in ons] == [e.number for e in offs]
    return [(on.number, on.time_s, off.time_s) for on, off in zip(ons, offs, strict=True)]


def held(number: float, seconds: float, hop_s: float = HOP_S) -> np.ndarray:
    return np.full(round(seconds / hop_s), float(number))


@pytest.mark.parametrize("hop_s", [128 / 48000, HOP_S, 1024 / 48000])
@pytest.mark.parametrize(("depth", "off"), [(0.3, 0.3), (0.6, -0.2), (1.0, 0.1)])
@pytest.mark.parametrize("rate_hz", [4.8, 6.5])
def test_a_vibrato_is_one_note(depth: float, off: float, rate_hz: float, hop_s: float) -> None:
    for phase in np.linspace(0, 2 * np.pi, 7):
        t = np.arange(round(2.0 / hop_s)) * hop_s
        found = notes(decide(67 + off + depth * np.sin(2 * np.pi * rate_hz * t + phase), hop_s=hop_s))
        assert [n for n, _, _ in found] == [67]
        assert found[0][1] <= 0.1
        assert found[0][2] == pytest.approx(2.0, abs=2.1 * hop_s)


def test_a_scale_has_its_notes_where_they_begin() -> None:
    steps = [60, 62, 64, 65, 67, 66, 60]
    found = notes(decide(np.concatenate([held(n, 0.3) for n in steps])))
    assert [n for n, _, _ in found] == steps
    np.testing.assert_allclose([start for _, start, _ in found], 0.3 * np.arange(7), atol=0.03)


def test_a_glide_is_one_note_that_bends() -> None:
    """An octave in half a second: the note before bends up, the one after begins where the pitch arrives."""
    pitches = np.concatenate([held(60, 0.5), np.linspace(60, 72, round(0.5 / HOP_S)), held(72, 0.5)])
    events = decide(pitches)
    assert [n for n, _, _ in notes(events)] == [60, 72]
    number, wrong = 0, []
    for event, after in zip(events, [*events[1:], None], strict=True):
        if isinstance(event, NoteOn):
            number = event.number
        elif isinstance(event, Bend):
            of = after.number if isinstance(after, NoteOn) else number
            wrong.append(abs(event.semitones + of - pitches[round(event.time_s / HOP_S)]))
    assert len(wrong) == len(pitches)
    assert max(wrong) < 1e-6


def test_a_pause_ends_a_note_and_a_consonant_does_not() -> None:
    nothing = held(np.nan, 0.04)
    assert len(notes(decide(np.concatenate([held(64, 0.3), nothing, held(64, 0.3)])))) == 1
    pause = held(np.nan, 0.15)
    found = notes(decide(np.concatenate([held(64, 0.3), pause, held(64, 0.3)])))
    assert len(found) == 2
    assert found[0][2] == pytest.approx(0.3, abs=0.01)
    assert found[1][1] == pytest.approx(0.45, abs=0.01)


def test_what_is_shorter_than_a_note_is_none() -> None:
    assert not notes(decide(np.concatenate([held(np.nan, 0.2), held(64, 0.05), held(np.nan, 0.2)])))


def test_events_are_in_order() -> None:
    rng = np.random.default_rng(0)
    walk = np.repeat(rng.integers(55, 75, 60), rng.integers(3, 60, 60)) + rng.normal(0, 0.4, 1).item()
    walk = walk + rng.normal(0, 0.3, walk.size)
    walk[rng.random(walk.size) < 0.1] = np.nan
    for dated_back in (True, False):
        events = decide(walk, dated_back=dated_back)
        times = [e.time_s for e in events]
        assert times == sorted(times)
        notes(events)


def test_on_a_port_a_note_begins_when_it_is_decided() -> None:
    events = decide(held(60, 0.5), dated_back=False)
    on = next(e for e in events if isinstance(e, NoteOn))
    assert 0.08 < on.time_s < 0.11


def test_velocity_follows_the_level() -> None:
    assert [velocity(db) for db in (-100.0, -60.0, -33.0, -6.0, 3.0)] == [1, 1, 64, 127, 127]
    assert velocity(-120.0) == 64
