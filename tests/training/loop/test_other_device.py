"""Every training task learns and validates on a device that is not the CPU, and finds there what it finds on
the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.other_device import ELSEWHERE, Elsewhere, other_device
from helpers.rendered_fixture import write_choirs
from helpers.stem_databases import STEMS, whole_database

from rtsep.models.card import TRACKER
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.rt.hop.presets import Preset
from rtsep.training.band.band_config import BandConfig
from rtsep.training.band.task import BandTask
from rtsep.training.baselines import unet_task
from rtsep.training.choir.adapt import judge
from rtsep.training.choir.adapt.rehearsal import Rehearsal
from rtsep.training.choir.adapt.task import AdaptTask
from rtsep.training.choir.levels import recipes as level_recipes
from rtsep.training.choir.levels.mixtures import MixtureAugment
from rtsep.training.choir.levels.recipes import LevelsConfig, level_task
from rtsep.training.choir.levels.stream import hop_pitches
from rtsep.training.choir.pitch.task import PitchConfig, PitchTask
from rtsep.training.choir.render.dataset import ChoirFolder
from rtsep.training.files.model_files import write_network
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Draw, Task
from rtsep.training.measures.protocol import SAMPLERATE

LATENCY_MS = 43  # the longest hop: least work
ITEMS = 4
REHEARSAL_S = 24  # shorter than a user's may be, and just long enough to have something to judge by


@pytest.fixture(scope="module")
def choirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choirs")
    write_choirs(folder, ITEMS, seconds=6.0)
    return folder


def levels(recipe: str) -> Callable[[Path, pytest.MonkeyPatch], Task]:
    def task(choirs: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
        monkeypatch.setattr(level_recipes, "VALIDATION_STREAMS", 1)
        config = LevelsConfig(FitSettings(steps=1, batch=2), MixtureAugment(), (LATENCY_MS,), hidden=8)
        return level_task(recipe, ChoirFolder(choirs), config)

    return task


def tracker(choirs: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    config = PitchConfig(frames=16, held_out=1, fit=FitSettings(steps=1, batch=2))
    return PitchTask(ChoirFolder(choirs), config)


def unet(choirs: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(unet_task, "HELD_OUT", 1)
    return unet_task.UNetTask(choirs)


def adaptation(choirs: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    items = [ChoirFolder(choirs)[index] for index in range(ITEMS)]
    monkeypatch.setattr(judge, "REMIXES", 1)  # of which each is judged hop by hop
    stems = np.concatenate([item.stems for item in items], axis=1)[:, : REHEARSAL_S * SAMPLERATE]
    labels_hz = np.concatenate([item.f0_hz for item in items], axis=1)[:, : REHEARSAL_S * 200]
    labels_hz = labels_hz.astype(np.float64)
    pitches_hz = hop_pitches(labels_hz, stems.shape[1], LATENCY_MS).astype(np.float32)
    assert len(pitches_hz) == stems.shape[1] // Preset(SAMPLERATE, LATENCY_MS).hop
    heard = Rehearsal(
        np.asarray(stems.sum(axis=0)),
        {LATENCY_MS: pitches_hz},
        0.9 * stems,
        labels_hz,
        0.95 * stems,
        "0" * 64,
    )
    torch.manual_seed(1)
    return AdaptTask(SourceFilterNet(2, 8), heard, (LATENCY_MS,), seed=1)


def band(choirs: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    config = BandConfig(
        mode="simultaneous", bfloat16=False, seconds=1, hold=1, validation_rows=2, validation_s=2.0,
        fit=FitSettings(steps=1, batch=2),
    )  # fmt: skip
    return BandTask([whole_database(choirs.parent / "stems")], STEMS, config)


TASKS = {
    "band": band,
    "unsupervised": levels("unsupervised"),
    "solo": levels("solo"),
    "masks": levels("masks"),
    "tracker": tracker,
    "unet": unet,
    "adaptation": adaptation,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_task_gives_the_same_on_another_device(
    name: str, choirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TASKS[name](choirs, monkeypatch)
    module = task.module.eval()  # dropout draws as many numbers as there are, wherever they are
    draw = Draw(1, 0, 0, 2)

    def step(move: Callable[[Any], Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        torch.manual_seed(1)
        module.zero_grad()
        loss, logs, carried = task.loss(module, move(task.batch(draw)), move(task.carried(2)))
        loss.backward()
        told = (loss, *logs.values(), *carried)
        where = {value.device for value in told if isinstance(value, torch.Tensor)}
        assert where == {next(module.parameters()).device}
        found = {key: p.grad.cpu().clone() for key, p in module.named_parameters() if p.grad is not None}
        assert all(torch.isfinite(gradient).all() for gradient in found.values())
        return loss.detach().cpu(), found

    here, learnt = step(lambda what: what)
    with torch.no_grad():
        measured = task.validate(module)
    with other_device() as move:
        move(module)
        assert next(module.parameters()).device == ELSEWHERE
        there, learnt_there = step(move)
        with torch.no_grad():
            measured_there = task.validate(module)
    torch.testing.assert_close(there, here)
    assert sorted(learnt_there) == sorted(learnt)
    assert learnt
    for key, gradient in learnt.items():
        # As one vector: the logarithm of a bin at its floor turns by rounding, 8e-5 of a gradient in all.
        apart = torch.linalg.vector_norm(learnt_there[key] - gradient)
        assert apart <= 1e-3 * torch.linalg.vector_norm(gradient), key
    assert measured_there == pytest.approx(measured, rel=1e-4, abs=1e-4, nan_ok=True)


def test_a_network_is_written_from_where_it_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = PitchNet()
    with other_device() as move:
        move(net)
    card = write_network(
        net, tmp_path, "pitch", role=TRACKER, architecture="pitch-net", config={},
        latency_presets_ms=(11,), seed=1, recipe="test",
    )  # fmt: skip
    assert card.parameters == sum(p.numel() for p in net.parameters())
    assert next(net.parameters()).device.type == "cpu"


def test_gradients_of_complex_products_are_those_of_the_cpu() -> None:
    """They hold conjugates, of which torch keeps a mark only."""
    torch.manual_seed(1)
    values = [torch.randn(5, dtype=torch.complex64) for _ in range(2)]

    def gradients(move: Callable[[Any], Any]) -> list[torch.Tensor]:
        a, b = (move(value.clone()).requires_grad_() for value in values)
        ((a / b).abs().sum() + (a * b.conj()).imag.square().sum()).backward()
        return [found.grad.cpu() for found in (a, b)]

    here = gradients(lambda what: what)
    with other_device() as move:
        there = gradients(move)
        assert torch.equal(move(values[0]).conj().imag.cpu(), -values[0].imag)
    torch.testing.assert_close(there, here)


def test_the_other_device_refuses_what_a_gpu_refuses() -> None:
    with other_device() as move:
        there = move(torch.ones(3))
        assert isinstance(there, Elsewhere)
        assert isinstance(torch.arange(3, device=there.device) * there, Elsewhere)
        assert not isinstance(there.cpu(), Elsewhere)
        for wrong in (
            lambda: there * torch.arange(3),
            lambda: torch.ones(3, 3) @ there,
            lambda: there.numpy(),
        ):
            with pytest.raises(RuntimeError):
                wrong()
