"""Voicebanks: what is analysed, what is dropped, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.voicebank_fixture import CONSONANT_S, VOWEL_S, VOWELS_HZ, write_voicebank

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.item import load_materials
from rtsep.training.choir.render.voicebank import FRAME_S, SAMPLERATE, load_voicebank

pytest.importorskip("pyworld", reason="the choir renderer needs pyworld (extra `test`)")


def test_syllables_and_pitch(bank_folders: tuple[Path, ...], bank_cache: Path) -> None:
    bank = load_voicebank(bank_folders[1], bank_cache)
    assert bank.f0_hz == pytest.approx(330.0, rel=0.002)
    assert bank.envelope.shape == (len(bank.voiced), 60)
    for syllable in bank.syllables:
        assert syllable.alias in VOWELS_HZ
        assert (syllable.onset - syllable.first) * FRAME_S == pytest.approx(CONSONANT_S, abs=FRAME_S)
        assert (syllable.stop - syllable.vowel) * FRAME_S == pytest.approx(VOWEL_S, abs=FRAME_S)
        assert bank.voiced[syllable.vowel + 2 : syllable.stop - 2].all()
        assert not bank.voiced[syllable.first : syllable.onset - 3].any()


def test_the_second_time_comes_from_the_cache(tmp_path: Path) -> None:
    folder = write_voicebank(tmp_path / "bank", 200.0)
    first = load_voicebank(folder, tmp_path / "cache")
    (cached,) = (tmp_path / "cache").iterdir()
    written_ns = cached.stat().st_mtime_ns
    again = load_voicebank(folder, tmp_path / "cache")
    assert cached.stat().st_mtime_ns == written_ns
    assert np.array_equal(first.envelope, again.envelope)
    assert first.syllables == again.syllables
    # other audio, other analysis
    audio, rate = soundfile.read(folder / "all.wav")
    soundfile.write(folder / "all.wav", 0.5 * audio, rate, subtype="FLOAT")
    quieter = load_voicebank(folder, tmp_path / "cache")
    assert quieter.digest != first.digest
    assert quieter.syllables[0].level_db == pytest.approx(first.syllables[0].level_db - 6.02, abs=0.1)


def test_the_quietest_are_dropped(tmp_path: Path) -> None:
    folder = write_voicebank(tmp_path / "bank", 200.0)
    audio, rate = soundfile.read(folder / "all.wav")
    third = len(audio) // 3
    audio[:third] *= 0.1
    soundfile.write(folder / "all.wav", audio, rate, subtype="FLOAT")
    assert {s.alias for s in load_voicebank(folder, tmp_path / "cache").syllables} == {"i", "u"}


def test_facts_and_development_banks(
    tmp_path: Path, bank_folders: tuple[Path, ...], bank_cache: Path
) -> None:
    bank = load_voicebank(bank_folders[0], bank_cache)
    assert (bank.licence, bank.credit, bank.use) == ("CC0", "nobody", "training")
    write_voicebank(tmp_path / "kept-out", 200.0, 'use = "development"\n')
    assert load_voicebank(tmp_path / "kept-out", bank_cache).use == "development"
    with pytest.raises(RtsepError, match="kept-out is for development only"):
        load_materials((bank_folders[0], tmp_path / "kept-out"), None, None, bank_cache)


def test_other_rates_are_resampled(tmp_path: Path) -> None:
    folder = write_voicebank(tmp_path / "bank", 200.0)
    native = load_voicebank(folder, tmp_path / "cache")
    audio, _ = soundfile.read(folder / "all.wav")
    spectrum = np.fft.rfft(audio)
    doubled = np.fft.irfft(np.pad(spectrum, (0, len(audio) + 1 - len(spectrum))), 2 * len(audio)) * 2.0
    soundfile.write(folder / "all.wav", doubled, 2 * SAMPLERATE, subtype="FLOAT")
    resampled = load_voicebank(folder, tmp_path / "cache")
    assert [s.f0_hz for s in resampled.syllables] == pytest.approx(
        [s.f0_hz for s in native.syllables], rel=1e-3
    )
    assert [replace(s, level_db=0.0, f0_hz=0.0) for s in resampled.syllables] == [
        replace(s, level_db=0.0, f0_hz=0.0) for s in native.syllables
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "syllables.csv cannot be read"),
        ("file,alias,start_s\nall.wav,a,0.1\n", "lacks vowel_start_s, end_s"),
        ("file,alias,start_s,vowel_start_s,end_s\n", "lacks syllables"),
        ("file,alias,start_s,vowel_start_s,end_s\nno.wav,a,0.1,0.2,0.5\n", "no.wav cannot be read"),
        ("file,alias,start_s,vowel_start_s,end_s\nall.wav,a,0.1,x,0.5\n", "malformed"),
        ("file,alias,start_s,vowel_start_s,end_s\nall.wav,a,0.1,0.2,0.21\n", "no syllable with a steady"),
    ],
)
def test_broken_banks(tmp_path: Path, table: str | None, message: str) -> None:
    folder = write_voicebank(tmp_path / "bank", 200.0)
    (folder / "syllables.csv").unlink()
    if table is not None:
        (folder / "syllables.csv").write_text(table)
    with pytest.raises(RtsepError, match=message):
        load_voicebank(folder, tmp_path / "cache")
