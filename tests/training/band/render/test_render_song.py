"""A MIDI song becomes drums, bass and other of one length, each from its own notes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.notes import DRUM_CHANNEL, Note, Part, write_parts
from rtsep.training.band.render.songs import Instruments, render_song
from rtsep.training.commands.evaluating.accompany import command as accompany
from rtsep.training.databases.stem_folder import SAMPLERATE

FONTS = [
    file
    for name in ("sf2/TimGM6mb.sf2", "sf2/FluidR3_GM.sf2", "sf3/MuseScore_General.sf3")
    if (file := Path("/usr/share/sounds") / name).exists()
]
needs_font = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not FONTS,
    reason="needs fluidsynth and a soundfont (apt install fluidsynth timgm6mb-soundfont)",
)

# One second each after the other: drums, bass, piano. What sounds when tells whose notes a stem has.
SONG = (
    Part(DRUM_CHANNEL, 0, tuple(Note(0.1 * k, 0.1 * k + 0.05, 38, 100) for k in range(9)), ()),
    Part(0, 33, (Note(2.0, 2.8, 40, 100),), ()),
    Part(1, 0, (Note(4.0, 4.8, 69, 100), Note(4.0, 4.8, 76, 100)), ()),
)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    file = tmp_path / "song.mid"
    write_parts(SONG, file, programs={}, stretch=1.0, semitones=0)
    return file


@needs_font
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_stem_has_its_own_notes(song: Path, seed: int) -> None:
    instruments = Instruments(fonts=FONTS[:1], kits=(), basses=(), guitars=(), responses=())
    stems = render_song(song, instruments, np.random.default_rng(seed))
    assert list(stems) == ["drums", "bass", "other"]
    assert len({len(audio) for audio in stems.values()}) == 1
    centres = []
    for audio in stems.values():
        assert np.isfinite(audio).all()
        power = np.square(audio, dtype=np.float64)
        assert power.mean() > 1e-7
        centres.append(float(np.sum(np.arange(len(audio)) * power) / power.sum() / SAMPLERATE))
    # at any tempo within 0.87 .. 1.15 (`STRETCH`): before 2, 2 to 4, and after 4 beats of a second
    assert centres[0] < 1.8 < centres[1] < 3.6 < centres[2]


@needs_font
def test_a_performance_is_the_same_for_the_same_seed(song: Path) -> None:
    instruments = Instruments(fonts=FONTS[:1], kits=(), basses=(), guitars=(), responses=())
    one, same, other = (render_song(song, instruments, np.random.default_rng(seed)) for seed in (5, 5, 6))
    for name in one:
        np.testing.assert_array_equal(one[name], same[name])
    assert any(len(one[n]) != len(other[n]) or not np.array_equal(one[n], other[n]) for n in one)


@needs_font
def test_a_score_becomes_a_backing_per_instrument(song: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        accompany, [str(song), "--font", str(FONTS[0]), "--on", "piano,organ", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    found = [soundfile.read(tmp_path / "out" / name / "other.wav") for name in ("piano", "organ")]
    assert all(rate == SAMPLERATE and np.abs(audio).max() == pytest.approx(0.5) for audio, rate in found)
    # a struck string dies away while the key is held, a pipe does not
    held = [audio[round(4.6 * SAMPLERATE) : round(4.75 * SAMPLERATE)] for audio, _ in found]
    struck = [audio[round(4.1 * SAMPLERATE) : round(4.25 * SAMPLERATE)] for audio, _ in found]
    piano, organ = (np.std(late) / np.std(early) for late, early in zip(held, struck, strict=True))
    assert piano < organ


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{song}", "--font", "{nowhere}"], "is no file"),
        (["{song}", "--font", "{song}", "--on", "kazoo"], "--on 'kazoo' is not one of"),
        (["{nowhere}", "--font", "{song}"], "is no MIDI file"),
    ],
)
def test_accompany_mistakes_are_one_line(
    song: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = [a.format(song=song, nowhere=tmp_path / "nowhere") for a in arguments]
    result = CliRunner().invoke(accompany, [*given, "--out", str(tmp_path / "out")])
    with pytest.raises(RtsepError, match=message):
        raise result.exception or AssertionError(result.output)
