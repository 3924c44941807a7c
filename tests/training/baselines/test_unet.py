"""The U-Net baseline: what its mask may do, what it is fed, and a run from choirs to estimates."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.rendered_fixture import write_choirs

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.unet import (
    BINS,
    BINS_PER_OCTAVE,
    LOWEST_HZ,
    PITCH_BINS,
    ConditionedUNet,
    pitch_condition,
)
from rtsep.training.baselines import unet, unet_task
from rtsep.training.baselines.unet import CARD_FILE, WEIGHTS_FILE
from rtsep.training.commands.unet import command
from rtsep.training.evaluation.systems import find_system, separate
from rtsep.training.loop.task import Draw
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE


def test_conditions_are_blurred_pitches() -> None:
    f0_hz = np.array([0.0, LOWEST_HZ * 2, 440.0])
    found = pitch_condition(f0_hz)
    assert found.shape == (3, PITCH_BINS)
    assert not found[0].any()
    assert found[1].argmax() == BINS_PER_OCTAVE
    centre = (found[2] * np.arange(PITCH_BINS)).sum() / found[2].sum()
    assert LOWEST_HZ * 2 ** (centre / BINS_PER_OCTAVE) == pytest.approx(440.0, rel=1e-3)


def test_a_mask_never_adds() -> None:
    torch.manual_seed(0)
    network = ConditionedUNet().eval()
    magnitudes = torch.rand(2, 128, BINS)
    condition = torch.from_numpy(pitch_condition(np.full((2, 128), 220.0)))
    with torch.no_grad():
        found = network(magnitudes, condition)
    assert found.shape == magnitudes.shape
    assert (found >= 0).all()
    assert (found <= magnitudes).all()


def test_patches_are_of_the_choirs_and_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unet_task, "HELD_OUT", 1)
    write_choirs(tmp_path, 4)
    task = unet_task.UNetTask(tmp_path)
    assert task.learnt_items == 3
    mixture, target, condition = task.batch(Draw(1, 5, 0, 3))
    assert mixture.shape == target.shape == (3, unet_task.PATCH_FRAMES, BINS)
    assert condition.shape == (3, unet_task.PATCH_FRAMES, PITCH_BINS)
    assert mixture.max() <= 1
    again = task.batch(Draw(1, 5, 1, 2))
    torch.testing.assert_close(again[0], mixture[1:], rtol=0, atol=0)
    # the pitch that is told is the pitch of the target
    sounding = condition.sum(dim=(1, 2)) > 0
    f0_hz = LOWEST_HZ * 2 ** (condition[sounding].mean(dim=1).argmax(dim=1) / BINS_PER_OCTAVE)
    first_bins = f0_hz * 1024 / SAMPLERATE
    for spectrum, place in zip(target[sounding].mean(dim=1), first_bins, strict=True):
        assert spectrum[round(float(place))] > 5 * spectrum[round(1.5 * float(place))]


def test_a_run_from_choirs_to_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unet_task, "HELD_OUT", 1)
    write_choirs(tmp_path / "choirs", 4)
    config = tmp_path / "unet.toml"
    config.write_text("[fit]\nsteps = 2\nbatch = 2\nseed = 3\n")
    out = tmp_path / "run"
    arguments = ["--data", tmp_path / "choirs", "--out", out, "--minutes", "5", "--config", config]
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    card = json.loads((out / CARD_FILE).read_text())
    assert (card["steps"], card["settings"]["seed"]) == (2, 3)
    assert (out / WEIGHTS_FILE).stat().st_size < 20e6
    t = np.arange(8 * SAMPLERATE) / SAMPLERATE
    stems = np.stack([0.1 * np.sin(2 * np.pi * f0 * t) for f0 in (440.0, 220.0)]).astype(np.float32)
    times_s = np.arange(0, 8, 0.016)
    f0 = Contours(times_s, np.tile([440.0, 220.0], (len(times_s), 1)))
    found = separate(find_system(f"unet:{out}"), stems, 43, f0).voices
    second = slice(4 * SAMPLERATE, None)
    np.testing.assert_allclose(found.sum(axis=0)[second], stems.sum(axis=0)[second], atol=1e-5)


def test_an_installed_package_says_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel comes without: no row of the table, and an error that says where they are."""
    monkeypatch.setattr(unet, "WEIGHTS_FOLDER", tmp_path)
    assert not unet.has_unet()
    with pytest.raises(RtsepError, match=r"repository, not in the installed package; .*unet:FOLDER"):
        unet.load_unet(tmp_path)


def test_mistakes(tmp_path: Path) -> None:
    write_choirs(tmp_path, 2, seconds=1.0)
    with pytest.raises(RtsepError, match="holds 2 items, fewer than"):
        unet_task.UNetTask(tmp_path)
    with pytest.raises(RtsepError, match=r"holds no unet.safetensors; train one"):
        separate(
            find_system(f"unet:{tmp_path}"),
            np.zeros((2, 128000), np.float32),
            43,
            Contours(np.zeros(1), np.zeros((1, 2))),
        )
