"""Who sings what: rests, entries, doublings and silence come when asked for, and stay within the item."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.arrangement import HIGHEST_MIDI, LOWEST_MIDI, Arrangement, Style, arrange
from rtsep.training.choir.render.scores import Note, Score
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.files.toml_settings import read_config

# four voices, 40 quarters, a fermata every eight
CHORALE = Score(
    "chorale",
    tuple(
        tuple(Note(k, 1.0, midi + k % 3, fermata=k % 8 == 7) for k in range(40)) for midi in (72, 67, 60, 48)
    ),
)
PLAIN = {
    "voices": (0.0, 0.0, 0.0, 1.0), "silent_item": 0.0, "tutti_item": 1.0, "entries_item": 0.0,
    "dropped_note": 0.0, "doubling_item": 0.0, "random_score_item": 0.0,
}  # fmt: skip


def draw(seed: int, **changes: object) -> Arrangement:
    config = ChoirConfig(**{**PLAIN, **changes})  # type: ignore[arg-type]
    return arrange(config, (CHORALE,), np.random.default_rng(seed))


def some(count: int, **changes: object) -> list[Arrangement]:
    return [draw(seed, **changes) for seed in range(count)]


def share(made: list[Arrangement], what: Callable[[Arrangement], bool]) -> float:
    return sum(what(a) for a in made) / len(made)


def test_notes_follow_each_other_within_the_item() -> None:
    for made in some(20, tutti_item=0.4, entries_item=0.3, doubling_item=0.5, random_score_item=0.5):
        for voice in made.voices:
            for note in voice:
                assert 0.0 <= note.onset_s < note.end_s <= 24.0
                assert LOWEST_MIDI <= note.midi <= HIGHEST_MIDI + 12 * (made.doubling != "none")
            for note, after in itertools.pairwise(voice):
                assert note.end_s <= after.onset_s + 1e-9
                if after.onset_s - note.end_s > 0.05:
                    assert note.last
                    assert not after.same_vowel


def test_tutti_sings_the_score_transposed_at_the_tempo() -> None:
    for made in some(10):
        for voice, part in zip(made.voices, CHORALE.parts, strict=True):
            written = {note.midi + made.transposition for note in part}
            assert {note.midi for note in voice} <= written
            median_s = np.median([note.duration_s for note in voice])
            assert median_s == pytest.approx(60.0 / made.tempo_qpm, rel=0.08)
        onsets = [{round(note.onset_s, 6) for note in voice} for voice in made.voices]
        assert onsets[0] == onsets[1] == onsets[2] == onsets[3]


def test_voices_rest() -> None:
    changing = some(40, tutti_item=0.0, phrase_voice=0.5)

    def sung_s(made: Arrangement) -> list[float]:
        return [sum(note.duration_s for note in voice) for voice in made.voices]

    assert share(changing, lambda made: min(sung_s(made)) < 0.6 * max(sung_s(made))) > 0.6
    entering = some(40, tutti_item=0.0, entries_item=1.0)
    starts = [len({round(v[0].onset_s, 3) for v in made.voices if v}) for made in entering]
    assert np.mean([n > 1 for n in starts]) > 0.6
    assert all(not any(made.voices) for made in some(5, silent_item=1.0, tutti_item=0.0))


def test_doublings_are_unisons_or_octaves() -> None:
    doubled = 0
    for made in some(20, doubling_item=1.0):
        follower, leader = (int(word) for word in made.doubling.split(" doubles ")) \
            if made.doubling != "none" else (0, 0)  # fmt: skip
        if follower == leader:
            continue
        sung = {round(n.onset_s, 6): n.midi for n in made.voices[leader]}
        apart = [n.midi - sung[round(n.onset_s, 6)] for n in made.voices[follower]]
        written = CHORALE.parts[follower][0].midi - CHORALE.parts[leader][0].midi
        doubled += sum(a % 12 == 0 for a in apart)
        assert all(a % 12 == 0 or a == written for a in apart)
    assert doubled > 50


def test_shares_of_voices_and_styles() -> None:
    made = some(300, voices=(0.25, 0.25, 0.25, 0.25), hummed_phrase=0.3, breathy_phrase=0.0)
    for count in (1, 2, 3, 4):
        assert share(made, lambda m, n=count: len(m.voices) == n) == pytest.approx(0.25, abs=0.1)
    styles = [note.style for m in made for voice in m.voices for note in voice]
    assert np.mean(np.array(styles) == Style.HUMMED) == pytest.approx(0.3, abs=0.06)
    assert Style.BREATHY not in styles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tutti_item": 1.5}, "tutti_item = 1.5"),
        ({"silent_item": 0.5, "tutti_item": 0.6}, "exceed 1"),
        ({"tempo_qpm": (90.0, 60.0)}, "tempo_qpm"),
        ({"voices": (0.0,)}, "voices"),
        ({"singers": ()}, "singers"),
        ({"item_s": 0.1}, "item_s = 0.1"),
        ({"samplerate": 10}, "samplerate = 10"),
    ],
)
def test_impossible_configs(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RtsepError, match=message):
        ChoirConfig(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tempo = 3", "unknown key 'tempo'"),
        ("item_s = 'long'", "item_s"),
        ("tempo_qpm = [60.0]", "tempo_qpm"),
        ("tempo_qpm = 60", "tempo_qpm"),
        ("samplerate = 16000.5", "samplerate"),
        ("= 3", "cannot be read"),
    ],
)
def test_broken_config_files(tmp_path, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "choir.toml"
    file.write_text(text)
    with pytest.raises(RtsepError, match=message):
        read_config(ChoirConfig, file)


def test_config_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "choir.toml"
    file.write_text("item_s = 6\nvoices = [0, 1]\nsamplerate = 16000\n")
    config = read_config(ChoirConfig, file)
    assert config == ChoirConfig(item_s=6.0, voices=(0.0, 1.0), samplerate=16000)
    assert config.digest() != ChoirConfig().digest()
