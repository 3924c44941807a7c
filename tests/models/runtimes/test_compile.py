"""A plan is kept only when it gives the network's numbers, and built again only when it must be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny_network import TinyNetwork

from rtsep.kernels.errors import GpuMissing, RtsepError
from rtsep.models import backends
from rtsep.models.networks.export import export_onnx
from rtsep.models.runtimes.compile import ReferenceSteps, compile_networks, plan_key
from rtsep.models.runtimes.network_step import NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.models.runtimes.plan_cache import PlanCache, default_folder
from rtsep.rt.hop.presets import Preset

HOPS = 30


class FakeBuilder:
    """Plans that are the network itself behind a mark; `wrong` ones forget their state."""

    backend, precisions = "fake", ("fp32",)

    def __init__(self) -> None:
        self.driver, self.wrong, self.built = "1.0", False, 0

    def describe(self) -> dict[str, str]:
        return {"device": "paper", "driver": self.driver, "runtime": "fake 1"}

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        self.built += 1
        return b"plan:" + network

    def load(self, plan: bytes, name: str) -> NetworkStep:
        assert plan.startswith(b"plan:")
        return (Forgetful if self.wrong else OnnxStep)(plan.removeprefix(b"plan:"), name)


class Forgetful(OnnxStep):
    def run(self) -> None:
        self.reset()
        super().run()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("network") / "tiny.onnx"
    export_onnx(TinyNetwork(), path)
    return path.read_bytes()


@pytest.fixture
def reference(network: bytes) -> ReferenceSteps:
    """What a network said to some hops."""
    reference = ReferenceSteps()
    step = reference(network, "tiny")
    rng = np.random.default_rng(0)
    for _ in range(HOPS):
        for array in step.inputs.values():
            array[...] = rng.normal(size=array.shape)
        step.run()
    return reference


def run(builder: FakeBuilder, reference: ReferenceSteps, folder: Path) -> bool:
    """Whether the plan came from the cache."""
    (done,) = compile_networks(builder, "fp32", reference, PlanCache(folder), lambda line: None)
    assert (done.name, done.error, done.hops) == ("tiny", 0.0, HOPS)
    return done.cached


def test_built_once(reference: ReferenceSteps, tmp_path: Path) -> None:
    builder = FakeBuilder()
    assert not run(builder, reference, tmp_path)
    assert run(builder, reference, tmp_path)
    assert builder.built == 1


def test_built_again_for_another_driver_and_after_damage(reference: ReferenceSteps, tmp_path: Path) -> None:
    builder = FakeBuilder()
    run(builder, reference, tmp_path)
    builder.driver = "2.0"
    assert not run(builder, reference, tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-3])
    assert not run(builder, reference, tmp_path)
    assert run(builder, reference, tmp_path)
    assert builder.built == 3


def test_a_plan_with_other_numbers_is_not_kept(reference: ReferenceSteps, tmp_path: Path) -> None:
    builder = FakeBuilder()
    builder.wrong = True
    with pytest.raises(RtsepError, match=r"tiny on fake differs from ONNX Runtime by .*, bound 0.0001"):
        run(builder, reference, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_precision_that_a_backend_has_not(reference: ReferenceSteps, tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="precision fp8 is not one of fp32 for fake"):
        compile_networks(FakeBuilder(), "fp8", reference, PlanCache(tmp_path), lambda line: None)


def test_openvino_on_stage_runs_what_was_compiled_and_nothing_else(
    reference: ReferenceSteps, network: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed (extra `openvino`)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    make = backends.step_maker("openvino")
    with pytest.raises(RtsepError, match="run `rtsep compile MODEL --backend openvino` first"):
        make(network, "tiny")
    builder, cache = backends.OpenVinoBuilder(), PlanCache(default_folder())
    (done,) = compile_networks(builder, "fp32", reference, cache, lambda line: None)
    assert not done.cached
    assert done.error < 1e-4
    step = make(network, "tiny")
    given, expected = reference.hops["tiny"][0]
    for name, value in given.items():
        step.inputs[name][...] = value
    step.run()
    np.testing.assert_allclose(step.outputs["gain"], expected["gain"], atol=1e-5)
    assert cache.get(plan_key(builder, network[:-1], "fp32")) is None


def test_backends_by_name() -> None:
    assert backends.step_maker("auto") is backends.step_maker("cpu") is OnnxStep
    with pytest.raises(RtsepError, match="backend 'tpu' is not one of auto, cpu, openvino, cuda, tensorrt, "):
        backends.step_maker("tpu")
    for backend, said in {
        "cpu": "--backend cpu runs networks as they are; there is nothing to compile",
        "cuda": "--backend cuda captures the whole hop and compares it at every start; there is nothing to",
        "tensorrt-fp16": "tensorrt with other plans; use --backend tensorrt --precision fp16",
        "tpu": "--backend 'tpu' is not one of openvino, tensorrt; use --backend openvino",
    }.items():
        with pytest.raises(RtsepError, match=said):
            backends.plan_builder(backend, "choir", "fp32")


def ask_for_a_builder(backend: str) -> object:
    return backends.plan_builder(backend, "choir", "fp32")


def ask_for_a_hop(backend: str) -> object:
    return backends.gpu_hop(backend, "choir", voices=2, framing=Preset(16000, 11).framing, channels=1)


@pytest.mark.parametrize(
    ("ask", "backend"),
    [(ask_for_a_builder, "tensorrt"), *((ask_for_a_hop, name) for name in backends.GPU_BACKENDS)],
)
def test_what_keeps_a_gpu_is_said_before_anything_starts(
    ask: Callable[[str], object], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        GpuMissing, match=f"--backend {backend} needs an NVIDIA GPU, but .*; use --backend cpu"
    ):
        ask(backend)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "V100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    with pytest.raises(GpuMissing, match=f"--backend {backend}: V100 has compute capability 7.0, 7.5 is nee"):
        ask(backend)
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(GpuMissing, match=f"--backend {backend} needs .* torch, which is not installed"):
        ask(backend)
