"""The experiment grid: what each run learns from, that all cost the same, and how runs are compared."""

from pathlib import Path

import numpy as np
import pytest
from helpers.stem_databases import STEMS, manifest, sound, vocals_database, whole_database

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.grid.regimes import DISJOINT, FULL, databases_of, work
from rtsep.training.band.grid.runs import GridConfig, GridRun, band_config, grid_runs, task_of
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, SIMULTANEOUS
from rtsep.training.band.task import ONE, PER_STEM
from rtsep.training.databases.stem_folder import REST, StemFolder, StemWriter
from rtsep.training.evaluation.bands.grid_table import differences


def rendered(folder: Path) -> StemFolder:
    """Two performances each of four songs without a singer."""
    names = [f"song{n}-{k}" for n in range(4) for k in (1, 2)]
    writer = StemWriter(folder, manifest("rendered", STEMS, held_out=()))
    for seed, name in enumerate(names):
        writer.add(name, {stem: sound(stem, seed) for stem in STEMS if stem != "vocals"})
    return StemFolder(folder)


@pytest.fixture
def databases(tmp_path: Path) -> list[StemFolder]:
    return [
        whole_database(tmp_path / "whole"),
        vocals_database(tmp_path / "vocals"),
        rendered(tmp_path / "rendered"),
    ]


def test_disjoint_databases_know_one_stem_each_and_share_no_song(databases: list[StemFolder]) -> None:
    parts = databases_of(DISJOINT, databases, STEMS)
    taught = [(part.manifest.known, {work(song.name) for song in part.songs}) for part in parts]
    assert all(len(known) == 1 for known, _ in taught)
    assert {known[0] for known, _ in taught} == set(STEMS)
    for place, (_, songs) in enumerate(taught):
        for _, others in taught[place + 1 :]:
            assert not songs & others


def test_what_a_disjoint_database_does_not_know_is_the_unknown_rest(databases: list[StemFolder]) -> None:
    """The mixture stays the song: nothing of it is left out, most of it is not told apart."""
    parts = databases_of(DISJOINT, databases, STEMS)
    drums = next(part for part in parts if part.manifest.known == ("drums",))
    for song in drums.songs:
        assert set(song.files) >= {"drums", "bass", "other"}
    config = GridConfig()
    run = GridRun(SIMULTANEOUS, DISJOINT, 1)
    mixer = task_of(run, config, databases, STEMS)._mixer
    for seed in range(20):
        row = mixer.row(np.random.default_rng(seed), 24000, 0)
        assert row.known.sum() == 1
        assert np.any(row.sources[-1]), "the rest of the song sounds"


def test_full_databases_know_every_stem_of_every_mixture(databases: list[StemFolder]) -> None:
    mixer = task_of(GridRun(INTERLEAVED, FULL, 1), GridConfig(), databases, STEMS)._mixer
    for seed in range(20):
        row = mixer.row(np.random.default_rng(seed), 24000, 0)
        assert row.known.all()
    assert any(REST in song.files for song in databases[1].songs)  # which is why it lends its stems only


def test_all_runs_cost_the_same_and_differ_in_what_they_say() -> None:
    config = GridConfig(seeds=2, processor_minutes=5.0, step_s=(0.4, 0.6, 0.4))
    runs = grid_runs(config)
    assert len(runs) == len({run.name for run in runs}) == 16
    for run in runs:
        step_s = {INTERLEAVED: 0.4, SIMULTANEOUS: 0.6, INDEPENDENT: 0.4}[run.mode]
        steps = band_config(run, config).fit.steps
        assert steps is not None
        assert steps % (4 * config.band.hold) == 0
        assert steps * step_s == pytest.approx(300.0, abs=2 * 4 * config.band.hold * step_s)
        assert band_config(run, config).fit.seed == run.seed
    assert {run.moments for run in runs} == {ONE, PER_STEM}
    assert all(run.mode == INTERLEAVED for run in runs if run.moments == PER_STEM)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(RtsepError, match="processor_minutes = 0 is not above 0"):
        GridConfig(processor_minutes=0)
    with pytest.raises(RtsepError, match="are no times"):
        GridConfig(step_s=(0.4, 0.0, 0.4))


def test_differences_are_of_the_same_song_and_seed() -> None:
    """Interleaved is 1 dB better in every song, though the songs differ by far more."""
    names = [f"song-{k}" for k in range(7)]

    def scored(mode: str, seed: int, more: float) -> tuple[GridRun, dict[str, object]]:
        songs = {
            name: {"vocals": {"improvement_db": 5.0 * k + seed + more, "sir_db": None, "sdr_db": None}}
            for k, name in enumerate(names)
        }
        return GridRun(mode, FULL, seed), {"raw": songs}

    pairs = [
        scored(mode, seed, more)
        for seed in (1, 2)
        for mode, more in ((INTERLEAVED, 1.0), (SIMULTANEOUS, 0.0), (INDEPENDENT, 0.0))
    ]
    found = differences(dict(pairs))
    row = next(
        r for r in found if r["second"] == (SIMULTANEOUS, ONE) and r["first"] == (INTERLEAVED, ONE)
        and (r["stem"], r["measure"]) == ("vocals", "improvement_db")
    )  # fmt: skip
    assert row["difference_db"] == pytest.approx(1.0)
    assert row["interval_db"] == pytest.approx((1.0, 1.0))
    assert row["by_seed_db"] == pytest.approx([1.0, 1.0])
    assert row["songs"] == 7
