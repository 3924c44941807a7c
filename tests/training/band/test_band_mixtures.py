"""Mixtures: what is known is exactly what was mixed, and the same draw is the same mixture."""

from pathlib import Path

import numpy as np
import pytest
from helpers.stem_databases import STEMS, vocals_database, whole_database

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.mixture_settings import MixtureSettings
from rtsep.training.band.mixtures import Mixer
from rtsep.training.databases.stem_folder import SAMPLERATE

SAMPLES = 2 * SAMPLERATE


def _mixer(tmp_path: Path, **changes: object) -> Mixer:
    settings = MixtureSettings(**changes)  # type: ignore[arg-type]
    return Mixer([whole_database(tmp_path / "whole"), vocals_database(tmp_path / "vocals")], STEMS, settings)


def test_a_draw_is_the_same_mixture_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Segments of an item are one piece of music: the later one begins with the end of the earlier."""
    mixer = _mixer(tmp_path, driven=(0.0,) * 4, wet=(0.0,) * 4, changed_speed=0.0)
    for seed in range(8):
        whole = mixer.row(np.random.default_rng(seed), SAMPLES, 0)
        again = mixer.row(np.random.default_rng(seed), SAMPLES, 0)
        np.testing.assert_array_equal(whole.sources, again.sources)
    row = mixer.row(np.random.default_rng(1), SAMPLES, 0)
    later = mixer.row(np.random.default_rng(1), SAMPLES, SAMPLES)
    assert row.sources.shape == later.sources.shape == (len(STEMS) + 1, SAMPLES)
    np.testing.assert_array_equal(row.known, later.known)
    np.testing.assert_array_equal(row.curves_db, later.curves_db)


def test_a_database_teaches_only_what_it_knows(tmp_path: Path) -> None:
    """Coherent songs of the database of vocals: nothing is known of the three others, and there is a rest."""
    mixer = Mixer(
        [whole_database(tmp_path / "whole"), vocals_database(tmp_path / "vocals")], STEMS,
        MixtureSettings(random_share=0.0),
    )  # fmt: skip
    seen = set()
    for seed in range(40):
        row = mixer.row(np.random.default_rng(seed), SAMPLES, 0)
        seen.add(tuple(row.known))
        if not row.known.all():
            assert row.known.tolist() == [True, False, False, False]
            assert not row.sources[1:4].any()
            assert row.sources[4].any()
            assert row.limit_hz <= 7800.0
    assert seen == {(True,) * 4, (True, False, False, False)}


def test_a_stem_that_is_asked_for_is_known(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path)
    for seed in range(30):
        assert mixer.row(np.random.default_rng(seed), SAMPLES, 0, "bass").known[2]


def test_band_limited_vocals_limit_a_random_mixture(tmp_path: Path) -> None:
    mixer = Mixer(
        [vocals_database(tmp_path / "vocals")], ("vocals",), MixtureSettings(random_share=1.0, low_passed=0.0)
    )
    limits = {mixer.row(np.random.default_rng(seed), SAMPLES, 0).limit_hz for seed in range(30)}
    assert limits == {7800.0, np.inf}  # absent vocals limit nothing


def test_levels_are_those_that_were_asked_for(tmp_path: Path) -> None:
    mixer = _mixer(
        tmp_path, random_share=1.0, balanced_share=0.0, changed_speed=0.0, driven=(0.0,) * 4,
        wet=(0.0,) * 4, backing_share=0.0,
        absent=(0.0,) * 4, level_bass_db=(0.0, 0.0), level_drums_db=(-10.0, 0.0),
    )  # fmt: skip
    found = []
    for seed in range(20):
        sources = mixer.row(np.random.default_rng(seed), SAMPLES, 0).sources
        found.append(10 * np.log10(np.mean(sources[2] ** 2) / np.mean(sources[1] ** 2)))
    # against the rest 0 dB is half of the mixture, -10 dB an eleventh
    assert np.median(found) == pytest.approx(10 * np.log10((1 / 2) / (0.1 / 1.1)), abs=0.5)


def test_a_stem_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="no database knows drums"):
        Mixer([vocals_database(tmp_path)], ("vocals", "drums"), MixtureSettings())


def test_held_out_songs_are_never_trained_on(tmp_path: Path) -> None:
    databases = [whole_database(tmp_path / "whole")]
    trained, held = (Mixer(databases, STEMS, MixtureSettings(), held_out=h) for h in (False, True))
    assert trained._pools["drums"].songs == {"one", "two"}
    assert held._pools["bass"].songs == {"held"}
