"""`--backend tensorrt`: plans of every network, the hop with them in it, what is said without them."""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.eager_hop import EagerHop
from helpers.fake_plan import FakePlan, at
from helpers.sung import sing, vibrato

from rtsep import Separator
from rtsep.kernels.errors import RtsepError
from rtsep.models import backends
from rtsep.models.build import build_model
from rtsep.models.gpu import cuda_graph, tensorrt_builder, tensorrt_plan
from rtsep.models.gpu.build_program import build_program
from rtsep.models.gpu.half_precision import half_products
from rtsep.models.gpu.tensorrt_builder import TensorRtBuilder
from rtsep.models.registry import shipped_models
from rtsep.models.runtimes.compile import ReferenceSteps, compile_networks, compiled_plan, plan_key
from rtsep.models.runtimes.network_step import NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.models.runtimes.plan_cache import PlanCache, default_folder
from rtsep.rt.gpu import start_check
from rtsep.rt.hop.presets import Preset

RATE, VOICES = 16000, 2
NETWORKS = [(model, network.onnx) for model in shipped_models().values() for network in model.card.networks]
RTX = pytest.mark.skipif(
    not any(find_spec(name) for name in tensorrt_plan.MODULES),
    reason="TensorRT-RTX is not installed (extra `trt-check`)",
)


def song() -> np.ndarray:
    tones = [sing(vibrato(midi, 1.0, RATE), RATE, seed=i) for i, midi in enumerate((71.0, 62.0))]
    return (tones[0] + tones[1]).astype(np.float32)[:, None]


class StubGpu(TensorRtBuilder):
    """Builds truly where it can; what it builds runs on ONNX Runtime."""

    def describe(self) -> dict[str, str]:
        return {"device": "H200 (9.0)", "driver": "580.1", "runtime": "tensorrt 10", "builder": "paper"}

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        return network if precision == "fp32" else half_products(network)

    def load(self, plan: bytes, name: str) -> NetworkStep:
        return OnnxStep(plan, name)


@pytest.fixture
def stub_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[FakePlan]:
    """A stub of a GPU: plans are fake ones, the hop runs operation by operation."""
    made: list[FakePlan] = []

    def plan(content: bytes, name: str) -> FakePlan:
        made.append(FakePlan(content, name))
        return made[-1]

    def graphed(program: object, streams: int, *, backend: str, bound: float) -> EagerHop:
        hop = EagerHop(program, streams)  # type: ignore[arg-type]
        hop.backend, hop.bound = backend, bound
        return hop

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cuda_graph, "require_gpu", lambda backend: "H200")
    monkeypatch.setattr(cuda_graph, "GraphedHop", graphed)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: SimpleNamespace(cuda_stream=0))
    monkeypatch.setattr(tensorrt_builder, "TensorRtBuilder", StubGpu)
    monkeypatch.setattr(tensorrt_plan, "Plan", plan)
    return made


def compiled(preset: Preset, precision: str = "fp32") -> None:
    reference = ReferenceSteps()
    model = build_model("choir", voices=VOICES, framing=preset.framing, f0=None, make_step=reference)
    Separator(model, preset, 1).process(song()[:4000])
    compile_networks(StubGpu(), precision, reference, PlanCache(default_folder()), str)


@pytest.mark.parametrize(
    "latency_ms", [11, 43]
)  # pitches alone; pitches and levels, of a file for four voices
def test_the_hop_with_plans_gives_the_processor_s_samples(
    stub_gpu: list[FakePlan], monkeypatch: pytest.MonkeyPatch, latency_ms: int
) -> None:
    monkeypatch.setattr(start_check, "CHECK_HOPS", 20)  # all is compared below
    compiled(Preset(RATE, latency_ms))
    there, here = (
        Separator.load("choir", voices=VOICES, samplerate=RATE, latency_ms=latency_ms, backend=backend)
        for backend in ("tensorrt", "cpu")
    )
    sound = song()
    np.testing.assert_allclose(there.process(sound), here.process(sound), atol=1e-4)
    assert not there.gpu_lost
    hops = len(sound) // there.hop
    assert len(stub_gpu) == (1 if latency_ms == 11 else 2)
    assert all(plan.launches >= hops for plan in stub_gpu)


@pytest.mark.slow
@pytest.mark.parametrize("voices", [1, 2, 3, 4])
@pytest.mark.parametrize("latency_ms", [11, 43])
def test_half_precision_passes_the_start_s_check(
    stub_gpu: list[FakePlan], latency_ms: int, voices: int
) -> None:
    """Whatever the number of voices: which of them sings what must not hang by a digit."""
    compiled(Preset(RATE, latency_ms), "fp16")
    with_halves = Separator.load(
        "choir", voices=voices, samplerate=RATE, latency_ms=latency_ms, backend="tensorrt-fp16"
    )
    assert with_halves.process(song()[:4000]).any()
    assert not with_halves.gpu_lost


def test_nothing_runs_that_was_not_compiled(stub_gpu: list[FakePlan]) -> None:
    preset = Preset(RATE, 11)
    with pytest.raises(
        RtsepError,
        match=r"pitch.onnx is not compiled for H200 \(9.0\) and tensorrt 10, fp32; run `rtsep compile MODEL "
        "--backend tensorrt` first, or use --backend cpu",
    ):
        Separator.load("choir", voices=VOICES, samplerate=RATE, backend="tensorrt")
    compiled(preset)
    Separator.load("choir", voices=VOICES, samplerate=RATE, backend="tensorrt")
    with pytest.raises(RtsepError, match=r"not compiled .*, fp16; run .* tensorrt --precision fp16` first"):
        Separator.load("choir", voices=VOICES, samplerate=RATE, backend="tensorrt-fp16")
    compiled(preset, "fp16")
    hop = backends.gpu_hop("tensorrt-fp16", "choir", voices=VOICES, framing=preset.framing, channels=1)
    assert (hop.backend, hop.bound) == ("tensorrt-fp16", 3e-3)
    with pytest.raises(RtsepError, match="--backend tensorrt runs one stream, 8 were asked for; use --backe"):
        backends.gpu_hop("tensorrt", "choir", voices=VOICES, framing=preset.framing, channels=1, streams=8)


def test_an_engine_with_other_numbers_does_not_go_on_stage(
    stub_gpu: list[FakePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(Preset(RATE, 11))
    launch = FakePlan.launch

    def doubting(self: FakePlan, addresses: dict[str, int], stream: int) -> None:
        launch(self, addresses, stream)
        at(addresses["salience"], self.outputs["salience"])[...] -= 8.0  # nobody is sure to sing any more

    monkeypatch.setattr(FakePlan, "launch", doubting)
    with pytest.raises(RtsepError, match=r"--backend tensorrt differs from the processor by .* bound 0.0001"):
        Separator.load("choir", voices=VOICES, samplerate=RATE, backend="tensorrt")


@RTX
@pytest.mark.parametrize("precision", TensorRtBuilder.precisions)
@pytest.mark.parametrize(("model", "file"), NETWORKS, ids=[file for _, file in NETWORKS])
def test_every_network_becomes_one_engine(model, file: str, precision: str) -> None:  # type: ignore[no-untyped-def]
    assert len(TensorRtBuilder().build(model.read(file), file, precision)) > 10_000
    trt = tensorrt_plan.require_tensorrt()
    logger = trt.Logger(trt.Logger.ERROR)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = trt.Builder(logger).create_network(typed)
    assert trt.OnnxParser(network, logger).parse(model.read(file))
    # a loop is what a recurrent layer becomes that is not written out
    kinds = {network.get_layer(i).type for i in range(network.num_layers)}
    assert not kinds & {trt.LayerType.RECURRENCE, trt.LayerType.TRIP_LIMIT, trt.LayerType.LOOP_OUTPUT}


@RTX
def test_what_tensorrt_cannot_read() -> None:
    with pytest.raises(RtsepError, match=r"broken: tensorrt.* cannot read it \(.+\); use --backend cuda"):
        TensorRtBuilder().build(b"no network", "broken", "fp32")


def test_without_tensorrt_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(tensorrt_plan, "import_module", missing)
    with pytest.raises(RtsepError, match=r"neither tensorrt nor tensorrt_rtx is installed; install it \(pip"):
        tensorrt_plan.require_tensorrt()

    def broken(name: str) -> None:
        raise RuntimeError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(tensorrt_plan, "import_module", broken)
    with pytest.raises(RtsepError, match=r"--backend tensorrt cannot start: tensorrt: libcuda.so.1: cann"):
        tensorrt_plan.require_tensorrt()


def test_an_engine_belongs_to_a_gpu_and_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = StubGpu()
    key = plan_key(builder, b"network", "fp32")
    assert (key.device, key.driver, key.backend) == ("H200 (9.0)", "580.1", "tensorrt")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H200")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    answers = iter([SimpleNamespace(stdout="580.95.05\n580.95.05\n"), OSError("no such file")])

    def ask(*_: object, **__: object) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(cuda_graph.subprocess, "run", ask)
    assert cuda_graph.describe_gpu("tensorrt") == {"device": "H200 (9.0)", "driver": "580.95.05"}
    assert cuda_graph.describe_gpu("tensorrt") == {"device": "H200 (9.0)", "driver": ""}


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-4), ("fp16", 3e-3)])
def test_on_a_gpu(precision: str, bound: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    preset, reference, sound = Preset(RATE, 43), ReferenceSteps(), song()
    model = build_model("choir", voices=VOICES, framing=preset.framing, f0=None, make_step=reference)
    expected = Separator(model, preset, 1).process(sound)
    builder = backends.plan_builder("tensorrt", "choir", precision)
    compile_networks(builder, precision, reference, PlanCache(default_folder()), str)
    (backend,) = (name for name, plans in backends.TENSORRT.items() if plans == precision)
    there = Separator.load("choir", voices=VOICES, samplerate=RATE, latency_ms=43, backend=backend)
    np.testing.assert_allclose(there.process(sound), expected, atol=bound)


@torch.no_grad()
def test_plans_are_asked_for_by_file(stub_gpu: list[FakePlan]) -> None:
    asked = []

    def replace(network, content: bytes, name: str):  # type: ignore[no-untyped-def]
        asked.append((name, content == shipped_models()["choir"].read(name)))
        return network

    build_program("choir", voices=VOICES, framing=Preset(RATE, 43).framing, replace=replace)
    assert asked == [("choir-pitch.onnx", True), ("choir-levels.onnx", True)]


class FakeTorchTensorRt:
    """In the place of the module: notes what is asked of it, and gives a plan of paper."""

    def __init__(self) -> None:
        self.asked: list[tuple[torch.export.ExportedProgram, dict[str, object]]] = []
        self.dynamo = self

    def convert_exported_program_to_serialized_trt_engine(
        self, program: torch.export.ExportedProgram, **how: object
    ) -> bytes:
        self.asked.append((program, how))
        return b"plan"


@pytest.fixture
def torch_tensorrt(monkeypatch: pytest.MonkeyPatch) -> FakeTorchTensorRt:
    """Installed, as far as one can see."""
    fake = FakeTorchTensorRt()
    monkeypatch.setattr(tensorrt_builder.metadata, "version", lambda package: "2.11.0")
    monkeypatch.setattr(tensorrt_builder, "import_module", lambda name: fake)
    monkeypatch.setattr(tensorrt_builder, "describe_gpu", lambda backend: {"device": "H200", "driver": "1"})
    monkeypatch.setattr(tensorrt_plan, "runtime_name", lambda: "tensorrt 10.15")
    return fake


@pytest.mark.parametrize(("model", "file"), NETWORKS, ids=[file for _, file in NETWORKS])
def test_torch_tensorrt_builds_where_it_is_installed(  # type: ignore[no-untyped-def]
    model, file: str, torch_tensorrt: FakeTorchTensorRt
) -> None:
    builder = tensorrt_builder.best_builder(model.card.name, "fp32")
    content = builder.build(model.read(file), file, "fp32")
    ((program, how),) = torch_tensorrt.asked
    assert how["require_full_compilation"]
    assert how["use_explicit_typing"]
    assert len(how["arg_inputs"]) == len(program.graph_signature.user_inputs)  # type: ignore[arg-type]
    # the ports by which the hop asks are those of the ONNX file: both plans are launched alike
    ports, plan = tensorrt_plan.split_ports(content)
    onnx = FakePlan(model.read(file), file)
    assert plan == b"plan"
    assert ports == [*onnx.inputs, *onnx.outputs]
    assert builder.describe()["builder"] == "torch-tensorrt 2.11.0"
    # half precision is a rewriting of the ONNX file
    assert type(tensorrt_builder.best_builder(model.card.name, "fp16")) is TensorRtBuilder


def test_the_parser_builds_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise tensorrt_builder.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(tensorrt_builder.metadata, "version", missing)
    assert type(tensorrt_builder.best_builder("choir", "fp32")) is TensorRtBuilder


def test_a_torch_tensorrt_that_does_not_load_is_said(
    torch_tensorrt: FakeTorchTensorRt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(tensorrt_builder, "import_module", broken)
    with pytest.raises(RtsepError, match=r"torch-tensorrt does not load: libnvinfer.so.10: .*; install"):
        tensorrt_builder.best_builder("choir", "fp32")


def test_what_torch_tensorrt_cannot_convert(
    torch_tensorrt: FakeTorchTensorRt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(program: object, **how: object) -> bytes:
        raise RuntimeError("no converter for aten.unsafe_split\nand a page of more")

    monkeypatch.setattr(torch_tensorrt, "convert_exported_program_to_serialized_trt_engine", refuse)
    builder = tensorrt_builder.best_builder("choir", "fp32")
    content = shipped_models()["choir"].read("choir-pitch.onnx")
    with pytest.raises(RtsepError, match=r"pitch: torch-tensorrt builds no plan of it \(no converter for a"):
        builder.build(content, "pitch", "fp32")
    with pytest.raises(RtsepError, match="model choir has no such network"):
        builder.build(content[:-1], "pitch", "fp32")


def test_engines_of_either_builder_are_found_the_better_first(
    torch_tensorrt: FakeTorchTensorRt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Built by the parser before torch-tensorrt came, or by torch-tensorrt: each has a key of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    converted, parsed = tensorrt_builder._builders("choir", "fp32")
    network, cache = b"network", PlanCache(default_folder())
    cache.put(plan_key(parsed, network, "fp32"), b"of the parser")
    assert compiled_plan((converted, parsed), network, "pitch", "fp32") == b"of the parser"
    cache.put(plan_key(converted, network, "fp32"), b"of torch-tensorrt")
    assert compiled_plan((converted, parsed), network, "pitch", "fp32") == b"of torch-tensorrt"


def test_a_plan_s_ports_are_told_by_its_line() -> None:
    content = tensorrt_plan.with_ports(b"\x00plan\n", ["bands", "h"], ["salience", "next.h"])
    assert tensorrt_plan.split_ports(content) == (["bands", "h", "salience", "next.h"], b"\x00plan\n")
    assert tensorrt_plan.split_ports(b"\x00plan\n") == ([], b"\x00plan\n")


def test_an_engine_launches_by_our_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan whose own names are of no use, on a TensorRT of paper."""
    bound: dict[str, int] = {}
    mode = SimpleNamespace(INPUT="in", OUTPUT="out")
    own = {
        "args_0": ("in", (1, 85)),
        "output0": ("out", (1, 4)),
        "args_1": ("in", (1, 8)),
        "output1": ("out", (1, 8)),
    }
    context = SimpleNamespace(
        set_tensor_address=lambda name, address: bound.update({name: address}) or True,
        execute_async_v3=lambda stream: True,
    )
    plan = SimpleNamespace(
        num_io_tensors=4,
        get_tensor_name=lambda i: list(own)[i],
        get_tensor_mode=lambda name: own[name][0],
        get_tensor_shape=lambda name: own[name][1],
        create_execution_context=lambda: context,
    )
    plans: list[bytes] = []
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda content: plans.append(content) or plan)
    trt = SimpleNamespace(
        __name__="tensorrt", __version__="10", Runtime=lambda logger: runtime, TensorIOMode=mode
    )
    monkeypatch.setattr(tensorrt_plan, "require_tensorrt", lambda: trt)
    monkeypatch.setattr(tensorrt_plan, "_LOGGER", [object()])
    content = tensorrt_plan.with_ports(b"plan", ["bands", "h"], ["salience", "next.h"])
    loaded = tensorrt_plan.Plan(content, "pitch")
    assert plans == [b"plan"]
    assert loaded.inputs == {"bands": (1, 85), "h": (1, 8)}
    assert loaded.outputs == {"salience": (1, 4), "next.h": (1, 8)}
    loaded.launch({"bands": 1, "h": 2, "salience": 3, "next.h": 4}, 0)
    assert bound == {"args_0": 1, "args_1": 2, "output0": 3, "output1": 4}
