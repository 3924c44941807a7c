"""The band model's networks together, as they are trained."""

from collections.abc import Sequence

from torch import Tensor, nn

from rtsep.models.networks.band_net import BandDecoder, BandEncoder

INTERLEAVED, SIMULTANEOUS, INDEPENDENT = "interleaved", "simultaneous", "independent"
MODES = (INTERLEAVED, SIMULTANEOUS, INDEPENDENT)


class BandNet(nn.Module):
    """Encoder and decoders.

    Args:
        stems: a decoder each.
        encoders: 1, shared by all stems, or one per stem: then these are independent networks.
        paths: of every encoder, see `BandEncoder`.
    """

    def __init__(self, stems: Sequence[str], encoders: int = 1, paths: int = 0) -> None:
        super().__init__()
        if encoders not in (1, len(stems)):
            raise ValueError(f"{encoders} encoders for {len(stems)} stems: expected 1 or {len(stems)}")
        self.stems = tuple(stems)
        self.encoders = nn.ModuleList([BandEncoder(paths) for _ in range(encoders)])
        self.decoders = nn.ModuleDict({stem: BandDecoder() for stem in stems})

    def each_encoder(self) -> list[BandEncoder]:
        """One, or one per stem."""
        return [encoder for encoder in self.encoders if isinstance(encoder, BandEncoder)]

    def encoder(self, stem: int) -> BandEncoder:
        """The encoder that a stem's decoder belongs to."""
        found = self.each_encoder()
        return found[stem if len(found) > 1 else 0]

    def decoder(self, stem: int) -> BandDecoder:
        """The decoder of a stem."""
        found = self.decoders[self.stems[stem]]
        assert isinstance(found, BandDecoder)
        return found

    def gain(self, stem: int, encoded: Sequence[Tensor]) -> Tensor:
        """float32 [batch, time, BANDS] from what the encoder gave."""
        (gain,) = self.decoder(stem).sequence(*encoded[: len(BandDecoder.inputs)])
        return gain
