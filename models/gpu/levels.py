"""`SourceFilterMasks` as tensor operations: comb, network, comb again; many streams at once."""

import torch
from torch import Tensor, nn

from rtsep.kernels.comb_model import LOUDEST_LOG, QUIETEST
from rtsep.models.choir.source_filter_input import mixture_bands
from rtsep.models.framing import Framing
from rtsep.models.gpu.comb import BANDS, UNSEEN, TensorComb, level_db, read_envelope
from rtsep.models.networks.filterbank import TensorFilterbank
from rtsep.models.networks.step_module import HopNetwork


class TensorLevels(nn.Module):
    """Masks of S independent streams by a trained network.

    Args:
        network: a `SourceFilterNet` for as many voices as shall sing, or a plan of one.
        voices: V.
        framing: the spectrum's layout.
    """

    hop_s: Tensor

    def __init__(self, network: HopNetwork, voices: int, framing: Framing) -> None:
        super().__init__()
        self.network, self.voices = network, voices
        self.comb = TensorComb(framing)
        self.bank = TensorFilterbank(mixture_bands(framing), framing)
        hop_s = torch.full((1, 1), framing.hop / framing.samplerate)
        self.register_buffer("hop_s", hop_s, persistent=False)

    def initial_state(self, streams: int) -> tuple[Tensor, ...]:
        """As before any input: envelope [S, V, BANDS], before_hz [S, V], the network's."""
        envelope = torch.full((streams, self.voices, BANDS), UNSEEN)
        network = (torch.zeros(tensor.shape) for tensor in self.network.initial_state(streams))
        return envelope, torch.zeros(streams, self.voices), *network

    def forward(
        self, power: Tensor, f0_hz: Tensor, envelope: Tensor, before_hz: Tensor, *memory: Tensor
    ) -> tuple[Tensor, ...]:
        """power [S, bins], f0_hz [S, V], state -> masks [S, V, bins], level_db [S, V], state."""
        comb = self.comb
        bands = self.bank(torch.sqrt(power))
        power = comb.clean(power)
        ground = comb.ground(power)
        partials, model = comb.fit(comb.place(power, f0_hz, before_hz, envelope), power, ground)
        envelope = comb.learn(partials, model, envelope)
        fitted = torch.log(partials.levels)
        read = read_envelope(envelope, partials.band, partials.fraction, fitted)
        own = comb.own_share(partials, model)
        seen = (
            torch.where(partials.there, fitted, QUIETEST),
            torch.where(partials.there, read, QUIETEST),
            own,
        )
        f0_hz = f0_hz.nan_to_num(0.0, 0.0, 0.0)
        hop_s = self.hop_s.expand(f0_hz.shape[0], -1)
        results = self.network(bands, torch.stack(seen, -1), envelope, f0_hz, hop_s, *memory)
        level, trust, noise = results[:3]
        memory = results[len(self.network.outputs) :]

        level = _log_power(level)
        floors = comb.interharmonic_floor(torch.exp(_log_power(noise)))
        start = partials._replace(levels=torch.exp(level))
        partials, _ = comb.fit(start, power, ground + floors.sum(1))
        fitted = torch.log(partials.levels)
        share = trust.nan_to_num(0.0, 0.0, 0.0).clamp(0.0, 1.0)
        blended = torch.exp(fitted + share * (level - fitted))
        source = floors + comb.lay(partials, torch.where(partials.there, blended, 0.0))
        return comb.masks(source, power), level_db(partials), envelope, f0_hz, *memory


def _log_power(x: Tensor) -> Tensor:
    """Within what power can be; what is no number is the quietest."""
    return torch.where(torch.isfinite(x), x.clamp(QUIETEST, LOUDEST_LOG), QUIETEST)
