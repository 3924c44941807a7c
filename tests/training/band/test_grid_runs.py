"""The grid: what every run learns from, that all cost the same, and that it goes on where it was."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.stem_databases import STEMS, manifest, sound, vocals_database, whole_database

from rtsep.training.band.band_config import BandConfig
from rtsep.training.band.grid.regimes import DISJOINT, FULL, databases_of
from rtsep.training.band.grid.runs import (
    RECORD,
    GridConfig,
    GridRun,
    band_config,
    finished,
    grid_runs,
    task_of,
    train,
)
from rtsep.training.band.mixture_settings import MixtureSettings
from rtsep.training.band.mixtures import Mixer
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, MODES, SIMULTANEOUS
from rtsep.training.databases.stem_folder import SAMPLERATE, StemFolder, StemWriter
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Draw

WITHOUT_VOCALS = ("drums", "bass", "other")


def _rendered(folder: Path) -> StemFolder:
    """Two performances of six songs without a singer, all stems known, one song held out."""
    names = [f"{song}-{k}" for k in (1, 2) for song in ("a", "b", "c", "d", "e", "f")]
    held = tuple(name for name in names if name[0] == "a")
    writer = StemWriter(folder, manifest("songs", STEMS, rest=(), held_out=held))
    for seed, name in enumerate(names):
        writer.add(name, {stem: sound(stem, seed, 4) for stem in WITHOUT_VOCALS})
    return StemFolder(folder)


def _databases(folder: Path) -> list[StemFolder]:
    return [
        whole_database(folder / "whole"),
        vocals_database(folder / "vocals"),
        _rendered(folder / "songs"),
    ]


def _config(**changes: object) -> GridConfig:
    fit = FitSettings(steps=1, batch=2, warmup_steps=0, checkpoint_every=1)
    band = BandConfig(seconds=1, hold=1, validation_rows=4, validation_s=2.0, fit=fit)
    return dataclasses.replace(GridConfig(band=band), **changes)  # type: ignore[arg-type]


def test_disjoint_databases_know_one_stem_and_share_no_song(tmp_path: Path) -> None:
    found = databases_of(DISJOINT, _databases(tmp_path), STEMS)
    assert [d.manifest.known for d in found] == [("vocals",), ("vocals",), ("drums",), ("bass",), ("other",)]
    split = [{song.name[0] for song in (*d.songs, *d.held_out)} for d in found[2:]]
    assert split == [{"a", "d"}, {"b", "e"}, {"c", "f"}]  # performances of a song stay together
    for database in found:
        assert not set(database.manifest.known) & set(database.manifest.rest)
    assert set(found[0].manifest.rest) == {"drums", "bass", "other"}
    assert "vocals" not in found[2].manifest.rest  # nobody sings there


def test_disjoint_mixtures_tell_one_stem_and_are_all_there(tmp_path: Path) -> None:
    """What is hidden still sounds, in the rest."""
    databases = databases_of(DISJOINT, _databases(tmp_path), STEMS)
    # nothing to learn bass from but the songs of `bass`
    mixer = Mixer(databases, STEMS, MixtureSettings(random_share=0.0, borrowed_vocals=1.0))
    told = set()
    for seed in range(40):
        row = mixer.row(np.random.default_rng(seed), SAMPLERATE, 0)
        assert row.known.sum() == 1
        told.add(int(np.flatnonzero(row.known)[0]))
        assert not row.sources[:4][~row.known].any()
        assert row.sources[4].any()
    assert told == {0, 1, 2, 3}


def test_a_borrowed_singer_is_in_the_rest_where_vocals_are_unknown(tmp_path: Path) -> None:
    """The test's singers are the only tones above 250 Hz beside noise."""
    databases = [
        d for d in databases_of(DISJOINT, _databases(tmp_path), STEMS) if d.manifest.known != ("other",)
    ]
    rests = []
    for borrowed in (0.0, 1.0):
        settings = MixtureSettings(random_share=0.0, borrowed_vocals=borrowed)
        mixer = Mixer(databases, ("vocals", "drums", "bass"), settings)
        rows = [mixer.row(np.random.default_rng(seed), SAMPLERATE, 0, "drums") for seed in range(12)]
        rests.append(np.array([np.mean(row.sources[-1] ** 2) for row in rows]))
        assert not any(row.sources[0].any() for row in rows)
    assert np.median(rests[1] / rests[0]) > 1.0


def test_full_databases_know_every_stem_of_every_mixture(tmp_path: Path) -> None:
    mixer = Mixer(databases_of(FULL, _databases(tmp_path), STEMS), STEMS, MixtureSettings())
    for seed in range(40):
        assert mixer.row(np.random.default_rng(seed), SAMPLERATE, 0).known.all()


def test_runs_are_all_pairs_with_every_seed_and_cost_the_same() -> None:
    config = GridConfig(seeds=2, processor_minutes=5.0, step_s=(0.4, 0.8, 0.4))
    runs = grid_runs(config)
    assert len({run.name for run in runs}) == len(runs) == 2 * (2 * 3 + 2)
    for run in runs:
        cost = run.steps(config) * config.step_s[MODES.index(run.mode)]
        assert cost == pytest.approx(300.0, rel=0.02)
        assert run.steps(config) % (4 * config.band.hold) == 0
        made = band_config(run, config)
        assert (made.mode, made.encoder_moments, made.fit.seed) == (run.mode, run.moments, run.seed)
        assert (made.mixtures.random_share == 0.0) == (run.regime == DISJOINT)


@pytest.mark.parametrize("mode", [INTERLEAVED, SIMULTANEOUS, INDEPENDENT])
def test_a_run_is_made_once_and_says_what_it_took(tmp_path: Path, mode: str) -> None:
    config = _config(processor_minutes=0.02)
    run = GridRun(mode, DISJOINT, 1)
    assert not finished(run, tmp_path)
    times = iter((10.0, 12.5))
    record = train(run, config, _databases(tmp_path), STEMS, tmp_path, lambda: next(times))
    assert finished(run, tmp_path)
    assert json.loads((tmp_path / run.name / RECORD).read_text()) == record
    assert record["processor_s"] == 2.5
    assert record["steps"] == run.steps(config)
    updates = run.steps(config) // (1 if mode == SIMULTANEOUS else 4)
    assert record["updates_per_decoder"] == updates


def test_a_step_of_one_stem_sees_that_stem(tmp_path: Path) -> None:
    """Powers of a stem by itself are those of the stem among all, and the mixture is the same."""
    task = task_of(GridRun(INTERLEAVED, FULL, 1), _config(), _databases(tmp_path), STEMS)
    rng = Draw(1, 0, 0, 1).rng("mixture", 0)
    rows = [task._mixer.row(rng, 2 * SAMPLERATE, 0)]
    every = task._seen(rows, 43)["powers"]
    for stem in range(4):
        one = task._seen(rows, 43, stem)["powers"]
        for power in (2, 3):
            np.testing.assert_allclose(one[power][:, 0], every[power][:, stem], rtol=1e-3, atol=1e-8)
        np.testing.assert_allclose(one[0], every[0], atol=1e-2)
