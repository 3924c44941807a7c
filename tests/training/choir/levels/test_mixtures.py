"""Each augmentation of mixtures, alone, does what its name says; and by default all of them are on."""

from dataclasses import fields, replace

import numpy as np
import pytest

from rtsep.training.choir.equaliser import EQ_NODES_HZ
from rtsep.training.choir.levels.batches import SHARES, LevelBatches
from rtsep.training.choir.levels.mixtures import (
    ItemCache,
    MixtureAugment,
    _as_tracked,
    _equalised,
    draw_mixture,
)
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.choir.render.item import ChoirItem
from rtsep.training.loop.task import Draw

RATE = 16000
OFF = MixtureAugment(**{field.name: 0.0 for field in fields(MixtureAugment)})
LABELS = 800  # four seconds


def contours() -> np.ndarray:
    """Three voices: one glides by an octave, one holds a note, one rests in its middle."""
    glide = 200.0 * 2 ** (np.arange(LABELS) / LABELS)
    rests = np.where((np.arange(LABELS) > 300) & (np.arange(LABELS) < 500), 0.0, 530.0)
    return np.stack([glide, np.full(LABELS, 310.0), rests])


def given(seeds: int, **on: float) -> list[np.ndarray]:
    return [_as_tracked(contours(), np.random.default_rng(s), replace(OFF, **on)) for s in range(seeds)]


def test_without_augmentation_pitches_are_the_labels() -> None:
    for found in given(5):
        np.testing.assert_allclose(found, contours())


def test_late_pitches_are_the_labels_of_before() -> None:
    glide = contours()[0]
    lags = []
    for found in given(60, late=1.0, late_s=0.02):
        lag = round(float(np.log2(glide[400] / found[0, 400]) * LABELS))
        np.testing.assert_allclose(found[0, lag:], glide[: LABELS - lag])
        lags.append(lag)
    assert set(lags) == {0, 1, 2, 3, 4}  # up to 20 ms of 5


def test_missing_pitches_are_rests_of_up_to_a_second() -> None:
    for found in given(30, missing=1.0):
        gone = (found == 0) & (contours() > 0)
        assert gone[1].any()
        assert gone[1].sum() <= round(1.0 / LABEL_S)
        assert np.ptp(np.flatnonzero(gone[1])) == gone[1].sum() - 1  # in one piece
        np.testing.assert_allclose(found[~gone], contours()[~gone])


def test_wrong_pitches_are_octaves_or_other_voices() -> None:
    octaves = others = 0
    for found in given(60, wrong=1.0):
        wrong = found[1] != 310.0
        assert wrong.sum() <= round(1.0 / LABEL_S)
        octave = np.isin(found[1, wrong], (155.0, 620.0))
        octaves += octave.any()
        others += (~octave).any()
    assert octaves > 10
    assert others > 10


def test_false_voicing_holds_the_last_pitch_over_a_rest() -> None:
    for found in given(5, false_voicing=1.0):
        np.testing.assert_allclose(found[2], 530.0)


def test_detuning_wanders_within_cents() -> None:
    cents = np.concatenate([1200 * np.log2(found[1] / 310.0) for found in given(60, detune_cents=8.0)])
    assert 2.5 < np.std(cents) < 8.0  # 8 / sqrt(3) over voices whose deviation is drawn from 0..8
    assert abs(np.mean(cents)) < 1.0
    (one,) = given(1, detune_cents=8.0)
    steps = np.diff(1200 * np.log2(one[1] / 310.0))
    assert np.std(steps) < 0.5 * np.std(1200 * np.log2(one[1] / 310.0))  # slow


def levels_db(augment: MixtureAugment, seed: int) -> np.ndarray:
    """What the equaliser does at its inner nodes to white noise of ten seconds."""
    rng = np.random.default_rng(seed)
    stem = rng.standard_normal(10 * RATE).astype(np.float32)
    found = _equalised(stem, rng, RATE, augment)
    response = np.abs(np.fft.rfft(found)) / np.abs(np.fft.rfft(stem))
    return 20 * np.log10(response[np.round(10.0 * np.array(EQ_NODES_HZ[1:-1])).astype(int)])


def test_gains_move_a_voice_as_a_whole() -> None:
    found = np.array([levels_db(replace(OFF, gain_db=6.0), seed) for seed in range(40)])
    assert np.ptp(found, axis=1).max() < 0.1
    assert np.abs(found).max() <= 6.05
    assert np.std(found.mean(axis=1)) == pytest.approx(6.0 / np.sqrt(3), rel=0.3)


def test_the_equaliser_colours_a_voice() -> None:
    found = np.array([levels_db(replace(OFF, eq_db=3.0), seed) for seed in range(40)])
    assert np.std(found, axis=0) == pytest.approx(3.0, rel=0.4)
    apart = np.corrcoef(found.T)[~np.eye(found.shape[1], dtype=bool)]
    assert np.abs(apart).max() < 0.6  # each node by itself
    assert np.abs(levels_db(OFF, 0)).max() < 0.01


def item(n: int) -> ChoirItem:
    """Three voices, each a constant, at pitches that tell the item."""
    labels = (3, LABELS)
    pitches_hz = 100.0 + 10.0 * n + np.arange(1, 4)
    stems = np.repeat(0.001 * pitches_hz[:, None], 4 * RATE, axis=1).astype(np.float32)
    return ChoirItem(
        RATE, stems, np.zeros(4 * RATE, np.float32),
        np.repeat(pitches_hz[:, None], LABELS, axis=1).astype(np.float32), np.zeros(labels, np.bool_),
        np.zeros(labels, np.int8), np.zeros(labels, np.float32), {},
    )  # fmt: skip


def test_random_mixes_join_voices_of_several_items() -> None:
    cache = ItemCache([item(n) for n in range(6)], megabytes=50)

    def of_items(augment: MixtureAugment, seed: int) -> tuple[bool, int]:
        drawn = draw_mixture(cache, np.random.default_rng(seed), 2 * RATE, 3, RATE, augment)
        sung = drawn.f0_hz[:, 0][drawn.f0_hz[:, 0] > 0]
        return drawn.whole, len(set(((sung - 100.0) // 10).astype(int)))

    whole = [of_items(OFF, seed) for seed in range(10)]
    assert all(found == (True, 1) for found in whole)
    mixed = [of_items(replace(OFF, random_mix=1.0), seed) for seed in range(30)]
    assert not any(is_whole for is_whole, _ in mixed)
    assert max(count for _, count in mixed) == 3
    half = [of_items(replace(OFF, random_mix=0.5), seed)[0] for seed in range(100)]
    assert np.mean(half) == pytest.approx(0.5, abs=0.15)


def test_what_levels_are_trained_with() -> None:
    """A setting at zero is an augmentation switched off: only `tracked` is, on purpose."""
    assert [field.name for field in fields(MixtureAugment) if getattr(MixtureAugment(), field.name) <= 0] == [
        "tracked"
    ]
    # most steps at the preset of the stage, fewest where a second costs most
    assert SHARES == {5: 0.1, 11: 0.4, 21: 0.3, 43: 0.2}


def test_presets_are_drawn_by_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(LevelBatches, "at", lambda self, latency_ms, rngs: drawn.append(latency_ms))
    batches = LevelBatches([item(0)], 3, OFF)
    for step in range(1000):
        batches.draw(Draw(1, step, 0, 1))
    for latency_ms, share in ((5, 0.1), (11, 0.4), (21, 0.3), (43, 0.2)):
        assert drawn.count(latency_ms) / 1000 == pytest.approx(share, abs=0.05)
