"""Another engine while a score is followed: it goes on where the one before it was, and is sent like it."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.hand_driven import RATE, HandDrivenEngine

from rtsep.models.choir.score.score import Score
from rtsep.rt.cli.session_actions import set_score
from rtsep.rt.live.settings import LiveSettings

CHORD_S = 0.8
CHORDS = ((69, 60), (71, 62), (67, 59), (72, 64), (65, 57), (74, 65), (70, 58), (68, 61)) * 3


def written() -> Score:
    """Sung two semitones lower than it is written, which only listening tells."""
    parts = tuple(
        tuple((i * CHORD_S, (i + 1) * CHORD_S, float(chord[part] + 2)) for i, chord in enumerate(CHORDS))
        for part in range(2)
    )
    beats = tuple((i * CHORD_S, i // 4 + 1, float(i % 4 + 1)) for i in range(len(CHORDS)))
    return Score(("high", "low"), parts, beats)


def sung() -> np.ndarray:
    t = np.arange(round(CHORD_S * RATE)) / RATE
    chords = [
        sum(
            np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * k * t) / k
            for midi in chord
            for k in range(1, 8)
        )
        for chord in CHORDS
    ]
    return (0.1 * np.concatenate(chords)).astype(np.float32)


def test_the_next_engine_goes_on_where_the_choir_is() -> None:
    settings = LiveSettings(None, None, 11, "mic", None, None, None, None, None, "auto")
    settings = replace(settings, written=written().as_dict())
    engine, sound = HandDrivenEngine(settings, outputs=3), sung()

    def place() -> dict[str, float]:
        engine.loop.publish("running")
        return {name: value for name, value in engine.block.peek().items() if name.startswith("score_")}

    def sung_at() -> int:
        return int(engine.at / RATE / CHORD_S)  # which chord

    engine.play_for(sound, 9.2)
    assert place()["score_confidence"] > 0.9
    engine.changer.order(43)
    engine.play_through(sound, 0.05)
    at = place()
    assert at["score_confidence"] > 0.8, "a follower that begins anew knows no transposition yet"
    assert at["score_transposition"] == pytest.approx(-2, abs=0.3)
    chord = 4 * (at["score_bar"] - 1) + at["score_beat"] - 1
    assert abs(chord - engine.at / RATE / CHORD_S) < 0.6
    set_score(engine.control, "bar 1")
    engine.play_for(sound, 0.06)
    assert (place()["score_bar"], sung_at() > 12) == (1, True)
    engine.close()
