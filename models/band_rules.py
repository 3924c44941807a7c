"""What a band model's card may hold, beside what any card may: an encoder, and a decoder for every stem."""

from collections.abc import Sequence
from typing import Protocol

from rtsep.kernels.errors import ModelRefused

ENCODER, DECODER = "encoder", "decoder"  # roles of its networks


class Network(Protocol):
    """What the rules look at in a `NetworkCard`."""

    @property
    def role(self) -> str: ...
    @property
    def stem(self) -> str | None: ...
    @property
    def latency_presets_ms(self) -> tuple[int, ...]: ...


class Promises(Protocol):
    """What the rules look at in a `ModelCard`."""

    @property
    def stems(self) -> tuple[str, ...]: ...
    @property
    def latency_presets_ms(self) -> tuple[int, ...]: ...
    @property
    def comb(self) -> str | None: ...
    @property
    def base_sha256(self) -> str | None: ...
    @property
    def encoder_sha256(self) -> str | None: ...
    @property
    def networks(self) -> Sequence[Network]: ...


def require_band(card: Promises, where: str) -> None:
    """Every stem has one decoder at every latency; a whole model has one encoder, an add-on none.

    Raises:
        ModelRefused: the first rule that does not hold.
    """
    if card.comb is not None:
        raise ModelRefused(f"{where}: comb is {card.comb!r}", "a band has none: give null")
    if (card.base_sha256 is None) != (card.encoder_sha256 is None):
        raise ModelRefused(f"{where} names one of base_sha256 and encoder_sha256", "give both or none")
    needed: list[tuple[str, str | None]] = [(DECODER, stem) for stem in card.stems]
    if card.encoder_sha256 is None:
        needed.append((ENCODER, None))
    for role, stem in needed:
        what = role if stem is None else f"{role} of {stem}"
        for ms in card.latency_presets_ms:
            of_it = [n for n in card.networks if (n.role, n.stem) == (role, stem)]
            count = sum(ms in n.latency_presets_ms for n in of_it)
            if count != 1:
                raise ModelRefused(f"{where} has {count} networks as {what} at {ms} ms", "give one")
    for network in card.networks:
        if (network.role, network.stem) not in needed:
            what = "an encoder" if network.stem is None else f"a decoder of {network.stem}"
            raise ModelRefused(f"{where} has {what}, which belongs to none of its stems", "leave it out")
