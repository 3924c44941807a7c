"""Three ways to train: what learns in a step, what stays as it is to the bit, and that runs go on."""

import dataclasses
from pathlib import Path

import pytest
import torch
from helpers.stem_databases import STEMS, vocals_database, whole_database
from torch import Tensor

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.band_config import PER_STEM, BandConfig
from rtsep.training.band.moments import MomentsPerTask
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, MODES, SIMULTANEOUS
from rtsep.training.band.task import BandTask
from rtsep.training.loop import checkpoint
from rtsep.training.loop.fit import fit
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Draw

FIT = FitSettings(
    steps=4,
    batch=2,
    learning_rate=1e-3,
    final_learning_rate=1e-3,
    warmup_steps=0,
    weight_decay=0.01,
    checkpoint_every=1,
    validate_every=0,
)


def _task(folder: Path, mode: str, **changes: object) -> BandTask:
    fields: dict[str, object] = {
        "mode": mode, "seconds": 1, "hold": 2, "validation_rows": 2, "validation_s": 2.0, "fit": FIT,
    }  # fmt: skip
    config = BandConfig(**fields | changes)  # type: ignore[arg-type]
    return BandTask([whole_database(folder / "whole"), vocals_database(folder / "vocals")], STEMS, config)


def _weights(task: BandTask) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.module.named_parameters()}


def _changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Parts of the model of which a bit has changed: an encoder, or the decoder of a stem."""
    return {
        ".".join(name.split(".")[:2]) for name, value in after.items() if not torch.equal(value, before[name])
    }


def _run(task: BandTask, folder: Path, steps: int) -> None:
    fit(task, dataclasses.replace(task.config.fit, steps=steps), folder, messages=None)


@pytest.mark.parametrize("moments", ["one", PER_STEM])
def test_interleaved_learns_the_encoder_and_one_decoder_a_step(tmp_path: Path, moments: str) -> None:
    """The others stay as they are to the bit, weight decay and averages of gradients included."""
    task = _task(tmp_path, INTERLEAVED, encoder_moments=moments, hold=1)
    learnt = []
    for step in range(8):
        before = _weights(task)
        _run(task, tmp_path / "run", step + 1)
        changed = _changed(before, _weights(task))
        decoders = {part for part in changed if part.startswith("decoders.")}
        assert changed - decoders == {"encoders.0"}
        assert len(decoders) == 1
        learnt.append(decoders.pop())
    for turn in (learnt[:4], learnt[4:]):  # each stem once in every round
        assert set(turn) == {f"decoders.{stem}" for stem in STEMS}


def test_simultaneous_learns_all_at_once(tmp_path: Path) -> None:
    task = _task(tmp_path, SIMULTANEOUS)
    before = _weights(task)
    _run(task, tmp_path / "run", 1)
    assert _changed(before, _weights(task)) == {"encoders.0", *(f"decoders.{stem}" for stem in STEMS)}


def test_independent_networks_share_nothing(tmp_path: Path) -> None:
    task = _task(tmp_path, INDEPENDENT)
    stems = list(STEMS)
    for step in range(4):
        before = _weights(task)
        stem = task.batch(Draw(FIT.seed, step, 0, 2))["stem"]
        _run(task, tmp_path / "run", step + 1)
        assert _changed(before, _weights(task)) == {f"encoders.{stem}", f"decoders.{stems[stem]}"}


@pytest.mark.parametrize("mode", [INTERLEAVED, INDEPENDENT])
def test_a_step_hears_databases_that_know_its_stem(tmp_path: Path, mode: str) -> None:
    task = _task(tmp_path, mode, mixtures=dataclasses.replace(BandConfig().mixtures, random_share=0.0))
    for step in range(12):
        batch = task.batch(Draw(FIT.seed, step, 0, 2))
        assert batch["known"][:, batch["stem"]].all()


@pytest.mark.parametrize("mode", MODES)
def test_a_run_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path, mode: str) -> None:
    _run(_task(tmp_path, mode, encoder_moments=PER_STEM), tmp_path / "whole", 4)
    _run(_task(tmp_path, mode, encoder_moments=PER_STEM), tmp_path / "parts", 3)
    _run(_task(tmp_path, mode, encoder_moments=PER_STEM), tmp_path / "parts", 4)
    whole, parts = (checkpoint.load(tmp_path / run / checkpoint.LAST) for run in ("whole", "parts"))
    # a run that ends is validated there, so the one in parts has looked once more for its best
    assert parts["best_score"] >= whole["best_score"]
    same = {"elapsed_s": 0.0, "best_score": 0.0}
    torch.testing.assert_close({**parts, **same}, {**whole, **same}, rtol=0.0, atol=0.0)


def test_statistics_freeze(tmp_path: Path) -> None:
    """Every band's level is measured in the first steps, and then stays, whatever database comes."""
    task = _task(tmp_path, SIMULTANEOUS, statistics_steps=2)
    (encoder,) = task.module.each_encoder()
    seen = [encoder.mean.clone()]
    for step in range(4):
        _run(task, tmp_path / "run", step + 1)
        seen.append(encoder.mean.clone())
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    torch.testing.assert_close(seen[2:], [seen[2]] * 3, rtol=0.0, atol=0.0)


def test_moments_per_task_are_those_of_an_adam_per_task() -> None:
    """Against one Adam per task, on gradients of very different sizes."""
    torch.manual_seed(0)
    start = torch.randn(5)
    own = [torch.nn.Parameter(start.clone()) for _ in range(2)]
    apart = [torch.optim.AdamW([p], lr=0.1, weight_decay=0.01) for p in own]
    shared = torch.nn.Parameter(start.clone())
    together = MomentsPerTask([shared], [shared], 2, lr=0.1, weight_decay=0.01)
    for step in range(9):
        task = step % 2
        gradient = torch.randn(5) * (1.0, 100.0)[task]
        with torch.no_grad():
            own[task].copy_(shared)
        own[task].grad = gradient.clone()
        apart[task].step()
        together.select(task)
        shared.grad = gradient.clone()
        together.step()
        torch.testing.assert_close(shared, own[task], rtol=0.0, atol=0.0)


def test_validation_scores_every_stem(tmp_path: Path) -> None:
    task = _task(tmp_path, SIMULTANEOUS)
    task.module.eval()
    with torch.no_grad():
        measures = task.validate(task.module)
        assert measures == task.validate(task.module)
    assert set(measures) == {"score", *(f"{stem}_db" for stem in STEMS)}


@pytest.mark.parametrize(
    "changes", [{"mode": "both"}, {"encoder_moments": "two"}, {"presets": (0.0, 0.0, 0.0, 0.0)}, {"hold": 0}]
)
def test_bad_settings_are_one_line(changes: dict[str, object]) -> None:
    with pytest.raises(RtsepError):
        BandConfig(**changes)  # type: ignore[arg-type]
