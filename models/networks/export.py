"""From a torch network to files that are data, never code: ONNX for the stage, safetensors for training."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save_file
from torch import nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.step_module import StepModule
from rtsep.models.runtimes.network_step import NEXT, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep

OPSET = 18  # the exporter's own: no conversion after it, and every ONNX Runtime since 1.14 reads it
PARITY = 1e-4  # largest difference of any output or state, relative to 1 or to the value where that is larger
PARITY_HOPS = 50


def export_onnx(module: StepModule, path: Path) -> None:
    """Writes one hop at batch 1 as a single ONNX file, and runs it against `module` before it counts.

    Inputs are `inputs` and `states` by their names, outputs are `outputs` and "next." + state.

    Raises:
        RuntimeError: the exported hop differs from the module's by more than 1e-4; no file is left.
    """
    assert isinstance(module, nn.Module)
    arguments = (*module.example_inputs(1), *module.initial_state(1))
    was_training = module.training
    module.eval()
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                arguments,
                input_names=[*module.inputs, *module.states],
                output_names=[*module.outputs, *(NEXT + state for state in module.states)],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        assert program is not None
        content = _anonymous(program.model_proto).SerializeToString(deterministic=True)
        error = parity_error(module, OnnxStep(content, path.name), PARITY_HOPS)
        if not error < PARITY:
            raise RuntimeError(f"{path.name}: the exported hop differs by {error:.2g}, bound {PARITY:g}")
    finally:
        module.train(was_training)
    path.write_bytes(content)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on packages that are not there and on its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the source lines and paths that the exporter notes at every node."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    return model


@torch.no_grad()
def parity_error(module: StepModule, step: NetworkStep, hops: int, seed: int = 0) -> float:
    """Largest difference over `hops` hops of carried state, each side keeping its own.

    Inputs are the module's examples, every value scaled at random by some 3 dB each hop. Differences of
    values beyond 1 count relative to the value.
    """
    generator = torch.Generator().manual_seed(seed)
    examples = module.example_inputs(1)
    state = module.initial_state(1)
    step.reset()
    worst = 0.0
    for _ in range(hops):
        given = [_varied(x, generator) for x in examples]
        for name, value in zip(module.inputs, given, strict=True):
            step.inputs[name][...] = value.numpy()
        step.run()
        found = module(*given, *state)
        outputs, state = found[: len(module.outputs)], found[len(module.outputs) :]
        carried = step.state_dict()
        pairs = [
            *((step.outputs[n], value) for n, value in zip(module.outputs, outputs, strict=True)),
            *((carried[n], value) for n, value in zip(module.states, state, strict=True)),
        ]
        for got, expected in pairs:
            want = expected.numpy()
            worst = max(worst, float(np.max(np.abs(got - want) / np.maximum(1.0, np.abs(want)))))
    return worst


def _varied(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Other values of the same size; a preset, of zeros and a one, stays: between two there is nothing."""
    noise = torch.exp(0.3 * torch.randn(x.shape, generator=generator))
    return torch.where((x == 0) | (x == 1), x, x * noise)


def save_weights(module: nn.Module, path: Path) -> None:
    """Parameters and buffers as safetensors."""
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


def read_weights(path: Path, content: bytes | None = None) -> dict[str, torch.Tensor]:
    """Of a safetensors file, by name; arguments as of `load_weights`.

    Raises:
        RtsepError: no safetensors file.
    """
    try:
        return load_file(path) if content is None else load(content)
    except (OSError, SafetensorError) as error:
        raise RtsepError(f"weights {path} cannot be read ({error})", "check the path") from None


def load_weights(module: nn.Module, path: Path, content: bytes | None = None) -> None:
    """Fills `module` from `save_weights` of one of the same sizes.

    Args:
        module: the network to fill.
        path: of the safetensors file; only a name for messages where the content is given.
        content: of the file where it has been read and compared with a card already: the file might be
            another one by now.

    Raises:
        RtsepError: no safetensors file, or one of another network; `module` is unchanged then.
    """
    found = read_weights(path, content)
    own = module.state_dict()
    for name in sorted(own.keys() | found.keys()):
        have = list(own[name].shape) if name in own else "nothing"
        got = list(found[name].shape) if name in found else "nothing"
        if have != got:
            raise RtsepError(
                f"weights {path}: {name} is {got}, the network needs {have}",
                "use the weights of this network, trained with the same sizes",
            )
    module.load_state_dict(found)
