"""From a model's name or folder to a model ready to step."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from rtsep.kernels.errors import RtsepError
from rtsep.models.card import LEVELS, TRACKER, NetworkCard
from rtsep.models.choir.comb_masks import AdaptiveCombMasks, CombMasks, FixedCombMasks
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_tracker import MultiF0Tracker, PitchTracker
from rtsep.models.choir.source_filter_masks import SourceFilterMasks
from rtsep.models.framing import Framing
from rtsep.models.mask_model import MaskModel
from rtsep.models.registry import Model, find_model
from rtsep.models.runtimes.network_step import MakeStep, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep

MAX_VOICES = 4

T = TypeVar("T")

# Architectures that a card may name, and what runs them hop by hop: called with (step, voices, framing).
TRACKERS: dict[str, Callable[[NetworkStep, int, Framing], PitchTracker]] = {"pitch-net": NetworkTracker}
LEVEL_MASKS: dict[str, Callable[[NetworkStep, int, Framing], CombMasks]] = {
    "source-filter": SourceFilterMasks
}


def build_model(
    name: str, *, voices: int, framing: Framing, f0: F0Track | None, make_step: MakeStep = OnnxStep
) -> MaskModel:
    """Builds a model for `voices` voices.

    Args:
        name: a shipped model's name, or the path of a model's folder.
        voices: 1..4.
        framing: the spectrum's layout.
        f0: pitches to follow; without them they are tracked.
        make_step: what runs its networks, see `backends.step_maker`.

    Raises:
        RtsepError: an unknown name, a damaged file, a number of voices outside 1..4, or another number of
            given pitches.
    """
    model = find_model(name)
    if not 1 <= voices <= MAX_VOICES:
        raise RtsepError(f"{voices} voices is outside 1..{MAX_VOICES}", "ask for --voices 1 to 4")
    if f0 is not None and f0.voices != voices:
        raise RtsepError(f"{f0.voices} contours of F0 for {voices} voices", "give one contour per voice")
    pitches = _tracker(model, voices, framing, make_step) if f0 is None else f0
    return ChoirModel(voices, framing, _masks(model, voices, framing, make_step), pitches)


def build_tracker(
    name: str, *, voices: int, framing: Framing, make_step: MakeStep = OnnxStep
) -> PitchTracker:
    """The tracker of a model by itself; arguments and errors as of `build_model`."""
    return _tracker(find_model(name), voices, framing, make_step)


def _tracker(model: Model, voices: int, framing: Framing, make_step: MakeStep) -> PitchTracker:
    network = model.card.network(TRACKER, framing.latency_ms)
    if network is None:
        return MultiF0Tracker(voices, framing)
    return _adapted(TRACKERS, model, network, make_step)(voices, framing)


def _masks(model: Model, voices: int, framing: Framing, make_step: MakeStep) -> CombMasks:
    network = model.card.network(LEVELS, framing.latency_ms)
    if network is None:
        comb = AdaptiveCombMasks if model.card.comb == "adaptive" else FixedCombMasks
        return comb(voices, framing)
    return _adapted(LEVEL_MASKS, model, network, make_step)(voices, framing)


def _adapted(
    known: Mapping[str, Callable[[NetworkStep, int, Framing], T]],
    model: Model,
    network: NetworkCard,
    make_step: MakeStep,
) -> Callable[[int, Framing], T]:
    """What runs a network, with the network in it: its file is compared with the card before it is loaded."""
    content = model.read(network.onnx)
    if network.architecture not in known:
        raise RtsepError(
            f"model {model.card.name} has a {network.role} network of architecture "
            f"{network.architecture!r}; this rtsep runs {', '.join(known) or 'none'}",
            "install a newer rtsep",
        )
    return partial(known[network.architecture], make_step(content, f"{model.card.name}'s {network.onnx}"))
