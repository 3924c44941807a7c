"""Recipes of the source-filter network: voices where their stems are, losses that fall, drawn mixtures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.weights_only import without_onnx

from rtsep.kernels.errors import RtsepError
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.training.choir.levels.batches import LevelBatches, MaskedVoices
from rtsep.training.choir.levels.mixtures import ItemCache, MixtureAugment, draw_mixture, f0_at
from rtsep.training.choir.levels.recipes import LevelsConfig, level_task
from rtsep.training.choir.render.dataset import write_item
from rtsep.training.choir.render.item import ChoirItem
from rtsep.training.commands.choir import command
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Draw
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.measures.si_sdr import si_sdr_db

PLAIN = MixtureAugment(0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0)


def item(index: int, voices: int = 2) -> ChoirItem:
    """Eight seconds of harmonic tones with a slow tremolo."""
    t = np.arange(8 * SAMPLERATE) / SAMPLERATE
    f0 = np.array([392.0, 220.0, 147.0, 98.0])[:voices] * 2 ** (index / 12)
    stems = [
        sum(0.05 / k * np.sin(2 * np.pi * k * f * t + k * n) for k in range(1, 10))
        * (1 + 0.3 * np.sin(3 * t + n))
        for n, f in enumerate(f0)
    ]
    labels = (voices, len(t) // 80)
    return ChoirItem(
        SAMPLERATE, np.array(stems, np.float32), np.zeros(len(t), np.float32),
        np.broadcast_to(f0[:, None], labels).astype(np.float32), np.zeros(labels, np.bool_),
        np.zeros(labels, np.int8), np.full(labels, -25.0, np.float32), {"index": index},
    )  # fmt: skip


ITEMS = [item(i) for i in range(4)]


def config(**fit: float) -> LevelsConfig:
    return LevelsConfig(
        FitSettings(steps=4, batch=2, warmup_steps=1, **fit),  # type: ignore[arg-type]
        PLAIN, latencies_ms=(43,), hidden=16,
    )  # fmt: skip


@pytest.mark.parametrize("latency_ms", [5, 11, 21, 43])
def test_masks_of_one_give_the_mixture_back(latency_ms: int) -> None:
    """Sample n of a voice is sample n of the mixture: stems and estimates are aligned."""
    batch = LevelBatches(ITEMS, 2, PLAIN, (latency_ms,)).at(latency_ms, [np.random.default_rng(1)])
    masked = MaskedVoices(latency_ms)
    ones = torch.ones(batch.spectrum.shape[0], 1, batch.spectrum.shape[1])
    whole = masked.voices(batch.spectrum, ones, 1)[0, 0]
    torch.testing.assert_close(whole, batch.mixture[0, : whole.numel()], atol=1e-5, rtol=0.0)
    torch.testing.assert_close(batch.stems.sum(dim=1), batch.mixture, atol=1e-6, rtol=0.0)


def test_untrained_levels_read_off_the_mixture_separate() -> None:
    torch.manual_seed(0)
    task = level_task("masks", ITEMS, config())
    batch = task.batch(Draw(1, 0, 0, 2))
    with torch.no_grad():
        found = task.estimates(batch)  # type: ignore[union-attr]
    settled = slice(SAMPLERATE, found.shape[-1])
    ratio_db = si_sdr_db(batch.stems[:, :2, settled], found[:, :2, settled])
    assert np.nanmin(ratio_db) > 10.0


@pytest.mark.parametrize("recipe", ["unsupervised", "solo", "masks"])
def test_a_few_steps_lower_the_loss_of_their_batch(recipe: str) -> None:
    torch.manual_seed(0)
    task = level_task(recipe, ITEMS, config())
    batch = task.batch(Draw(1, 0, 0, 2))
    optimizer = torch.optim.Adam(task.module.parameters(), lr=3e-3)
    losses = []
    for _ in range(5):
        torch.manual_seed(1)  # the synthesis draws noise
        loss, _, _ = task.loss(task.module, batch, ())
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in task.module.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.01


def test_a_step_is_the_same_whoever_draws_it() -> None:
    task = level_task("masks", ITEMS, config())
    both, second = task.batch(Draw(3, 5, 0, 2)), task.batch(Draw(3, 5, 1, 1))
    torch.testing.assert_close(both.mixture[1], second.mixture[0])


def test_augmented_pitches_are_near_missing_or_marked_errors() -> None:
    cache = ItemCache(ITEMS, megabytes=50)
    deviations = []
    for seed in range(40):
        drawn = draw_mixture(
            cache, np.random.default_rng(seed), 3 * SAMPLERATE, 2, SAMPLERATE, MixtureAugment()
        )
        assert np.abs(drawn.mixture).max() <= 10 ** (-1 / 20) + 1e-6
        true_hz = [f for i in ITEMS for f in i.f0_hz[:, 0]]
        voiced = drawn.f0_hz[drawn.f0_hz > 0]
        nearest = np.min(np.abs(1200 * np.log2(voiced[:, None] / np.array(true_hz))), axis=1)
        deviations.append(nearest)
    cents = np.concatenate(deviations)
    assert 1.0 < np.median(cents) < 10.0
    assert np.mean(cents < 40.0) > 0.93


def test_f0_between_labels_glides_and_keeps_rests() -> None:
    labels = np.array([[200.0, 202.0, 0.0, 300.0, 400.0]])
    found = f0_at(labels, np.array([0.0, 0.0025, 0.006, 0.009, 0.0151, 0.0199]))[0]
    np.testing.assert_allclose(found, [200.0, np.sqrt(200 * 202), 202.0, 0.0, 300.0, 400.0], rtol=1e-3)


def test_the_command_trains_resumes_and_writes_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, settings = tmp_path / "data", tmp_path / "run", tmp_path / "levels.toml"
    data.mkdir()
    for index, choir in enumerate(ITEMS):
        write_item(data, index, choir)
    settings.write_text("latencies_ms = [43]\nhidden = 16\n[fit]\nsteps = 2\nbatch = 2\n")
    arguments = ["--recipe", "solo", "--data", str(data), "--out", str(out), "--config", str(settings)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    OnnxStep(out / "levels.onnx")
    without_onnx(monkeypatch)
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0  # it finds the first one done
    for name in ("levels.onnx", "levels.safetensors", "levels.json", "last.pt"):
        assert (out / name).exists()
    masks = [
        *arguments[:1],
        "masks",
        *arguments[2:5],
        str(tmp_path / "next"),
        *arguments[6:],
        "--start",
        str(out),
    ]
    assert CliRunner().invoke(command, masks, catch_exceptions=False).exit_code == 0


def test_too_few_items_are_refused() -> None:
    with pytest.raises(RtsepError, match="too few"):
        level_task("masks", ITEMS[:1], config())


def test_pitches_as_the_tracker_finds_them() -> None:
    """Its slots go to the voices they follow, and what it says stands where labels would."""
    items = [item(index, voices=4) for index in range(2)]
    exact = LevelBatches(items, 4, PLAIN).at(43, [np.random.default_rng(1)])
    tracked = LevelBatches(items, 4, replace(PLAIN, tracked=1.0)).at(43, [np.random.default_rng(1)])
    np.testing.assert_array_equal(exact.stems, tracked.stems)
    truth, found = (batch.inputs.f0_hz[0].numpy() for batch in (exact, tracked))
    settled = slice(len(truth) // 4, None)
    cents = 1200.0 * np.abs(np.log2(np.maximum(found, 1.0) / truth))[settled]
    assert (np.median(cents, axis=0) < 10.0).all()
    assert not np.array_equal(truth, found)
    order = np.argsort(-truth[-1])
    assert order.tolist() != [0, 1, 2, 3]  # stems are not in the order of pitch: slots had to be found


def test_a_mixture_of_fewer_voices_keeps_its_labels() -> None:
    items = [item(index) for index in range(2)]  # two voices of four
    exact, tracked = (
        LevelBatches(items, 4, replace(PLAIN, tracked=share)).at(21, [np.random.default_rng(2)])
        for share in (0.0, 1.0)
    )
    np.testing.assert_array_equal(exact.inputs.f0_hz, tracked.inputs.f0_hz)
