"""From a model's networks to engines of a backend: built, compared with ONNX Runtime on audio, only then
kept.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.runtimes.engine_cache import EngineCache, EngineKey, default_folder
from rtsep.models.runtimes.network_step import F32, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep

# Largest difference of any output, relative to 1 or to the value where that is larger.
# Half precision, 11 bits of every factor: 0.008 was found on recorded choirs.
BOUNDS = {"fp32": 1e-4, "fp16": 2e-2}

Hop = tuple[dict[str, F32], dict[str, F32]]  # inputs and outputs of one hop


class EngineBuilder(Protocol):
    """A backend that turns networks into engines."""

    backend: str
    precisions: tuple[str, ...]

    def describe(self) -> dict[str, str]:
        """`device`, `driver`, `runtime` and `builder` of an `EngineKey`."""
        ...

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """An engine from the content of an ONNX file; RtsepError where it cannot be."""
        ...

    def load(self, engine: bytes, name: str) -> NetworkStep:
        """A step that runs an engine; RtsepError where it cannot."""
        ...


class OpenVinoBuilder:
    """OpenVINO on this machine's processor."""

    backend = "openvino"
    precisions: tuple[str, ...] = ("fp32",)

    def __init__(self) -> None:
        try:
            from rtsep.models.runtimes import openvino_step
        except ImportError as error:
            raise RtsepError(
                f"--backend openvino cannot start: {error}", "install it: pip install 'rtsep[openvino]'"
            ) from error
        self._module = openvino_step

    def describe(self) -> dict[str, str]:
        """See `EngineBuilder`."""
        return self._module.describe_device()

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `EngineBuilder`."""
        return self._module.compile_network(network, name)

    def load(self, engine: bytes, name: str) -> NetworkStep:
        """See `EngineBuilder`."""
        return self._module.OpenVinoStep(engine, name, compiled=True)


class Recorder:
    """Makes steps of ONNX Runtime that write down what goes in and out: the truth that engines are compared
    with.
    """

    def __init__(self) -> None:
        self.networks: dict[str, bytes] = {}
        self.hops: dict[str, list[Hop]] = {}

    def __call__(self, content: bytes, name: str) -> NetworkStep:
        """A step of network `name`."""
        hops = self.hops[name] = []
        self.networks[name] = content

        class Recorded(OnnxStep):
            def run(self) -> None:
                given = _copies(self.inputs)
                super().run()
                hops.append((given, _copies(self.outputs)))

        step = Recorded(content, name)
        hops.clear()  # the warm-up's
        return step


@dataclass(frozen=True)
class Compiled:
    """What became of one network.

    Attributes:
        name: of the network.
        cached: whether the engine was there already.
        seconds: that building took.
        error: largest difference from ONNX Runtime over the recorded hops.
        hops: how many those were.
    """

    name: str
    cached: bool
    seconds: float
    error: float
    hops: int


def engine_key(builder: EngineBuilder, network: bytes, precision: str) -> EngineKey:
    """What an engine of `network` on this machine depends on."""
    found = {"driver": "", **builder.describe()}
    return EngineKey(hashlib.sha256(network).hexdigest(), builder.backend, precision=precision, **found)


def compiled_engine(builders: Sequence[EngineBuilder], network: bytes, name: str, precision: str) -> bytes:
    """The engine that `rtsep compile` has kept for this machine, of the first builder that made one.

    Raises:
        RtsepError: there is none. Nothing is compiled when a show starts, and nothing runs that was not
            compared.
    """
    cache = EngineCache(default_folder())
    keys = [engine_key(builder, network, precision) for builder in builders]
    for key in keys:
        engine = cache.get(key)
        if engine is not None:
            return engine
    asked = f"--backend {keys[0].backend}" + ("" if precision == "fp32" else f" --precision {precision}")
    raise RtsepError(
        f"{name} is not compiled for {keys[0].device} and {keys[0].runtime}, {precision}",
        f"run `rtsep compile MODEL {asked}` first, or use --backend cpu",
    )


def compile_networks(
    builder: EngineBuilder,
    precision: str,
    recorder: Recorder,
    cache: EngineCache,
    tell: Callable[[str], None],
) -> list[Compiled]:
    """Engines of all recorded networks, each in the cache when it has proved itself.

    An engine from the cache is compared too: a device may have changed under it.

    Raises:
        RtsepError: a network cannot be built, or its engine gives other numbers; it is not kept then.
    """
    if precision not in builder.precisions:
        raise RtsepError(
            f"precision {precision} is not one of {', '.join(builder.precisions)} for {builder.backend}",
            f"choose {builder.precisions[0]}",
        )
    done = []
    for name, network in recorder.networks.items():
        key = engine_key(builder, network, precision)
        began = time.monotonic()
        engine = cache.get(key)
        cached = engine is not None
        if engine is None:
            by = f" by {key.builder}" if key.builder else ""
            tell(f"building {name} for {key.device}, {key.runtime}, {precision}{by}")
            engine = builder.build(network, name, precision)
        seconds = time.monotonic() - began
        tell(f"comparing {name} with ONNX Runtime over {len(recorder.hops[name])} hops")
        error = parity_error(builder.load(engine, name), recorder.hops[name])
        if not error < BOUNDS[precision]:
            raise RtsepError(
                f"{name} on {builder.backend} differs from ONNX Runtime by {error:.2g}, "
                f"bound {BOUNDS[precision]:g}",
                "use --backend cpu",
            )
        if not cached:
            cache.put(key, engine)
        done.append(Compiled(name, cached, seconds, error, len(recorder.hops[name])))
    return done


def parity_error(step: NetworkStep, hops: list[Hop]) -> float:
    """Largest difference of any output over recorded hops, the step carrying its own state from zero; NaN is
    infinite.
    """
    step.reset()
    worst = 0.0
    for given, expected in hops:
        for name, value in given.items():
            step.inputs[name][...] = value
        step.run()
        for name, value in expected.items():
            difference = np.abs(step.outputs[name] - value) / np.maximum(1.0, np.abs(value))
            worst = max(worst, float(np.nan_to_num(difference.max(), nan=np.inf)))
    return worst


def _copies(arrays: dict[str, F32]) -> dict[str, F32]:
    return {name: array.copy() for name, array in arrays.items()}
