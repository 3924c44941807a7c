"""`rtsep compile` from the command to the cache: what it says, what it keeps, what it refuses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from helpers.tiny_network import TinyNetwork

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import build_model
from rtsep.models.choir.comb_masks import FixedCombMasks
from rtsep.models.choir.model import ChoirModel
from rtsep.models.framing import Framing
from rtsep.models.networks.export import export_onnx
from rtsep.models.runtimes.network_step import NetworkStep

pytest.importorskip("openvino", reason="OpenVINO is not installed (extra `openvino`)")
from rtsep.rt.cli import compile as compile_cli


class TinyTracker:
    """A tracker whose pitch is what a tiny network says."""

    def __init__(self, step: NetworkStep) -> None:
        self._step = step

    def step(self, amplitude: np.ndarray, f0_hz: np.ndarray, confident: np.ndarray) -> None:
        self._step.inputs["bands"][0] = amplitude[: self._step.inputs["bands"].size]
        self._step.run()
        f0_hz[...] = 100.0 + 200.0 * self._step.outputs["gain"][0, 0]
        confident[...] = True


def test_built_compared_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_onnx(TinyNetwork(), tmp_path / "tiny.onnx")
    content = (tmp_path / "tiny.onnx").read_bytes()

    def tiny_model(
        name: str, *, framing: Framing, make_step: Callable[[bytes, str], NetworkStep], **asked: object
    ) -> ChoirModel:
        tracker = TinyTracker(make_step(content, f"{name}'s tiny.onnx"))
        return ChoirModel(4, framing, FixedCombMasks(4, framing), tracker)  # type: ignore[arg-type]

    monkeypatch.setattr(compile_cli, "build_model", tiny_model)
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "music.wav", 0.1 * rng.standard_normal((16000, 2)), 16000)
    arguments = ["choir", "--audio", str(tmp_path / "music.wav"), "--cache", str(tmp_path / "engines")]
    first, second = (CliRunner().invoke(compile_cli.command, arguments) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "choir's tiny.onnx: built in" in first.output
    assert "over 188 hops" in first.output  # a second of hops of 85 samples
    assert "choir's tiny.onnx: was there" in second.output
    assert len(list((tmp_path / "engines").iterdir())) == 1


def test_a_model_without_networks_has_nothing_to_compile() -> None:
    assert build_model is compile_cli.build_model
    result = CliRunner().invoke(compile_cli.command, ["choir-fixed"])
    assert isinstance(result.exception, RtsepError)
    assert "choir-fixed has no network: nothing to compile" in str(result.exception)
