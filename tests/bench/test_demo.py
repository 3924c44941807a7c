"""`make demo`: both clips through the real command, against the truth."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.voicebank_fixture import write_voicebank

from rtsep.bench.demo import band as demo_band
from rtsep.bench.demo.__main__ import main
from rtsep.bench.demo.band import FOLDER, STEMS, read_band
from rtsep.kernels.errors import RtsepError
from rtsep.training.measures.si_sdr import si_sdr_db

FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


def test_both_clips_are_better_apart_than_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main() == 0
    printed = capsys.readouterr().out
    for clip, names in (("choir", [f"voice-{i}" for i in range(1, 5)]), ("band", list(STEMS))):
        place = tmp_path / "demo-out" / clip
        mixture = soundfile.read(place / f"{clip}.wav")[0]
        for name in names:
            truth = soundfile.read(place / "truth" / f"{name}.wav")[0]
            found = soundfile.read(place / "stems" / f"{name}.wav")[0]
            before, after = float(si_sdr_db(truth, mixture)), float(si_sdr_db(truth, found))
            assert after > before + 1.0, (clip, name)
            assert f"{name:24}{before:9.1f}{after:11.1f}" in printed
    assert "clipped" not in printed


def test_the_clip_is_small_and_whole() -> None:
    clip = read_band()
    assert clip.stems.shape[0] == len(STEMS)
    assert 8.0 < clip.stems.shape[1] / clip.samplerate < 15.0
    assert np.abs(clip.mixture).max() < 1.0
    assert all(np.sqrt(np.mean(stem**2)) > 0.005 for stem in clip.stems)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 500_000


def test_a_missing_file_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo_band, "FOLDER", tmp_path)
    with pytest.raises(RtsepError, match=r"vocals\.ogg cannot be read"):
        read_band()


def test_notes_become_stems_of_the_written_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("fluidsynth") is None or not FONT.exists():
        pytest.skip(f"needs fluidsynth and {FONT} (apt install fluidsynth fluid-soundfont-gm)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from rtsep.bench.demo.make_band_clip import LEVELS_DBFS, render
    from rtsep.training.choir.render.voicebank import load_voicebank
    from rtsep.training.databases.stem_folder import SAMPLERATE, active_level_dbfs

    bank = load_voicebank(write_voicebank(tmp_path / "bank", 330.0), tmp_path / "cache")
    stems = render(FONT, bank)
    assert tuple(stems) == STEMS
    for name, audio in stems.items():
        assert active_level_dbfs(audio) == pytest.approx(LEVELS_DBFS[name], abs=0.3)
    # the shipped bass is this bass, but for Vorbis
    shipped = soundfile.read(FOLDER / "bass.ogg", dtype="float32")
    assert shipped[1] == SAMPLERATE
    assert float(si_sdr_db(stems["bass"], shipped[0][: len(stems["bass"])])) > 10.0
