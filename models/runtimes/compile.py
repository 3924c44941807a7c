"""From a model's networks to plans of a backend: built, compared with ONNX Runtime on audio, only then
kept.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.runtimes.network_step import F32, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.models.runtimes.plan_cache import PlanCache, PlanKey, default_folder

# Largest difference of any output, relative to 1 or to the value where that is larger.
# Half precision, 11 bits of every factor: 0.008 was found on recorded choirs.
BOUNDS = {"fp32": 1e-4, "fp16": 2e-2}

Hop = tuple[dict[str, F32], dict[str, F32]]  # inputs and outputs of one hop


class PlanBuilder(Protocol):
    """A backend that turns networks into plans."""

    backend: str
    precisions: tuple[str, ...]

    def describe(self) -> dict[str, str]:
        """`device`, `driver`, `runtime` and `builder` of a `PlanKey`."""
        ...

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """A plan from the content of an ONNX file; RtsepError where it cannot be."""
        ...

    def load(self, plan: bytes, name: str) -> NetworkStep:
        """A step that runs a plan; RtsepError where it cannot."""
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
        """See `PlanBuilder`."""
        return self._module.describe_device()

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `PlanBuilder`."""
        return self._module.compile_network(network, name)

    def load(self, plan: bytes, name: str) -> NetworkStep:
        """See `PlanBuilder`."""
        return self._module.OpenVinoStep(plan, name, compiled=True)


class ReferenceSteps:
    """Makes steps of ONNX Runtime that keep what goes in and out of each hop, to compare plans with."""

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

            def take_back(self) -> None:
                super().take_back()
                hops.pop()  # nothing that was said afterwards hangs by it

        step = Recorded(content, name)
        hops.clear()  # the warm-up's
        return step


@dataclass(frozen=True)
class Compiled:
    """What became of one network.

    Attributes:
        name: of the network.
        cached: whether the plan was there already.
        seconds: that building took.
        error: largest difference from ONNX Runtime over the recorded hops.
        hops: how many those were.
    """

    name: str
    cached: bool
    seconds: float
    error: float
    hops: int


def plan_key(builder: PlanBuilder, network: bytes, precision: str) -> PlanKey:
    """What a plan of `network` on this machine depends on."""
    found = {"driver": "", **builder.describe()}
    return PlanKey(hashlib.sha256(network).hexdigest(), builder.backend, precision=precision, **found)


def compiled_plan(builders: Sequence[PlanBuilder], network: bytes, name: str, precision: str) -> bytes:
    """The plan that `rtsep compile` has kept for this machine, of the first builder that made one.

    Raises:
        RtsepError: there is none. Nothing is compiled when a show starts, and nothing runs that was not
            compared.
    """
    cache = PlanCache(default_folder())
    keys = [plan_key(builder, network, precision) for builder in builders]
    for key in keys:
        plan = cache.get(key)
        if plan is not None:
            return plan
    asked = f"--backend {keys[0].backend}" + ("" if precision == "fp32" else f" --precision {precision}")
    raise RtsepError(
        f"{name} is not compiled for {keys[0].device} and {keys[0].runtime}, {precision}",
        f"run `rtsep compile MODEL {asked}` first, or use --backend cpu",
    )


def compile_networks(
    builder: PlanBuilder,
    precision: str,
    reference: ReferenceSteps,
    cache: PlanCache,
    tell: Callable[[str], None],
) -> list[Compiled]:
    """Plans of all recorded networks, each in the cache when it has proved itself.

    A plan from the cache is compared too: a device may have changed under it.

    Raises:
        RtsepError: a network cannot be built, or its plan gives other numbers; it is not kept then.
    """
    if precision not in builder.precisions:
        raise RtsepError(
            f"precision {precision} is not one of {', '.join(builder.precisions)} for {builder.backend}",
            f"choose {builder.precisions[0]}",
        )
    done = []
    for name, network in reference.networks.items():
        key = plan_key(builder, network, precision)
        began = time.monotonic()
        plan = cache.get(key)
        cached = plan is not None
        if plan is None:
            by = f" by {key.builder}" if key.builder else ""
            tell(f"building {name} for {key.device}, {key.runtime}, {precision}{by}")
            plan = builder.build(network, name, precision)
        seconds = time.monotonic() - began
        tell(f"comparing {name} with ONNX Runtime over {len(reference.hops[name])} hops")
        error = parity_error(builder.load(plan, name), reference.hops[name])
        if not error < BOUNDS[precision]:
            raise RtsepError(
                f"{name} on {builder.backend} differs from ONNX Runtime by {error:.2g}, "
                f"bound {BOUNDS[precision]:g}",
                "use --backend cpu",
            )
        if not cached:
            cache.put(key, plan)
        done.append(Compiled(name, cached, seconds, error, len(reference.hops[name])))
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
