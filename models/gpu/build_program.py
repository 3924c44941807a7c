"""From a model's name to the whole hop as one torch program, with the weights of its networks."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

import safetensors.torch
from torch import nn

from rtsep.kernels.errors import ModelRefused
from rtsep.models.band_rules import DECODER, ENCODER
from rtsep.models.card import LEVELS, TRACKER, NetworkCard
from rtsep.models.framing import Framing
from rtsep.models.gpu.comb import TensorAdaptiveComb
from rtsep.models.gpu.hop_program import HopProgram, TensorMasks
from rtsep.models.gpu.levels import TensorLevels
from rtsep.models.gpu.tracker import TensorTracker
from rtsep.models.networks.band_net import BandDecoder, BandEncoder
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.models.networks.step_module import HopNetwork, StepModule
from rtsep.models.registry import Model, find_choir, find_model

M = TypeVar("M", bound=nn.Module)

# By architecture and role on the card.
MODULES: dict[tuple[str, str], type[nn.Module]] = {
    ("pitch-net", TRACKER): PitchNet,
    ("source-filter", LEVELS): SourceFilterNet,
    ("band-net", ENCODER): BandEncoder,
    ("band-net", DECODER): BandDecoder,
}

# From a network's module, its ONNX file and a name for messages to what runs in the module's place.
Replace = Callable[[StepModule, bytes, str], HopNetwork]


def build_program(
    name: str, *, voices: int, framing: Framing, channels: int = 1, replace: Replace | None = None
) -> HopProgram:
    """The program of `build_model`'s model, in `eval` mode on the CPU.

    Args:
        name: a shipped model's name, or the path of a model's folder.
        voices: 1..4.
        framing: the spectrum's layout.
        channels: of every stream.
        replace: puts a plan where a network is.

    Raises:
        ModelRefused: what `build_model` refuses, or a part that exists on the CPU alone.
    """
    model = find_choir(name, voices, framing)
    pitches = model.card.network(TRACKER, framing.latency_ms)
    if pitches is None or pitches.architecture != "pitch-net":
        raise ModelRefused(
            f"model {name} has no tracker network: only those run as one program", "choose --model choir"
        )
    finder = _replaced(_trained(PitchNet(**pitches.config), model, pitches), model, pitches, replace)
    tracker = TensorTracker(finder, voices, framing)
    return HopProgram(framing, voices, channels, _masks(model, voices, framing, replace), tracker).eval()


def trained_network(name: str, content: bytes) -> StepModule:
    """The module of a model's network, in `eval` mode on the CPU.

    Args:
        name: a shipped model's name, or the path of a model's folder.
        content: the network's ONNX file.

    Raises:
        ModelRefused: no network of the model, or one of an architecture that is not known here.
    """
    model = find_model(name)
    sha256 = hashlib.sha256(content).hexdigest()
    for network in model.card.networks:
        kind = MODULES.get((network.architecture, network.role))
        if network.onnx_sha256 == sha256 and kind is not None:
            module = _trained(kind(**network.config), model, network).eval()
            assert isinstance(module, StepModule)
            return module
    raise ModelRefused(
        f"model {name} has no such network of an architecture that is known here",
        "choose --backend cuda or cpu",
    )


def _masks(model: Model, voices: int, framing: Framing, replace: Replace | None) -> TensorMasks:
    network = model.card.network(LEVELS, framing.latency_ms)
    if network is not None and network.architecture == "source-filter":
        levels = _trained(SourceFilterNet(**network.config), model, network).with_voices(voices)
        return TensorLevels(_replaced(levels, model, network, replace), voices, framing)
    if network is None and model.card.comb == "adaptive":
        return TensorAdaptiveComb(voices, framing)
    raise ModelRefused(
        f"model {model.card.name} has levels that do not run as one program", "choose --model choir"
    )


def _replaced(module: nn.Module, model: Model, network: NetworkCard, replace: Replace | None) -> HopNetwork:
    module.eval()
    assert isinstance(module, StepModule)
    return replace(module, model.read(network.onnx), network.onnx) if replace else module


def _trained(module: M, model: Model, network: NetworkCard) -> M:
    """The file is compared with the card before it is loaded."""
    module.load_state_dict(safetensors.torch.load(model.read(network.weights)))
    return module
