"""A run is the same however often it is stopped and over however many processes it is spread."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.tiny_task import SETTINGS, SumTask

from rtsep.kernels.errors import RtsepError
from rtsep.rt.stop import Stopped
from rtsep.training.loop import checkpoint
from rtsep.training.loop.fit import BROKEN_STEPS, Fitted, fit
from rtsep.training.loop.settings import FitSettings


def run(folder: Path, task: SumTask | None = None, **changes: object) -> tuple[SumTask, Fitted]:
    task = task or SumTask()
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return task, fit(task, settings, folder, messages=None)


def assert_same(found: dict[str, object], expected: dict[str, object]) -> None:
    """Checkpoints equal to the bit, but for the clock."""
    torch.testing.assert_close(
        {**found, "elapsed_s": 0.0}, {**expected, "elapsed_s": 0.0}, rtol=0.0, atol=0.0
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    _, fitted = run(folder)
    assert fitted.step == SETTINGS.steps
    assert fitted.measures["score"] == fitted.best_score
    return folder


def test_it_learns(whole: Path) -> None:
    _, fitted = run(whole)  # finished: nothing is left to do
    untrained = SumTask()
    untrained.module.eval()
    assert fitted.measures["loss"] < 0.8 * untrained.validate(untrained.module)["loss"]
    assert any((whole / "tensorboard").iterdir())


def test_stopped_and_resumed_is_the_same_to_the_bit(whole: Path, tmp_path: Path) -> None:
    """Stopped at a step that is no multiple of anything, amid a carried state."""
    with pytest.raises(Stopped) as stopped:
        run(tmp_path, SumTask(interrupt_at=12))
    assert stopped.value.exit_code == 130
    assert checkpoint.load(tmp_path / checkpoint.LAST)["step"] == 13  # the step was finished
    run(tmp_path)
    for name in (checkpoint.LAST, checkpoint.BEST):
        assert_same(checkpoint.load(tmp_path / name), checkpoint.load(whole / name))


def test_batches_made_by_workers_are_the_same(whole: Path, tmp_path: Path) -> None:
    run(tmp_path, workers=1)
    assert_same(checkpoint.load(tmp_path / checkpoint.LAST), checkpoint.load(whole / checkpoint.LAST))


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """Two gloo processes with two streams each, one with four; one process can go on where two were."""
    two, one = tmp_path / "two", tmp_path / "one"
    program = str(Path(__file__).parents[2] / "helpers" / "tiny_task.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launcher, program, str(two), "12"], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    first, second = (torch.load(two / f"weights-{rank}.pt") for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)

    task, _ = run(one, SumTask(dropout=False), steps=12)
    torch.testing.assert_close(first, dict(task.module.state_dict()), rtol=1e-5, atol=1e-6)
    carried, expected = (checkpoint.load(folder / checkpoint.LAST)["carried"] for folder in (two, one))
    torch.testing.assert_close(carried, expected, rtol=1e-5, atol=1e-6)

    for folder in (two, one):
        run(folder, SumTask(dropout=False), steps=24)
    found, expected = (checkpoint.load(folder / checkpoint.LAST)["weights"] for folder in (two, one))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_killed_while_writing_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    file = tmp_path / checkpoint.LAST
    checkpoint.save(file, {"step": 1, "weights": {"w": torch.ones(1000)}})
    child = os.fork()
    if child == 0:

        def half(self: Path, content: bytes) -> int:
            with self.open("wb") as stream:
                stream.write(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        Path.write_bytes = half  # type: ignore[method-assign, assignment]
        checkpoint.save(file, {"step": 2, "weights": {"w": torch.zeros(1000)}})
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    found = checkpoint.load(file)
    assert found["step"] == 1
    assert float(found["weights"]["w"].sum()) == 1000.0


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    scores = (1.0, 3.0, 2.0)
    _, fitted = run(tmp_path, SumTask(scores=scores))
    assert fitted == Fitted(24, {"score": 2.0}, 3.0)
    assert checkpoint.load(tmp_path / checkpoint.BEST)["step"] == 16
    other = SumTask()
    assert checkpoint.load_best(other.module, tmp_path) == {"score": 3.0}
    assert float(other.module.seen) > 0.0  # buffers too


def test_a_broken_batch_is_left_out_and_many_end_the_run(tmp_path: Path) -> None:
    task, _ = run(tmp_path / "few", SumTask(broken=range(6, 9)))
    assert all(bool(t.isfinite().all()) for t in task.module.state_dict().values())
    with pytest.raises(RtsepError, match=f"not finite for {BROKEN_STEPS} steps"):
        run(tmp_path / "all", SumTask(broken=range(1000)), steps=1000)


def test_minutes_bound_all_runs_together(tmp_path: Path) -> None:
    _, fitted = run(tmp_path, steps=0, minutes=0.02)
    assert fitted.step > 0
    assert checkpoint.load(tmp_path / checkpoint.LAST)["elapsed_s"] >= 1.2
    assert run(tmp_path, steps=0, minutes=0.02)[1].step == fitted.step


def test_another_run_s_folder_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="trained with seed = 1, not 2"):
        run(whole, seed=2)
    other = SumTask()
    other.module.out = torch.nn.Linear(8, 2)
    with pytest.raises(RtsepError, match="of another network"):
        run(whole, other)
    (tmp_path / checkpoint.LAST).write_bytes(b"half a file")
    with pytest.raises(RtsepError, match="is no checkpoint"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "never end"),
        ({"batch": 0}, "batch = 0 is not above 0"),
        ({"device": "tpu"}, "device = 'tpu' is unknown"),
        ({"precision": "16"}, "choose 32-true"),
        ({"ema_decay": 1.0}, "outside 0..1"),
        ({"warmup_steps": -1}, "below 0"),
    ],
)
def test_settings_out_of_bounds(change: dict[str, object], message: str) -> None:
    with pytest.raises(RtsepError, match=message):
        dataclasses.replace(FitSettings(steps=1), **change)  # type: ignore[arg-type]


def test_devices_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="batch = 3 cannot be shared by 2 processes"):
        run(tmp_path, batch=3, devices=2)
    if not torch.cuda.is_available():
        with pytest.raises(RtsepError, match="torch sees 0"):
            run(tmp_path, device="cuda")
