"""The golden table: every shipped model does today what it did when the table was written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_band import write_band

from rtsep.bench import golden
from rtsep.bench.golden import Row, band_rows, choir_clip, differences, read_table, write_table
from rtsep.bench.golden_band import band_clip
from rtsep.kernels.errors import RtsepError
from rtsep.models.card import FAMILIES
from rtsep.models.registry import find_model, shipped_models

TABLE = Path(__file__).parent / "golden.csv"
ROW = Row("choir", 11, "tracked", "voice-1", 3.0, 300, 290)


def test_every_shipped_model_at_every_preset_gives_the_stored_numbers() -> None:
    """After a change that is meant: `python -m rtsep.bench.golden --write`."""
    assert differences(read_table(TABLE), golden.measure()) == []


def test_the_table_holds_every_model_and_preset() -> None:
    rows = read_table(TABLE)
    expected = {
        (model.card.name, latency_ms)
        for model in shipped_models().values()
        for latency_ms in golden.presets(model)
    }
    assert {(row.model, row.latency_ms) for row in rows} == expected
    assert len({row.case for row in rows}) == len(rows)


def test_the_clip_is_a_change_of_chords() -> None:
    clip = choir_clip()
    assert clip.voices.shape == (4, round(golden.CLIP_S * golden.SAMPLERATE))
    for contour in clip.f0_hz.T[[0, 2]]:  # the table would not see a tracker that never moves
        assert (contour == 0).any()
    assert np.abs(clip.voices).max(axis=1).min() > 0.01


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (replace(ROW, si_sdr_db=3.06), "SI-SDR"),
        (replace(ROW, si_sdr_db=2.94), "SI-SDR"),
        (replace(ROW, si_sdr_db=float("nan")), "SI-SDR"),
        (replace(ROW, reported=303), "reported"),
        (replace(ROW, right=287), "right"),
        (replace(ROW, stem="voice-2"), "no longer there"),
    ],
)
def test_a_difference_beyond_its_tolerance_is_told(changed: Row, word: str) -> None:
    assert any(word in line for line in differences([ROW], [changed]))


def test_rounding_is_no_difference() -> None:
    assert differences([ROW], [replace(ROW, si_sdr_db=3.04, reported=302, right=288)]) == []


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [ROW, replace(ROW, stem="voice-2", si_sdr_db=-1.234)]
    write_table(tmp_path / "table.csv", rows)
    assert read_table(tmp_path / "table.csv") == rows


def test_a_family_without_a_clip_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "FAMILY_ROWS", {})
    with pytest.raises(RtsepError, match=r"family (band|choir)"):
        golden.measure()
    assert "choir" in FAMILIES


def test_a_band_has_a_row_per_stem_and_no_pitch(tmp_path: Path) -> None:
    model = find_model(str(write_band(tmp_path / "open", ("drums", "vocals"), opened=True)))
    rows = list(band_rows(model, 11))
    assert [(row.stem, row.pitches, row.reported, row.right) for row in rows] == [
        ("drums", "none", 0, 0),
        ("vocals", "none", 0, 0),
    ]
    # Every stem of an open model is the mixture: four stems of the same power, 1 : 3.
    assert [row.si_sdr_db for row in rows] == pytest.approx([10 * np.log10(1 / 3)] * 2, abs=1.0)
    unknown = find_model(str(write_band(tmp_path / "tuba", ("tuba",), opened=True)))
    with pytest.raises(RtsepError, match="model tuba has tuba"):
        list(band_rows(unknown, 11))


def test_the_band_s_clip_is_four_stems_of_one_level() -> None:
    clip = band_clip(16000, 2.0)
    assert tuple(clip) == ("vocals", "drums", "bass", "other")
    for stem in clip.values():
        assert stem.shape == (32000,)
        assert 10 * np.log10(np.mean(stem**2)) == pytest.approx(-26, abs=0.1)
