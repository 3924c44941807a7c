"""Draws are independent of each other: by name, step, stream and item."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest

import rtsep.training
from rtsep.training.choir.levels.batches import SHARES, LevelBatches
from rtsep.training.choir.levels.mixtures import MixtureAugment
from rtsep.training.choir.pitch.streams import PitchStreams
from rtsep.training.loop.task import Draw
from rtsep.training.seeds import generator, seed_sequence, torch_seed

TRAINING = Path(rtsep.training.__file__).parent


def first(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def test_the_same_draw_is_the_same_everywhere() -> None:
    """Runs are resumed on other machines and with other versions of NumPy."""
    assert first(generator(1, "preset", 7)) == first(generator(1, "preset", 7))
    assert torch_seed(1, "step", 3) == torch_seed(1, "step", 3)
    assert seed_sequence(1, "preset", 7).generate_state(1)[0] == 2402704888


def test_seeds_that_numpy_takes_for_equal_are_not() -> None:
    tuples = [np.random.SeedSequence(entropy).generate_state(1)[0] for entropy in ((5, 1), (5, 1, 0))]
    assert tuples[0] == tuples[1]  # why tuples will not do
    keys = ((), (0,), (0, 0), (1,), (1, 0), (1, 0, 0), (0, 1))
    draws = list(itertools.product((0, 5), ("", "a", "ab"), keys))
    assert len({first(generator(seed, name, *key)) for seed, name, key in draws}) == len(draws)
    assert first(generator(5, "a", ord("b"))) != first(generator(5, "ab"))


def test_no_two_draws_of_a_run_share_their_numbers() -> None:
    draws: list[np.random.Generator] = []
    for seed, step in itertools.product((1, 2), range(12)):
        draw = Draw(seed, step, 0, 4)
        draws += [draw.step_rng("preset"), draw.step_rng("excerpt")]
        draws += [draw.rng(name, stream) for name in ("preset", "excerpt") for stream in draw.streams]
    assert len({first(rng) for rng in draws}) == len(draws)


def test_held_numbers_are_those_of_no_single_step() -> None:
    """An item held for eight steps and a patch of one step: at step 0 they were the same numbers."""
    held = {first(Draw(1, step, 0, 1).rng("item", 0, hold=8)) for step in range(16)}
    single = {first(Draw(1, step, 0, 1).rng("patch", 0)) for step in range(16)}
    assert len(held) == 2
    assert not held & single


def test_streams_belong_to_the_batch_and_not_to_the_process() -> None:
    whole, second = Draw(3, 5, 0, 4), Draw(3, 5, 2, 2)
    assert [first(whole.rng("x", s)) for s in (2, 3)] == [first(second.rng("x", s)) for s in second.streams]
    assert first(whole.step_rng("x")) == first(second.step_rng("x"))


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_that_would_take_two_places_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="2\\^32"):
        generator(1, "x", number)


class Nothing:
    """No items: which are drawn does not matter here."""

    def __len__(self) -> int:
        return 0


def test_a_batch_s_preset_says_nothing_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a row is a random mix is its generator's first number; its mean is 1/2 at every preset."""
    drawn: dict[int, list[list[float]]] = {ms: [] for ms in SHARES}

    def at(self: LevelBatches, latency_ms: int, rngs: list[np.random.Generator]) -> None:
        drawn[latency_ms].append([rng.random() for rng in rngs])

    monkeypatch.setattr(LevelBatches, "at", at)
    batches = LevelBatches(Nothing(), 4, MixtureAugment())  # type: ignore[arg-type]
    steps = 2000
    for step in range(steps):
        batches.draw(Draw(1, step, 0, 4))
    for ms, share in SHARES.items():
        rows = np.array(drawn[ms])
        assert len(rows) / steps == pytest.approx(share, abs=0.04)
        # five standard errors of a mean of uniform numbers
        bound = 5.0 * np.sqrt(1.0 / 12.0 / len(rows))
        np.testing.assert_allclose(rows.mean(axis=0), 0.5, atol=bound)
        apart = np.corrcoef(rows.T)[~np.eye(4, dtype=bool)]
        assert np.abs(apart).max() < 5.0 / np.sqrt(len(rows))


def test_what_validates_a_tracker_is_not_drawn_as_what_it_learns_from() -> None:
    draws: list[int] = []
    for augment in (True, False):
        streams = PitchStreams(Nothing(), 1, 16, augment)  # type: ignore[arg-type]
        streams._draw = lambda rng: draws.append(first(rng))  # type: ignore[assignment,method-assign,misc,return-value]
        for stream in range(4):
            with pytest.raises(AttributeError):  # there is nothing to hear
                streams.chunk(stream, 0)
    assert len(set(draws)) == 8


def test_no_training_code_seeds_by_itself() -> None:
    """One number may seed one thing for itself; what follows from several is named in `seeds`."""
    found = []
    for file in sorted(TRAINING.rglob("*.py")):
        if file.name == "seeds.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.func.attr
            tuples = [a for a in node.args if isinstance(a, ast.Tuple | ast.List | ast.BinOp)]
            if name == "SeedSequence" or (name in ("default_rng", "manual_seed", "RandomState") and tuples):
                found.append(f"{file.name}:{node.lineno}")
    assert found == []
