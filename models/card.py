"""A model's card: JSON that says what it is, what it learned from, and which files belong to it."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from rtsep.kernels.errors import ModelRefused
from rtsep.models.band_rules import DECODER, ENCODER, require_band
from rtsep.models.card_rules import (
    is_count,
    is_file_name,
    is_model_name,
    is_text,
    read_json,
    require_choir,
    require_config,
    require_presets,
    require_promises,
    shown,
)

CHOIR, BAND = "choir", "band"
FAMILIES = (CHOIR, BAND)
TRACKER, LEVELS = "tracker", "levels"
ROLES = {CHOIR: (TRACKER, LEVELS), BAND: (ENCODER, DECODER)}
COMBS = ("adaptive", "fixed")


@dataclass(frozen=True)
class NetworkCard:
    """One trained network of a model.

    Attributes:
        role: of a choir "tracker" (the pitch of each voice) or "levels" (how loud is each voice where), of a
            band "encoder" or "decoder".
        architecture: which code it runs in; see `rtsep.models.build`.
        config: sizes, as the network's class takes them.
        latency_presets_ms: values of `--latency` it serves.
        onnx, onnx_sha256: file name of what the stage runs, and its SHA-256 in hexadecimal.
        weights, weights_sha256: file name of the safetensors that training goes on from, and its SHA-256.
        parameters: how many.
        seed: of the training run.
        recipe: the command that trained it.
        stem: whose masks a decoder gives; None for every other role.
    """

    role: str
    architecture: str
    config: dict[str, Any]
    latency_presets_ms: tuple[int, ...]
    onnx: str
    onnx_sha256: str
    weights: str
    weights_sha256: str
    parameters: int
    seed: int
    recipe: str
    stem: str | None = None

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 by file name."""
        return {self.onnx: self.onnx_sha256, self.weights: self.weights_sha256}


@dataclass(frozen=True)
class ModelCard:
    """What a user should know before going on stage with a model.

    Attributes:
        name: as in `--model NAME`.
        family: "choir" (voices, highest first) or "band" (named stems).
        summary: one line.
        stems: outputs in order, the residual left out; a choir model gives the first `--voices` of them.
        latency_presets_ms: values of `--latency` it works at.
        samplerate_hz: lowest and highest sample rate.
        licence: SPDX name of the licence of weights and code.
        training_data: what it learned from, each with its licence; one line each, none without training.
        credits: whom its data's licences ask to name; one line each.
        measured_quality: what was measured, on what and how; one line each.
        limits: what it cannot do; one line each.
        comb: "adaptive" or "fixed" where levels are read off the mixture, None where every latency has a
            levels network.
        networks: trained parts; pitches are tracked without training where none is a tracker.
        parent_sha256: of the card this model was adapted from, None where it was not.
        base_sha256, encoder_sha256: of an add-on, a decoder that lies in a folder of its own: the card of the
            model it was trained beside, and the encoder's ONNX file that it needs. None for a whole model.
    """

    name: str
    family: str
    summary: str
    stems: tuple[str, ...]
    latency_presets_ms: tuple[int, ...]
    samplerate_hz: tuple[int, int]
    licence: str
    training_data: tuple[str, ...]
    credits: tuple[str, ...]
    measured_quality: tuple[str, ...]
    limits: tuple[str, ...]
    comb: str | None
    networks: tuple[NetworkCard, ...]
    parent_sha256: str | None
    base_sha256: str | None = None
    encoder_sha256: str | None = None

    def network(self, role: str, latency_ms: float, stem: str | None = None) -> NetworkCard | None:
        """The network of a role (and stem) that serves the preset nearest to `latency_ms`; None where none
        does."""
        preset = min(self.latency_presets_ms, key=lambda ms: abs(ms - latency_ms))
        for network in self.networks:
            if (network.role, network.stem) == (role, stem) and preset in network.latency_presets_ms:
                return network
        return None


def network_from_json(data: object, where: str) -> NetworkCard:
    """One network of a card.

    Raises:
        ModelRefused: fields that are missing, unknown, of the wrong kind or out of bounds; `where` says
            whose.
    """
    network = _made(NetworkCard, data, where)
    _one_of(network.role, tuple(role for roles in ROLES.values() for role in roles), f"{where}: role")
    require_presets(network.latency_presets_ms, where)
    require_config(network.architecture, network.config, where)
    if (network.role == DECODER) != (network.stem is not None):
        raise ModelRefused(
            f"{where}: stem is {shown(network.stem)}", "name the stem of a decoder, and of no other role"
        )
    return network


def read_card(path: Path) -> tuple[ModelCard, str]:
    """Reads one card once, and refuses one that cannot be kept to.

    Returns:
        The card, and the SHA-256 in hexadecimal of the bytes it was made of.

    Raises:
        ModelRefused: no JSON; fields that are missing, unknown or of the wrong kind; or promises (family,
            rates, presets, stems, files) that contradict each other.
    """
    data, sha256 = read_json(path)
    where = f"model card {path}"
    networks = data.get("networks") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(networks, list):
        data["networks"] = [
            network_from_json(entry, f"{where}, network {i + 1}") for i, entry in enumerate(networks)
        ]
    card = _made(ModelCard, data, where)
    _one_of(card.family, FAMILIES, f"{where}: family")
    require_promises(card, where)
    if card.comb is not None:
        _one_of(card.comb, COMBS, f"{where}: comb")
    for network in card.networks:
        _one_of(network.role, ROLES[card.family], f"{where}: role in a {card.family}")
    if card.family == BAND:
        require_band(card, where)
        return card, sha256
    require_choir(card, where)
    if (card.base_sha256, card.encoder_sha256) != (None, None):
        raise ModelRefused(f"{where}: a choir is no add-on", "leave out base_sha256 and encoder_sha256")
    served = {ms for network in card.networks if network.role == LEVELS for ms in network.latency_presets_ms}
    bare = set(card.latency_presets_ms) - served
    if (card.comb is None) == bool(bare):
        raise ModelRefused(
            f"{where} must name a comb where a latency has no levels network, and only there",
            "give one of the two for every latency",
        )
    return card, sha256


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise ModelRefused(f"{what} {shown(value)} is not one of {', '.join(allowed)}", "see ModelCard")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _is_list_of(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(inner, value))


_TEXTS = (_is_list_of(is_text), "a list of strings, each one printable line")
_COUNTS = (_is_list_of(is_count), "a list of whole numbers")
_HASH = (_is_sha256, "a SHA-256 in hexadecimal")
_MAYBE_HASH = (lambda value: value is None or _is_sha256(value), "a SHA-256 in hexadecimal or null")
_FILE = (is_file_name, "a plain file name")
_TEXT = (is_text, "a string of one printable line")
_NAME = (is_model_name, "a short string of one printable line")
_COUNT = (is_count, "a whole number")
_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "name": _NAME,
    "stems": _TEXTS,
    "latency_presets_ms": _COUNTS,
    "samplerate_hz": (lambda value: _is_list_of(is_count)(value) and len(value) == 2, "two whole numbers"),  # type: ignore[arg-type]
    "training_data": _TEXTS,
    "credits": _TEXTS,
    "measured_quality": _TEXTS,
    "limits": _TEXTS,
    "comb": (lambda value: value is None or is_text(value), "a string or null"),
    "networks": (_is_list_of(lambda value: isinstance(value, NetworkCard)), "a list"),
    "parent_sha256": _MAYBE_HASH,
    "base_sha256": _MAYBE_HASH,
    "encoder_sha256": _MAYBE_HASH,
    "stem": (lambda value: value is None or is_text(value), "a string or null"),
    "config": (lambda value: isinstance(value, dict), "an object"),
    "onnx": _FILE,
    "weights": _FILE,
    "onnx_sha256": _HASH,
    "weights_sha256": _HASH,
    "parameters": _COUNT,
    "seed": _COUNT,
}

T = TypeVar("T", NetworkCard, ModelCard)


def _made(kind: type[T], data: object, where: str) -> T:
    """`kind` from JSON, every field there (those with a default may be left out) and of its kind."""
    if not isinstance(data, dict):
        raise ModelRefused(f"{where} is no JSON object", f"see {kind.__name__}")
    names = {field.name for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    if not needed <= data.keys() <= names:
        odd = ", ".join(shown(name) for name in sorted((needed - data.keys()) | (data.keys() - names))[:8])
        raise ModelRefused(f"{where} has missing or unknown fields: {odd}", f"see {kind.__name__}")
    for key, value in data.items():
        test, words = _KINDS.get(key, _TEXT)
        if not test(value):
            raise ModelRefused(f"{where}: {key} is {shown(value)}, not {words}", f"see {kind.__name__}")
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return kind(**made)
