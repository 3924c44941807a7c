"""What a model's card may hold. Cards come from strangers: their texts are printed, their stems become file
names, and their promises decide what a model is asked to do."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from rtsep.kernels.errors import ModelRefused
from rtsep.models.framing import Framing

MAX_CARD_BYTES = 1 << 20  # shipped cards have 4 kB
MAX_TEXT = 4000  # characters of one line of a card; the longest shipped one has 300
MAX_NAME = 100
MAX_STEMS = 64  # as many as an input may have channels
MAX_PRESET_MS = 10_000  # a longer one is not live
MAX_COUNT = 2**63 - 1  # what every reader of JSON holds exactly
# Of the output beside the stems, and of a take's input: their files lie in the same folder.
RESERVED_STEMS = ("residual", "input")
# Letters, digits and a few signs: a stem's name is a file's name, a word of `--stems a,b` and of `--route`.
_STEM = re.compile(r"\w(?:[\w .+-]{0,38}[\w+-])?")
# Sizes that the networks' classes take, with their bounds, by architecture. A network of an architecture that
# is not named here is refused where it would be built.
CONFIG_BOUNDS: dict[str, dict[str, tuple[int, int]]] = {
    "pitch-net": {"looks": (1, 2)},
    "source-filter": {"voices": (1, 4), "hidden": (1, 4096)},
    "band-net": {"paths": (0, 8)},
}
# Presets are named by whole milliseconds; 5 ms stands for 5.3, and rates between the usual ones round their
# frames: 4.8 to 5.9 ms are all this preset.
PRESET_TOLERANCE = 1.25


class Network(Protocol):
    """What the rules look at in a `NetworkCard`."""

    @property
    def role(self) -> str: ...
    @property
    def latency_presets_ms(self) -> tuple[int, ...]: ...
    @property
    def onnx(self) -> str: ...
    @property
    def onnx_sha256(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...


class Promises(Protocol):
    """What the rules look at in a `ModelCard`."""

    @property
    def name(self) -> str: ...
    @property
    def stems(self) -> tuple[str, ...]: ...
    @property
    def latency_presets_ms(self) -> tuple[int, ...]: ...
    @property
    def samplerate_hz(self) -> tuple[int, int]: ...
    @property
    def networks(self) -> Sequence[Network]: ...


def shown(value: object) -> str:
    """`value` for a message: on one line, no control characters, not longer than a glance."""
    try:
        text = repr(value)
    except RecursionError:
        text = "a deeply nested value"
    if not text.isprintable():
        text = ascii(value)
    return text if len(text) <= 80 else f"{text[:76]}..."


def printable(text: str) -> str:
    """`text` where a card can hold it, with `?` for every character that a terminal would not print."""
    return "".join(c if c.isprintable() else "?" for c in text)


def is_text(value: object) -> bool:
    """One line that a terminal prints as it is: no control characters, escape sequences, line ends or marks
    that turn the direction of writing."""
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def is_model_name(value: object) -> bool:
    """A text that is there, short enough for a line."""
    return is_text(value) and 0 < len(str(value).strip()) <= MAX_NAME


def is_stem_name(value: object) -> bool:
    """A name that is a plain file name on every system, and not one of `RESERVED_STEMS`."""
    return (
        isinstance(value, str)
        and _STEM.fullmatch(value) is not None
        and value.casefold() not in RESERVED_STEMS
    )


def is_file_name(value: object) -> bool:
    """Beside the card and nowhere else."""
    return is_text(value) and 0 < len(str(value)) <= MAX_NAME and value not in (".", "..") and not (
        set(str(value)) & set("/\\")
    )  # fmt: skip


def is_count(value: object) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def read_json(path: Path) -> tuple[object, str]:
    """The JSON of a card's file, and the SHA-256 of the very bytes that it was read from.

    Raises:
        ModelRefused: no regular file, larger than a card can be, no UTF-8, or no JSON that means the same to
            every reader.
    """
    try:
        content = _read_small(path)
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
        return data, hashlib.sha256(content).hexdigest()
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
        elif isinstance(error, UnicodeDecodeError):
            reason = f"byte {error.start} is no UTF-8"
        elif isinstance(error, RecursionError):
            reason = "nested too deeply"
        else:
            reason = str(error)
        raise ModelRefused(
            f"model card {path} cannot be read ({reason})", "check the folder, or install rtsep again"
        ) from None


def _read_small(path: Path) -> bytes:
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
        raise ValueError("not a file")
    with path.open("rb") as file:
        content = file.read(MAX_CARD_BYTES + 1)
    if len(content) > MAX_CARD_BYTES:
        raise ValueError(f"larger than {MAX_CARD_BYTES} bytes")
    return content


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{shown(next(k for k in keys if keys.count(k) > 1))} stands there twice")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


def require_model_name(name: str, option: str) -> None:
    """Raises RtsepError for a name that no card could carry, before a model is made under it."""
    if not is_model_name(name):
        raise ModelRefused(
            f"{option} {shown(name)} cannot be a model's name",
            f"use up to {MAX_NAME} printable characters",
        )


def require_presets(presets_ms: tuple[int, ...], where: str) -> None:
    """Raises RtsepError unless there are presets, each once, in ascending order and below 10 s."""
    ordered = all(a < b for a, b in pairwise(presets_ms))
    if not presets_ms or not ordered or not 1 <= presets_ms[0] <= presets_ms[-1] <= MAX_PRESET_MS:
        raise ModelRefused(
            f"{where}: latency_presets_ms is {shown(list(presets_ms))}, not one or more ascending values of "
            f"1..{MAX_PRESET_MS} ms",
            "name every latency once",
        )


def require_config(architecture: str, config: Mapping[str, object], where: str) -> None:
    """Raises RtsepError for a size that a known architecture does not have, or one out of its bounds."""
    bounds = CONFIG_BOUNDS.get(architecture)
    if bounds is None:
        return
    for key, value in config.items():
        if key not in bounds:
            raise ModelRefused(
                f"{where}: config has {shown(key)}; {architecture} takes {', '.join(bounds) or 'nothing'}",
                "leave it out, or install a newer rtsep",
            )
        low, high = bounds[key]
        if not is_count(value) or not low <= value <= high:  # type: ignore[operator]  # a whole number then
            raise ModelRefused(
                f"{where}: config {key} is {shown(value)}, outside {low}..{high}", "give the trained size"
            )


def require_promises(card: Promises, where: str) -> None:
    """What must hold of any family: rates, presets, stems and files that do not contradict each other.

    Raises:
        ModelRefused: the first that does not.
    """
    low, high = card.samplerate_hz
    if not 1 <= low <= high:
        raise ModelRefused(
            f"{where}: samplerate_hz is {shown([low, high])}, not the lowest and the highest rate",
            "give two rates in Hz",
        )
    require_presets(card.latency_presets_ms, where)
    _require_stems(card.stems, where)
    hashes: dict[str, str] = {}
    for i, network in enumerate(card.networks, start=1):
        extra = set(network.latency_presets_ms) - set(card.latency_presets_ms)
        if extra:
            raise ModelRefused(
                f"{where}, network {i}: it serves {min(extra)} ms, the model does not",
                "name that latency for the model too, or leave it out",
            )
        pairs = ((network.onnx, network.onnx_sha256), (network.weights, network.weights_sha256))
        for name, sha256 in pairs:
            key = name.casefold()  # one file on systems that do not tell cases apart
            if hashes.setdefault(key, sha256) != sha256:
                raise ModelRefused(
                    f"{where}, network {i}: file {shown(name)} has two SHA-256", "give each file its own name"
                )


def _require_stems(stems: Iterable[str], where: str) -> None:
    names = list(stems)
    if not 1 <= len(names) <= MAX_STEMS:
        raise ModelRefused(f"{where}: {len(names)} stems is outside 1..{MAX_STEMS}", "name what it gives")
    seen: set[str] = set()
    for name in names:
        if not is_stem_name(name):
            raise ModelRefused(
                f"{where}: stem {shown(name)} cannot be a file's name",
                f"use up to 40 letters, digits, -, _, + and spaces, and none of {', '.join(RESERVED_STEMS)}",
            )
        if name.casefold() in seen:
            raise ModelRefused(f"{where}: stem {shown(name)} stands there twice", "name every stem once")
        seen.add(name.casefold())


def require_choir(card: Promises, where: str) -> None:
    """What must hold of a choir: voices in order, and for every latency at most one network of a role.

    Raises:
        ModelRefused: the first that does not.
    """
    voices = tuple(f"voice-{i + 1}" for i in range(len(card.stems)))
    if card.stems != voices:
        raise ModelRefused(
            f"{where}: stems of a choir are voice-1, voice-2, ... from the highest down, not "
            f"{shown(list(card.stems))}",
            "name them so",
        )
    served: set[tuple[str, int]] = set()
    for i, network in enumerate(card.networks, start=1):
        for ms in network.latency_presets_ms:
            if (network.role, ms) in served:
                raise ModelRefused(
                    f"{where}, network {i}: it is the second {network.role} network at {ms} ms",
                    "give one for every latency",
                )
            served.add((network.role, ms))


def require_offered(card: Promises, framing: Framing) -> None:
    """Raises RtsepError where a model is asked for a rate or a latency that its card does not offer."""
    low, high = card.samplerate_hz
    if not low <= framing.samplerate <= high:
        rates = f"{low} Hz" if low == high else f"{low}..{high} Hz"
        raise ModelRefused(
            f"model {card.name} works at {rates}, not at {framing.samplerate} Hz",
            "resample the input, or choose another --model",
        )
    if all(
        max(framing.latency_ms / ms, ms / framing.latency_ms) > PRESET_TOLERANCE
        for ms in card.latency_presets_ms
    ):
        presets = ", ".join(map(str, card.latency_presets_ms))
        raise ModelRefused(
            f"model {card.name} works at {presets} ms, not at {framing.latency_ms:.0f} ms",
            f"use --latency {card.latency_presets_ms[0]}"
            if len(card.latency_presets_ms) == 1
            else f"choose --latency among {presets}",
        )
