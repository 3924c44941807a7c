"""Readers of published collections, on small copies of their layouts."""

import importlib.util
import shutil
from pathlib import Path

import click.testing
import numpy as np
import pytest
import soundfile
from helpers.stem_databases import STEMS, sound

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.bands.stems import command
from rtsep.training.databases.recorded import MUSDB_VALIDATION, READERS, open_musdb
from rtsep.training.databases.stem_folder import FULL_SCALE, REST, SAMPLERATE, StemFolder
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.measures.si_sdr import si_sdr_db


def _write(file: Path, samples: np.ndarray, rate: int = SAMPLERATE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, rate)


def _run(kind: str, folder: Path, out: Path) -> StemFolder:
    result = click.testing.CliRunner().invoke(
        command, [kind, str(folder), "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0
    return StemFolder(out)


def test_mir1k_is_voice_and_rest_by_singer(tmp_path: Path) -> None:
    """Left is the accompaniment; clips of one singer are joined; 16 kHz says nothing above 7.8 kHz."""
    t = np.arange(32000) / 16000
    voice, rest = 0.3 * np.sin(2 * np.pi * 300 * t), 0.2 * np.sin(2 * np.pi * 80 * t)
    for clip in ("anna_1_01", "anna_1_02", "tammy_1_01"):
        _write(tmp_path / "in" / f"{clip}.flac", np.stack([rest, voice], axis=1), 16000)
    database = _run("mir1k", tmp_path / "in", tmp_path / "out")
    (song,) = database.songs
    assert song.name == "anna"
    assert [s.name for s in database.held_out] == ["tammy"]
    assert song.samples == 4 * SAMPLERATE
    assert set(song.files) == {"vocals", REST}
    assert np.std(song.files["vocals"] / FULL_SCALE) == pytest.approx(0.3 / np.sqrt(2), rel=1e-2)
    assert database.manifest.limit_hz < 8000


def test_frets_on_fire_knows_the_guitar(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "My Song" / "guitar.ogg", sound("other", 1))
    _write(tmp_path / "in" / "My Song" / "song.ogg", sound("drums", 1))
    (song,) = _run("frets-on-fire", tmp_path / "in", tmp_path / "out").songs
    assert song.name == "My_Song"
    assert set(song.files) == {"guitar", REST}


@pytest.mark.parametrize("kind", sorted(set(READERS) - {"musdb18"}))
def test_a_folder_without_the_collection_is_named_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    """A folder of links was read as empty, and the message was about the database that was not there."""
    (tmp_path / "song").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "song").symlink_to(tmp_path / "song")
    with pytest.raises(RtsepError, match=r"holds no s(ong|tems)"):
        _run(kind, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_eif_without_a_bass_of_its_own_keeps_it_in_the_rest(tmp_path: Path) -> None:
    for song in ("caesium", "francium", "hydrogen"):
        for stem in ("vocals", "drums", "other"):
            _write(tmp_path / "in" / song / f"{stem}.ogg", sound(stem, 2))
    database = _run("eif-vocals-drums", tmp_path / "in", tmp_path / "out")
    assert len(database.songs) == 3
    assert set(database.songs[0].files) == {"vocals", "drums", REST}


def _fake_musdb(folder: Path) -> None:
    for subset, song in (("train", "A - B"), ("train", MUSDB_VALIDATION[0]), ("test", "C - D")):
        stems = {stem: np.tile(sound(stem, 3, 2)[:, None], 2) for stem in STEMS}
        for stem, samples in (*stems.items(), ("mixture", sum(stems.values()))):
            _write(folder / subset / song / f"{stem}.wav", samples, 44100)


def test_musdb_is_read_through_its_own_package(tmp_path: Path) -> None:
    _fake_musdb(tmp_path / "in")
    try:
        open_musdb(tmp_path / "in", "train")
    except RtsepError as error:
        pytest.skip(str(error))
    database = _run("musdb18", tmp_path / "in", tmp_path / "out")
    assert [s.name for s in database.songs] == ["A - B"]  # nothing of its test split
    assert [s.name for s in database.held_out] == [MUSDB_VALIDATION[0]]
    assert set(database.songs[0].files) == set(STEMS)


def test_musdb_validation_songs_are_those_of_its_package(tmp_path: Path) -> None:
    _fake_musdb(tmp_path)
    try:
        found = open_musdb(tmp_path, "train")
    except RtsepError as error:
        pytest.skip(str(error))
    assert set(found.setup["validation_tracks"]) == set(MUSDB_VALIDATION)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RtsepError, match="holds no song"):
        open_musdb(tmp_path / "empty", "train")


def test_every_collection_names_its_licence() -> None:
    for reader in READERS.values():
        assert reader.manifest.licence
        assert reader.manifest.credit


def test_a_real_stem_file_is_read(tmp_path: Path) -> None:
    """The one that `stempeg` brings, in place of MUSDB18: into a database, and as a song to score."""
    package = importlib.util.find_spec("stempeg")
    place = Path(package.origin).parent if package and package.origin else tmp_path
    files = list((place / "data").glob("*.stem.mp4"))
    if not files or shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("needs stempeg and ffmpeg (pip install 'rtsep[musdb]', apt install ffmpeg)")
    for split in ("train", "test"):
        (tmp_path / "in" / split).mkdir(parents=True)
        shutil.copy(files[0], tmp_path / "in" / split)
    (song,) = find_songs(tmp_path / "in", ("bass",))
    stems = song.read()
    assert stems.names == ("vocals", "drums", "bass", "other")
    assert stems.samplerate == 44100
    assert 5.0 < stems.audio.shape[1] / stems.samplerate < 8.0
    database = _run("musdb18", tmp_path / "in", tmp_path / "out")
    (track,) = open_musdb(tmp_path / "in", "train")
    mixture = np.asarray(track.audio).mean(axis=1)[: stems.audio.shape[1]]
    # five streams of lossy AAC: the stems sum to the mixture but for its rounding
    assert float(si_sdr_db(mixture, stems.mixture)) > 15.0
    assert database.manifest.known == stems.names
