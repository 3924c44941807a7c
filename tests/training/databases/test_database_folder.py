"""A database keeps what it was given, says what it knows, and refuses what it is not."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.stem_databases import STEMS, manifest, sound, vocals_database, whole_database

from rtsep.kernels.errors import RtsepError
from rtsep.training.databases.stem_folder import (
    FULL_SCALE,
    MANIFEST,
    SAMPLERATE,
    StemFolder,
    StemWriter,
    active_level_dbfs,
)


def test_samples_come_back_within_a_bit(tmp_path: Path) -> None:
    database = whole_database(tmp_path)
    song = database.songs[0]
    for stem in STEMS:
        np.testing.assert_allclose(song.files[stem] / FULL_SCALE, sound(stem, 0), atol=1.01 / FULL_SCALE)
    assert [s.name for s in database.songs] == ["one", "two"]
    assert [s.name for s in database.held_out] == ["held"]


def test_files_of_a_song_are_scaled_alike(tmp_path: Path) -> None:
    """Too loud for 16 bits: all become softer, so that the mixture stays the mixture."""
    writer = StemWriter(tmp_path, manifest("loud", STEMS))
    loud = 4.0 * sound("bass", 0)
    writer.add("song", {"bass": loud, "vocals": sound("vocals", 0)})
    files = StemFolder(tmp_path).songs[0].files
    ratio = np.max(np.abs(files["bass"].astype(float))) / np.max(np.abs(files["vocals"].astype(float)))
    assert ratio == pytest.approx(np.max(np.abs(loud)) / np.max(np.abs(sound("vocals", 0))), rel=1e-3)


def test_silent_stems_have_no_file_and_levels_ignore_pauses(tmp_path: Path) -> None:
    writer = StemWriter(tmp_path, manifest("pauses", STEMS))
    half = sound("bass", 0)
    half[len(half) // 2 :] = 0.0
    writer.add("song", {"bass": half, "vocals": np.zeros_like(half)})
    song = StemFolder(tmp_path).songs[0]
    assert set(song.files) == {"bass"}
    assert song.levels_dbfs["bass"] == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.05)
    assert active_level_dbfs(np.zeros(10, np.float32)) == pytest.approx(-120.0)


def test_a_killed_writer_goes_on_and_another_database_is_refused(tmp_path: Path) -> None:
    whole_database(tmp_path)
    again = StemWriter(tmp_path, manifest("whole", STEMS))
    assert again.holds("one")
    assert not again.holds("three")
    again.add("three", {"bass": sound("bass", 3)})
    assert len(StemFolder(tmp_path).songs) == 3
    with pytest.raises(RtsepError, match="name = 'whole', not 'other'"):
        StemWriter(tmp_path, manifest("other", STEMS))


@pytest.mark.parametrize("content", ["", "[]", '{"name": 1}', '{"name": "x", "colour": 2}'])
def test_a_bad_manifest_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(RtsepError, match="is no database of stems"):
        StemFolder(tmp_path)


def test_a_missing_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    vocals_database(tmp_path)
    soundfile.write(tmp_path / "three" / "vocals.wav", np.zeros(100), 44100, subtype="PCM_16")
    with pytest.raises(RtsepError, match="44100 Hz"):
        StemFolder(tmp_path)
    (tmp_path / "three" / "vocals.wav").unlink()
    with pytest.raises(RtsepError, match="cannot be read"):
        StemFolder(tmp_path)


def test_manifest_is_plain_json(tmp_path: Path) -> None:
    whole_database(tmp_path)
    content = json.loads((tmp_path / MANIFEST).read_text())
    assert content["known"] == list(STEMS)
    assert content["held_out"] == ["held"]
    assert soundfile.info(tmp_path / "one" / "bass.wav").samplerate == SAMPLERATE
