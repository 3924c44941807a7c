"""From a band model's folder, the stems asked for and add-ons to a model ready to step."""

from rtsep.kernels.errors import ModelRefused
from rtsep.models.band.features import BANDS, BANDS_INPUT, GAIN_OUTPUT, PRESET_INPUT
from rtsep.models.band.model import BandModel
from rtsep.models.band_rules import DECODER, ENCODER
from rtsep.models.card import NetworkCard
from rtsep.models.framing import PRESETS_MS, Framing
from rtsep.models.registry import Model
from rtsep.models.runtimes.network_step import MakeStep, NetworkStep

ARCHITECTURE = "band-net"


def build_band(
    model: Model,
    *,
    stems: tuple[str, ...] | None,
    add_ons: tuple[Model, ...],
    framing: Framing,
    make_step: MakeStep,
) -> BandModel:
    """A band model with the decoders of `stems`, and no others.

    Args:
        model: of the band family.
        stems: which, in this order; None for all of the model and of its add-ons.
        add_ons: decoders of other folders for this model's encoder.
        framing: the spectrum's layout.
        make_step: what runs the networks.

    Raises:
        ModelRefused: a stem that nobody has, an add-on of another encoder, a damaged file, or a network that
            does not fit.
    """
    encoder_card = _network(model, ENCODER, None, framing)
    for add_on in add_ons:
        _require_fit(add_on, model, encoder_card)
    owners = _owners(model, add_ons)
    encoder = _encoder(model, encoder_card, make_step)
    decoders = {
        stem: _decoder(owners[stem], _network(owners[stem], DECODER, stem, framing), encoder, make_step)
        for stem in band_stems(model, stems, add_ons)
    }
    return BandModel(encoder, decoders, framing)


def band_stems(model: Model, stems: tuple[str, ...] | None, add_ons: tuple[Model, ...]) -> tuple[str, ...]:
    """Names of the stems asked for, in order; all of the model and of its add-ons for None.

    Raises:
        ModelRefused: a stem that nobody has, or that two have.
    """
    owners = _owners(model, add_ons)
    for stem in stems or ():
        if stem not in owners:
            raise ModelRefused(
                f"stem {stem!r} is not one of {', '.join(owners)}, the stems of model {model.card.name}",
                "choose among these, or name the add-on that has it with --add-on FOLDER",
            )
    return stems or tuple(owners)


def _owners(model: Model, add_ons: tuple[Model, ...]) -> dict[str, Model]:
    """Which model or add-on has each stem."""
    if model.card.encoder_sha256 is not None:
        raise ModelRefused(
            f"{model.card.name} is an add-on: a decoder without an encoder",
            f"name the model it belongs to with --model, and {model.folder} with --add-on",
        )
    owners = dict.fromkeys(model.card.stems, model)
    for add_on in add_ons:
        if add_on.card.encoder_sha256 is None:
            raise ModelRefused(
                f"{add_on.card.name} is no add-on: its card names no encoder that its decoder belongs to",
                "use it as --model, or give the folder that `rtsep-train add-stem` wrote",
            )
        for stem in add_on.card.stems:
            if stem in owners:
                raise ModelRefused(
                    f"stem {stem!r} is in {owners[stem].card.name} and in {add_on.card.name}",
                    "leave one of them out",
                )
            owners[stem] = add_on
    return owners


def _require_fit(add_on: Model, model: Model, encoder: NetworkCard) -> None:
    card = add_on.card
    if card.encoder_sha256 != encoder.onnx_sha256:
        raise ModelRefused(
            f"add-on {card.name} belongs to the encoder {card.encoder_sha256 or '':.12}... of the model with "
            f"SHA-256 {card.base_sha256 or '':.12}...; {model.card.name} ({model.sha256:.12}...) has the "
            f"encoder {encoder.onnx_sha256:.12}...",
            "use it with the model it was trained for, or train it again",
        )


def _network(model: Model, role: str, stem: str | None, framing: Framing) -> NetworkCard:
    network = model.card.network(role, framing.latency_ms, stem)
    if network is None:
        what = role if stem is None else f"{role} of {stem}"
        raise ModelRefused(
            f"model {model.card.name} has no {what} for {framing.latency_ms:.0f} ms",
            f"choose --latency {', '.join(map(str, model.card.latency_presets_ms))}",
        )
    if network.architecture != ARCHITECTURE:
        raise ModelRefused(
            f"model {model.card.name} has a {role} network of architecture {network.architecture!r}; "
            f"this rtsep runs {ARCHITECTURE}",
            "install a newer rtsep",
        )
    return network


def _encoder(model: Model, card: NetworkCard, make_step: MakeStep) -> NetworkStep:
    step = make_step(model.read(card.onnx), f"{model.card.name}'s {card.onnx}")
    step.require({BANDS_INPUT: (1, BANDS), PRESET_INPUT: (1, len(PRESETS_MS))}, {})
    return step


def _decoder(model: Model, card: NetworkCard, encoder: NetworkStep, make_step: MakeStep) -> NetworkStep:
    step = make_step(model.read(card.onnx), f"{model.card.name}'s {card.onnx}")
    code = {name: array.shape for name, array in encoder.outputs.items()}
    step.require({name: code.get(name, ()) for name in step.inputs}, {GAIN_OUTPUT: (1, BANDS)})
    return step
