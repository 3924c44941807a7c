"""From a choir model's files to a model ready to step."""

from collections.abc import Callable, Mapping

from rtsep.kernels.errors import ModelRefused
from rtsep.models.card import CHOIR, LEVELS, TRACKER, NetworkCard
from rtsep.models.choir.both_ways import BothWaysChoir
from rtsep.models.choir.comb_masks import AdaptiveCombMasks, CombMasks, FixedCombMasks
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.later_tracker import LaterTracker
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.parts.part_order import PartOrder
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.peak_tracker import MultiF0Tracker, PitchTracker
from rtsep.models.choir.pitch_grid import BANDS, CANDIDATES
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.source_filter_input import ENVELOPE_BANDS, MIXTURE_BANDS, PARTIALS
from rtsep.models.choir.source_filter_masks import SourceFilterMasks
from rtsep.models.framing import PRESETS_MS, Framing
from rtsep.models.registry import Model, find_choir
from rtsep.models.runtimes.network_step import MakeStep, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep

# Architectures that a card may name, and what runs them hop by hop: called with (step, voices, framing), a
# tracker with the score to follow too.
TRACKERS: dict[str, Callable[[NetworkStep, int, Framing, Score | None], PitchTracker]] = {
    "pitch-net": NetworkTracker
}
LEVEL_MASKS: dict[str, Callable[[NetworkStep, int, Framing], CombMasks]] = {
    "source-filter": SourceFilterMasks
}

Ports = dict[str, tuple[int, ...]]
# Inputs and outputs of every architecture, -1 for a size that the network chooses.
PORTS: dict[str, tuple[Ports, Ports]] = {
    "pitch-net": (
        {"bands": (1, BANDS), "preset": (1, len(PRESETS_MS))},
        {name: (1, CANDIDATES) for name in ("salience", "offset", "unison")},
    ),
    "source-filter": (
        {
            "bands": (1, MIXTURE_BANDS),
            "partials": (1, -1, PARTIALS, 3),
            "envelope": (1, -1, ENVELOPE_BANDS),
            "f0_hz": (1, -1),
            "hop_s": (1, 1),
        },
        {"level": (1, -1, PARTIALS), "trust": (1, -1, PARTIALS), "noise": (1, -1, ENVELOPE_BANDS)},
    ),
}


def build_choir(
    name: str,
    *,
    voices: int,
    framing: Framing,
    f0: F0Track | None,
    make_step: MakeStep,
    score: Score | None = None,
    parts: Parts | None = None,
    later_hops: int = 0,
) -> ChoirModel:
    """A choir model for `voices` voices, highest first; arguments and errors as of `build_model`."""
    model = find_choir(name, voices, framing)
    if f0 is not None and f0.voices != voices:
        raise ModelRefused(f"{f0.voices} contours of F0 for {voices} voices", "give one contour per voice")
    if score is not None and f0 is not None:
        raise ModelRefused("a score and given F0 both say who sings what", "leave out --f0 or --score")
    if score is not None and len(score.parts) != voices:
        raise ModelRefused(
            f"the score has {len(score.parts)} parts, --voices is {voices}", "leave --voices out"
        )
    if parts is not None and f0 is not None:
        raise ModelRefused(
            "given F0 say who sings what already", "leave out --f0, or --order, --parts and --range"
        )
    masks = _masks(model, voices, framing, make_step)
    if f0 is not None:
        return ChoirModel(voices, framing, masks, f0)
    tracker = _tracker(model, voices, framing, make_step, score)
    if later_hops:
        backward = _tracker(model, voices, framing, make_step)
        if not (isinstance(tracker, NetworkTracker) and isinstance(backward, NetworkTracker)):
            raise ModelRefused(
                f"model {name} tracks pitches without a network, and decides them at once",
                "use --latency 43 or less, or --model choir",
            )
        tracker = LaterTracker(tracker, backward, voices, later_hops)
    order = None if parts is None else PartOrder(parts, framing)
    return ChoirModel(voices, framing, masks, tracker, order=order)


def build_tracker(
    name: str, *, voices: int, framing: Framing, make_step: MakeStep = OnnxStep
) -> PitchTracker:
    """The tracker of a model by itself; arguments and errors as of `build_model`."""
    return _tracker(find_choir(name, voices, framing), voices, framing, make_step)


def hears_both_ways(model: Model, framing: Framing) -> bool:
    """Whether a choir's tracker can be asked what it hears without deciding: only a network can."""
    return model.card.family == CHOIR and model.card.network(TRACKER, framing.latency_ms) is not None


def build_both_ways(
    name: str,
    *,
    voices: int,
    framing: Framing,
    f0: F0Track | None,
    make_step: MakeStep,
    score: Score | None = None,
) -> BothWaysChoir:
    """A choir model for a file, heard from both ends; arguments and errors as of `build_model`.

    Raises:
        ModelRefused: its tracker cannot (see `hears_both_ways`), and no pitches are given.
    """
    forward, backward = (
        build_choir(name, voices=voices, framing=framing, f0=f0, make_step=make_step, score=score)
        for _ in range(2)
    )
    masks = forward.comb, backward.comb
    if f0 is not None:
        return BothWaysChoir(voices, framing, masks, f0)
    trackers = forward.tracker, backward.tracker
    if not (isinstance(trackers[0], NetworkTracker) and isinstance(trackers[1], NetworkTracker)):
        raise ModelRefused(
            f"model {name} has no network for pitches, which both directions could ask",
            "leave --offline out, or choose another model: see rtsep models",
        )
    return BothWaysChoir(voices, framing, masks, (trackers[0], trackers[1]), score)


def _tracker(
    model: Model, voices: int, framing: Framing, make_step: MakeStep, score: Score | None = None
) -> PitchTracker:
    network = model.card.network(TRACKER, framing.latency_ms)
    if network is None:
        if score is not None:
            raise ModelRefused(
                f"model {model.card.name} tracks pitches without a network, and follows no score",
                "use --model choir, or leave out --score",
            )
        return MultiF0Tracker(voices, framing)
    step = _checked_step(TRACKERS, model, network, voices, make_step)
    return TRACKERS[network.architecture](step, voices, framing, score)


def _masks(model: Model, voices: int, framing: Framing, make_step: MakeStep) -> CombMasks:
    network = model.card.network(LEVELS, framing.latency_ms)
    if network is None:
        comb = AdaptiveCombMasks if model.card.comb == "adaptive" else FixedCombMasks
        return comb(voices, framing)
    step = _checked_step(LEVEL_MASKS, model, network, voices, make_step)
    return LEVEL_MASKS[network.architecture](step, voices, framing)


def _checked_step(
    known: Mapping[str, object],
    model: Model,
    network: NetworkCard,
    voices: int,
    make_step: MakeStep,
) -> NetworkStep:
    """A network, ready to run: its file is compared with the card before it is loaded."""
    content = model.read(network.onnx)
    if network.architecture not in known:
        raise ModelRefused(
            f"model {model.card.name} has a {network.role} network of architecture "
            f"{network.architecture!r}; this rtsep runs {', '.join(known) or 'none'}",
            "install a newer rtsep",
        )
    step = make_step(content, f"{model.card.name}'s {network.onnx}")
    if network.architecture in PORTS:
        step.require(*PORTS[network.architecture])
    if "f0_hz" in step.inputs and step.inputs["f0_hz"].shape[1] < voices:
        raise ModelRefused(
            f"{model.card.name}'s {network.onnx} is for {step.inputs['f0_hz'].shape[1]} voices, not {voices}",
            "ask for fewer --voices",
        )
    return step
