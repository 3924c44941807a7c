"""Notes in and out of MIDI files, and played on recorded hits and notes."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.amplifier import compress, drive
from rtsep.training.band.render.notes import DRUM_CHANNEL, Note, Part, read_parts, stretched, write_parts
from rtsep.training.band.render.one_shots import DrumKit, Hit, note_players
from rtsep.training.band.render.songs import songs_with_bass
from rtsep.training.band.render.soundfont import play
from rtsep.training.databases.stem_folder import SAMPLERATE

BASS = Part(2, 33, (Note(0.0, 0.5, 40, 100), Note(0.5, 1.0, 43, 80)), ())
DRUMS = Part(DRUM_CHANNEL, 0, tuple(Note(0.1 * k, 0.1 * k + 0.05, 36, 90) for k in range(30)), ())
PIANO = Part(0, 1, (Note(0.25, 2.0, 60, 64),), ())


def _midi(parts: list[Part], file: Path, **changes: object) -> Path:
    settings: dict[str, object] = {"programs": {}, "stretch": 1.0, "semitones": 0} | changes
    write_parts(parts, file, **settings)  # type: ignore[arg-type]
    return file


def test_parts_come_back_from_a_file(tmp_path: Path) -> None:
    found = read_parts(_midi([BASS, DRUMS, PIANO], tmp_path / "song.mid"))
    assert [part.channel for part in found] == [0, 2, DRUM_CHANNEL]
    for part, expected in zip(found, (PIANO, BASS, DRUMS), strict=True):
        assert [n.pitch for n in part.notes] == [n.pitch for n in expected.notes]
        np.testing.assert_allclose(
            [n.start_s for n in part.notes], [n.start_s for n in expected.notes], atol=2e-3
        )
    assert found[1].program == 33


def test_tempo_and_pitch_change_but_drums_stay_drums(tmp_path: Path) -> None:
    file = _midi([BASS, DRUMS], tmp_path / "song.mid", stretch=1.5, semitones=3, programs={2: 38})
    bass, drums = read_parts(file)
    assert [n.pitch for n in bass.notes] == [43, 46]
    assert bass.program == 38
    assert bass.notes[1].start_s == pytest.approx(0.75, abs=2e-3)
    assert {n.pitch for n in drums.notes} == {36}
    assert stretched(BASS.notes, 1.5, 3)[1] == Note(0.75, 1.5, 46, 80)


def test_songs_that_hide_their_bass_line_are_left_out(tmp_path: Path) -> None:
    _midi([PIANO, DRUMS], tmp_path / "no_bass.mid")
    with pytest.raises(RtsepError, match="no MIDI song has a bass part"):
        songs_with_bass([tmp_path])
    kept = _midi([BASS, DRUMS, PIANO], tmp_path / "bass.mid")
    _midi([BASS, PIANO], tmp_path / "no_drums.mid")
    assert songs_with_bass([tmp_path]) == [kept]


def test_a_file_that_is_no_midi_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"MThd nothing")
    with pytest.raises(RtsepError, match="is no MIDI file"):
        read_parts(tmp_path / "bad.mid")


def test_without_fluidsynth_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RtsepError, match="fluidsynth is not installed"):
        play(_midi([BASS], tmp_path / "song.mid"), tmp_path / "font.sf2", reverb=False)


def _kit() -> DrumKit:
    noise = np.ones(SAMPLERATE, np.float32)
    kick = [Hit(db, noise * np.float32(10 ** (db / 20)), 0 * noise) for db in (-30.0, -20.0, -10.0)]
    return DrumKit("kit", {36: kick, 46: [Hit(-10.0, noise, 0 * noise)], 42: [Hit(-10.0, noise, 0 * noise)]})


def test_a_kit_plays_harder_for_higher_velocities() -> None:
    rng = np.random.default_rng(0)
    levels = [float(np.max(_kit().play([Note(0, 1, 36, v)], 0.5, 0.0, rng))) for v in (10, 127)]
    assert levels[1] > 4 * levels[0]


def test_a_closing_pedal_silences_the_open_hi_hat() -> None:
    rng = np.random.default_rng(0)
    rings = _kit().play([Note(0.0, 0.1, 46, 127)], 1.0, 0.0, rng)
    choked = _kit().play([Note(0.0, 0.1, 46, 127), Note(0.3, 0.4, 44, 127)], 1.0, 0.0, rng)
    at = round(0.5 * SAMPLERATE)
    closed = _kit().play([Note(0.3, 0.4, 44, 127)], 1.0, 0.0, rng)
    assert rings[at] > 0
    assert choked[at] == pytest.approx(closed[at])  # only the closed one still rings


def test_a_piece_the_kit_lacks_is_played_on_the_nearest_it_has() -> None:
    rng = np.random.default_rng(0)
    assert np.any(_kit().play([Note(0, 1, 35, 100)], 0.5, 0.0, rng))
    assert not np.any(_kit().play([Note(0, 1, 81, 100)], 0.5, 0.0, rng))  # a triangle


def _bass(folder: Path) -> Path:
    t = np.arange(SAMPLERATE) / SAMPLERATE
    rows = []
    for midi in (40, 45):
        hz = 440.0 * 2 ** ((midi - 69) / 12)
        (folder / "bass").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "bass" / f"{midi}.wav", 0.3 * np.sin(2 * np.pi * hz * t), SAMPLERATE)
        rows.append({"instrument": "bass", "file": f"{midi}.wav", "midi_note": midi, "dynamic": "mf"})
    with (folder / "notes.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize(("pitch", "sounding"), [(40, 40), (42, 42), (47, 47), (52, 40), (28, 40)])
def test_notes_sound_at_their_pitch_or_octaves_of_it(tmp_path: Path, pitch: int, sounding: int) -> None:
    (player,) = note_players(_bass(tmp_path), ["bass"])
    out = player.play([Note(0.0, 0.8, pitch, 100)], 1.0, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(out[: SAMPLERATE // 2] * np.hanning(SAMPLERATE // 2), 8 * SAMPLERATE))
    hz = np.argmax(spectrum) / 8
    assert 69 + 12 * np.log2(hz / 440.0) == pytest.approx(sounding, abs=0.1)
    assert not np.any(out[round(0.9 * SAMPLERATE) :])  # let go


def test_an_instrument_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="has no tuba"):
        note_players(_bass(tmp_path), ["tuba"])


def test_drive_adds_partials_and_compression_evens_out() -> None:
    t = np.arange(SAMPLERATE) / SAMPLERATE
    tone = np.sin(2 * np.pi * 400 * t).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(drive(tone, 30.0)))
    assert spectrum[1200] > 0.1 * spectrum[400]
    halves = tone * np.where(t < 0.5, 1.0, 0.1).astype(np.float32)
    even = compress(halves, 4.0, 0.05)
    ratio = np.std(even[-4000:]) / np.std(even[6000:10000])
    assert ratio > 0.15
