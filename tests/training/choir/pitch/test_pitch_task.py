"""Streams of training data, and that a network learns from them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.pitch.streams import CHUNKS, LATENCIES_MS, SECTION_SINGERS, PitchStreams, _section
from rtsep.training.choir.pitch.task import PitchConfig, PitchTask
from rtsep.training.choir.render.dataset import write_item
from rtsep.training.choir.render.f0_labels import merged_voices, pitch_order
from rtsep.training.choir.render.item import ChoirItem
from rtsep.training.commands.pitch import command
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Draw

FRAMES = 16


def _item(index: int, samplerate: int = 16000, seconds: int = 4) -> ChoirItem:
    """Two voices of ten partials each, one of which rests for a second."""
    rng = np.random.default_rng(index)
    frames = seconds * 200
    f0 = np.tile(rng.uniform(100, 600, (2, 1)), (1, frames)).astype(np.float32)
    f0[1, 100:300] = 0
    t = np.arange(seconds * samplerate) / samplerate
    stems = []
    for voice in f0:
        phase = 2 * np.pi * np.cumsum(np.repeat(voice, samplerate // 200)) / samplerate
        tones = sum(np.sin(k * phase) / k * (k * voice[0] < 0.45 * samplerate) for k in range(1, 11))
        stems.append(0.1 * tones * np.repeat(voice > 0, samplerate // 200))
    return ChoirItem(
        samplerate=samplerate,
        stems=np.asarray(stems, np.float32),
        noise=1e-4 * rng.standard_normal(t.size).astype(np.float32),
        f0_hz=f0,
        merged=merged_voices(f0.astype(np.float64)),
        order=pitch_order(f0.astype(np.float64)),
        level_db=np.where(f0 > 0, -20.0, -120.0).astype(np.float32),
        facts={},
    )


ITEMS = [_item(i) for i in range(6)]


def test_every_step_follows_from_its_number_alone() -> None:
    straight, jumping = PitchStreams(ITEMS, 7, FRAMES), PitchStreams(ITEMS, 7, FRAMES)
    heard = [straight.chunk(2, step) for step in range(2 * CHUNKS)]
    for step in (9, 3, 10):
        again = jumping.chunk(2, step)
        torch.testing.assert_close(again.bands, heard[step].bands, atol=0, rtol=0)
        np.testing.assert_array_equal(again.targets.salience, heard[step].targets.salience)
    assert not torch.equal(heard[0].bands, heard[CHUNKS].bands)


def test_a_pass_is_one_stretch_of_time() -> None:
    """The chunks of a pass, heard in longer ones, are the same frames."""
    short, long = PitchStreams(ITEMS, 7, 8, augment=False), PitchStreams(ITEMS, 7, 48, augment=False)
    short._draw = long._draw = lambda rng: passage  # type: ignore[method-assign]
    passage = PitchStreams(ITEMS, 7, 8, augment=False)._draw(np.random.default_rng(1))
    whole = long.chunk(0, 0)
    parts = [short.chunk(0, step) for step in range(CHUNKS)]
    torch.testing.assert_close(torch.cat([p.bands for p in parts]), whole.bands, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([p.targets.salience for p in parts]), whole.targets.salience, atol=1e-6
    )


def test_a_section_is_faint_and_about_when_its_singer_sings() -> None:
    stems = np.zeros((2, 16000), np.float32)
    stems[0, 6000:9000] = ITEMS[0].stems[0, :3000]
    heard = _section(stems, np.random.default_rng(0))
    assert not heard[1].any()
    assert 0 < np.square(heard[0]).sum() < SECTION_SINGERS * 0.2 * np.square(stems[0]).sum()
    sounding = np.flatnonzero(np.abs(heard[0]) > 1e-4)
    assert sounding[0] > 6000 - 0.1 * 16000
    assert sounding[-1] < 9000 + 0.3 * 16000


def test_labels_meet_the_sound() -> None:
    """Where the target says somebody sings, the band of that pitch is loud: times and grids agree."""
    streams = PitchStreams(ITEMS, 11, FRAMES, augment=False)
    for stream in range(len(LATENCIES_MS) * 3):
        for step in range(CHUNKS):
            chunk = streams.chunk(stream, step)
            strong = chunk.targets.salience == 1.0
            # candidate g's first partial is band 2 g + 60
            level = chunk.bands.numpy()[:, 60 : 60 + 2 * strong.shape[1] : 2]
            settled = strong[1:] & strong[:-1]
            assert np.median(level[1:][settled]) > -4.0 if settled.any() else True


def _config(**fit: float) -> PitchConfig:
    settings = (
        dict(steps=12, batch=4, learning_rate=3e-3, warmup_steps=2, checkpoint_every=6, validate_every=6)
        | fit
    )
    return PitchConfig(frames=FRAMES, held_out=2, fit=FitSettings(**settings))  # type: ignore[arg-type]


def test_a_network_learns() -> None:
    task = PitchTask(ITEMS, _config())
    optimizer = torch.optim.Adam(task.module.parameters(), 3e-3)
    carried, losses = task.carried(4), []
    for step in range(25):
        result = task.loss(task.module, task.batch(Draw(1, step, 0, 4)), carried)
        carried = tuple(c.detach() for c in result.carried)
        optimizer.zero_grad()
        result.loss.backward()
        optimizer.step()
        losses.append(float(result.logs["salience"].detach()))
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:3])
    with torch.no_grad():
        measures = task.validate(task.module)
    assert measures["score"] == -measures["loss"]
    assert 0 <= measures["recall"] <= 1


def test_the_state_is_forgotten_where_a_pass_begins() -> None:
    task = PitchTask(ITEMS, _config())
    batch = task.batch(Draw(1, 0, 0, 2))  # stream 0 begins a pass in step 0, stream 1 is in the middle of one
    assert batch["keep"].tolist() == [0.0, 1.0]
    noisy = tuple(torch.randn_like(c) for c in task.carried(2))
    with torch.no_grad():
        fresh = task.loss(task.module, batch, task.carried(2)).carried[0]
        other = task.loss(task.module, batch, noisy).carried[0]
    torch.testing.assert_close(fresh[0], other[0])
    assert not torch.allclose(fresh[1], other[1])


def test_the_command_trains_and_writes_a_network_for_the_stage(tmp_path: Path) -> None:
    data, out, config = tmp_path / "choirs", tmp_path / "run", tmp_path / "pitch.toml"
    data.mkdir()
    for i, item in enumerate(ITEMS):
        write_item(data, i, item)
    config.write_text(
        f"frames = {FRAMES}\nheld_out = 2\nlooks = 2\n[fit]\nsteps = 2\nbatch = 2\nminutes = 0\n"
        "validate_every = 2\ncheckpoint_every = 2\n"
    )
    result = CliRunner().invoke(command, ["--data", str(data), "--out", str(out), "--config", str(config)])
    assert result.exit_code == 0, result.output
    from rtsep.models.runtimes.onnx_step import OnnxStep

    step = OnnxStep(out / "pitch.onnx")
    assert set(step.inputs) == {"bands", "preset"}
    assert set(step.outputs) == {"salience", "offset", "unison"}
    assert (out / "pitch.safetensors").exists()
    assert json.loads((out / "pitch.json").read_text())["network"]["config"] == {"looks": 2}


def test_refuses_what_cannot_train(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="held out"):
        PitchTask(ITEMS, dataclasses.replace(_config(), held_out=6))
    data = tmp_path / "choirs"
    data.mkdir()
    write_item(data, 0, _item(0, samplerate=24000))
    result = CliRunner().invoke(command, ["--data", str(data), "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, RtsepError)
    assert "24000 Hz" in str(result.exception)
