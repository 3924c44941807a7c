"""The source-filter network: from what the mixture says about every voice to its source-filter parameters and
its levels.

One encoder takes the mixture, one decoder, the same for all voices, is steered by F0 (Schulze-Forster et al.,
arXiv 2201.09592), both causal. Instead of the whole spectrum a decoder sees what an adaptive comb
(kernels/src/guided_comb.cpp) reads at the partials of its own F0, and the envelope of its voice learnt so
far; the comb then corrects the network's levels by the mixture.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.choir.source_filter_input import BAND_HZ, ENVELOPE_BANDS, MIXTURE_BANDS, PARTIALS
from rtsep.models.networks import source_filter_physics as physics
from rtsep.models.networks.gru_cell import GruCell

NEAR_PARTIALS = 16  # seen one by one: they hold most of the energy; the others through the envelope
SILENCE = -20.0  # log power (-87 dB) of the loudest moment before any input
FALL_PER_S = 1.4  # 6 dB: the loudness that all levels are measured against outlasts breaths, not pieces
QUIET, LOUD = -14.0, 4.0  # log power against the loudness: what is 60 dB down counts as silent
# exp_sigmoid at 0 is a fifth of its maximum: there an even spread over 30 partials at formants of 20 dB is as
# loud as the mixture.
LOUDEST_AMPLITUDE, LOUDEST_NOISE = 32.0, 1.0
SOURCE = (1, 1, physics.NOISE_BANDS, physics.ORDER + 1)  # amplitude, noise gain, noise bands, gaps of lines
INTERHARMONIC_FLOOR = (
    -6.9
)  # -30 dB under its envelope: a voice between its partials, as the adaptive comb has it


def _relative(log_power: Tensor, loudness: Tensor) -> Tensor:
    """Levels against the loudness, in a range for networks."""
    return (log_power - loudness).clamp(QUIET, LOUD) / LOUD


class SourceFilterNet(nn.Module):
    """One hop: V voices of one mixture, as a `StepModule`.

    Inputs (float32, batch first; `GuidedComb.observe` gives partials and envelope):
        bands [B, 85]: natural log of the mixture's band magnitudes, see `mixture_bands`.
        partials [B, V, 80, 3]: log power fitted, log power the envelope predicts, own share 0..1.
        envelope [B, V, 36]: log power per band.
        f0_hz [B, V]: 0 = unvoiced.
        hop_s [B, 1]: seconds per hop: one network for all latencies.
    Outputs:
        level [B, V, 80], trust [B, V, 80], noise [B, V, 36]: for `GuidedComb.mask`.
        amplitude [B, V], noise_gain [B, V], noise_bands [B, V, 40], lsf [B, V, 20]: the source-filter
            parameters.

    Args:
        voices: V; the weights do not depend on it.
        hidden: states of encoder and of every decoder.
    """

    inputs = ("bands", "partials", "envelope", "f0_hz", "hop_s")
    outputs = ("level", "trust", "noise", "amplitude", "noise_gain", "noise_bands", "lsf")
    states = ("loudness", "mixture", "decoder")

    band_hz: Tensor
    number: Tensor
    slope: Tensor
    shift: Tensor
    maximum: Tensor
    seen_scale: Tensor

    def __init__(self, voices: int = 4, hidden: int = 128) -> None:
        super().__init__()
        self.voices, self.hidden = voices, hidden
        self.encoder_in = nn.Linear(MIXTURE_BANDS + 1, hidden)
        self.encoder = GruCell(hidden, hidden)
        self.embedding = nn.Linear(hidden, 64)
        self.decoder_in = nn.Linear(64 + 1 + 2 + ENVELOPE_BANDS + 2 * NEAR_PARTIALS, hidden)
        self.decoder = GruCell(hidden, hidden)
        self.decoder_out = nn.Linear(2 * hidden, hidden)
        self.source = nn.Linear(hidden, sum(SOURCE))
        self.between = nn.Linear(hidden, 1 + ENVELOPE_BANDS)
        self.context = nn.Linear(hidden, 16)
        self.partial_in = nn.Linear(16 + 6, 32)
        self.partial_out = nn.Linear(32, 3)
        self.register_buffer("band_hz", torch.tensor(BAND_HZ), persistent=False)
        self.register_buffer("number", torch.arange(1.0, PARTIALS + 1.0), persistent=False)
        # of amplitude, noise gain, noise bands and gaps between line frequencies
        for name, values in (
            ("slope", (1.0, 1.0, 2.5, 1.0)),
            ("shift", (0.0, -2.0, 0.0, 0.0)),
            ("maximum", (LOUDEST_AMPLITUDE, LOUDEST_NOISE, 2.0, 2.0)),
        ):
            vector = torch.repeat_interleave(torch.tensor(values), torch.tensor(SOURCE))
            self.register_buffer(name, vector, persistent=False)
        # of what `levels` shows at a partial, to about -2..2; frequency and number count in octaves
        octave = math.log(2.0)
        scale = torch.tensor([1 / 2.0, 1.0, 1 / LOUD, 1 / 3.0, 1 / (2.0 * octave), 1 / (3.0 * octave)])
        self.register_buffer("seen_scale", scale, persistent=False)
        self.lean_on_the_mixture(0.0)

    def lean_on_the_mixture(self, share: float) -> None:
        """Starts the levels at a blend, in log power, of the source-filter model and the voice's envelope as
        read off the mixture.

        Args:
            share: of the envelope, 0..1; at 0 the source-filter parameters alone make the levels, as
                published.
        """
        gate = torch.logit(torch.tensor(share).clamp(1e-3, 1.0 - 1e-3))
        with torch.no_grad():
            for layer in (self.between, self.partial_out):
                layer.weight.zero_()
                layer.bias.zero_()
                layer.bias[0] = gate
            self.partial_out.bias[2] = 1.386  # trust of 0.8: the comb's own share of envelope against fit

    def with_voices(self, voices: int) -> "SourceFilterNet":
        """The same weights for another number of voices."""
        other = SourceFilterNet(voices, self.hidden)
        other.load_state_dict(self.state_dict())
        return other.to(self.encoder_in.weight)

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """Before any input: loudness [B, 1] (above silence), mixture [B, H], decoder [B, V, H]."""
        like = self.encoder_in.weight
        shapes = ((batch, 1), (batch, self.hidden), (batch, self.voices, self.hidden))
        return tuple(torch.zeros(shape, dtype=like.dtype, device=like.device) for shape in shapes)

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        """A chord at about -20 dBFS."""
        like = self.encoder_in.weight
        voices = (batch, self.voices)
        bands = torch.linspace(-4.0, -9.0, MIXTURE_BANDS).expand(batch, -1)
        partials = torch.stack(
            [torch.linspace(-6.0, -16.0, PARTIALS)] * 2 + [torch.full((PARTIALS,), 0.7)], dim=-1
        )
        envelope = torch.linspace(-6.0, -16.0, ENVELOPE_BANDS).expand(*voices, -1)
        f0_hz = (
            torch.tensor([440.0, 330.0, 220.0, 110.0])
            .repeat(1 + self.voices // 4)[: self.voices]
            .expand(voices)
        )
        given = (bands, partials.expand(*voices, -1, -1), envelope, f0_hz, torch.full((batch, 1), 0.005))
        return tuple(x.to(like).contiguous() for x in given)

    def forward(
        self,
        bands: Tensor, partials: Tensor, envelope: Tensor, f0_hz: Tensor, hop_s: Tensor,
        loudness: Tensor, mixture: Tensor, decoder: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """One hop, see the class."""
        loudness = torch.maximum(loudness - FALL_PER_S * hop_s, self._loudness(bands))
        mixture = self.encoder(self._encoder_input(bands, loudness, hop_s), mixture)
        x = self._decoder_input(partials, envelope, f0_hz, hop_s, loudness, mixture)
        h = self.decoder(x.flatten(0, 1), decoder.flatten(0, 1)).reshape(-1, self.voices, self.hidden)
        return (*self._outputs(x, h, partials, envelope, f0_hz, loudness), loudness, mixture, h)

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        """T hops at once: inputs and outputs have time as axis 1."""
        partials, envelope, f0_hz = args[1:4]
        x, h, loudness, state = self.decode_sequence(*args)
        return (*self._outputs(x, h, partials, envelope, f0_hz, loudness), *state)

    def decode_sequence(
        self,
        bands: Tensor, partials: Tensor, envelope: Tensor, f0_hz: Tensor, hop_s: Tensor,
        loudness: Tensor, mixture: Tensor, decoder: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:  # fmt: skip
        """The recurrent part of `sequence`: decoder inputs and states [B, T, V, H], loudness [B, T, 1], and
        the last state."""
        fallen = FALL_PER_S * torch.cumsum(hop_s, dim=1)
        peaks = torch.cummax(
            torch.cat((loudness.unsqueeze(1), self._loudness(bands) + fallen), dim=1), dim=1
        ).values[:, 1:]
        levels = peaks - fallen
        states, mixture = self.encoder.sequence(self._encoder_input(bands, levels, hop_s), mixture)
        x = self._decoder_input(partials, envelope, f0_hz, hop_s, levels, states)
        batch, hops = bands.shape[:2]
        by_voice = x.transpose(1, 2).reshape(batch * self.voices, hops, -1)
        h, last = self.decoder.sequence(by_voice, decoder.flatten(0, 1))
        h = h.reshape(batch, self.voices, hops, self.hidden).transpose(1, 2)
        return x, h, levels, (levels[:, -1], mixture, last.reshape(batch, self.voices, self.hidden))

    def source_filter(
        self, x: Tensor, h: Tensor, loudness: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What follows the decoder's cell: features [..., V, H], then amplitude, noise gain, noise bands and
        lsf."""
        y = functional.silu(self.decoder_out(torch.cat((x, h), dim=-1)))
        scale = torch.exp(0.5 * (loudness + SILENCE))
        # slopes go into the weights: constants of an exported graph
        weight, bias = self.source.weight * self.slope.unsqueeze(-1), self.source.bias * self.slope
        gains = physics.exp_sigmoid(functional.linear(y, weight, bias + self.shift), self.maximum)
        amplitude, noise_gain, noise_bands, gaps = gains.split_with_sizes(SOURCE, dim=-1)
        return (
            y,
            scale * amplitude.squeeze(-1),
            scale * noise_gain.squeeze(-1),
            noise_bands,
            physics.line_frequencies(gaps),
        )

    def levels(
        self,
        partials: Tensor,
        number: Tensor,
        f0_hz: Tensor,
        context: Tensor,
        loudness: Tensor,
        amplitude: Tensor,
        lsf: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Log power and trust of partials `number` [..., n], given what the comb read at them, partials [...,
        n, 3].

        The other arguments belong to their voices: [...] or, `context` and `lsf`, [..., features].
        """
        # partials last: rows of features are long there, and every row is in one piece
        fitted, read, own = partials.transpose(-1, -2).chunk(3, dim=-2)
        frequency_hz = number * f0_hz.clamp(min=physics.LOWEST_F0_HZ).unsqueeze(-1)
        modelled = physics.harmonic_log_power(frequency_hz, f0_hz, amplitude, lsf).unsqueeze(-2)
        level = (loudness + SILENCE).unsqueeze(-1).unsqueeze(-1)
        seen = torch.cat(
            (
                (fitted - read).clamp(-4.0, 4.0),
                own,
                (fitted - level).clamp(QUIET, LOUD),
                (modelled - read).clamp(-6.0, 6.0),
                torch.log(frequency_hz / 1000.0).unsqueeze(-2),
                torch.log(number).unsqueeze(-2).expand_as(own),
            ),
            dim=-2,
        )
        # one product for the voice, one for the partial: the voice's is not computed again for each of its
        # partials
        weight = self.partial_in.weight
        shared = functional.linear(context, weight[:, :16], self.partial_in.bias).unsqueeze(-1)
        hidden = functional.silu(shared + (weight[:, 16:] * self.seen_scale) @ seen)
        gate, offset, trust = (self.partial_out.weight @ hidden + self.partial_out.bias.unsqueeze(-1)).chunk(
            3, dim=-2
        )
        found = modelled + torch.sigmoid(gate) * (read - modelled) + offset
        return found.squeeze(-2), torch.sigmoid(trust).squeeze(-2)

    def noise(
        self, y: Tensor, envelope: Tensor, loudness: Tensor, gain: Tensor, bands: Tensor, lsf: Tensor
    ) -> Tensor:
        """Log power between partials on the envelope's bands."""
        raw = self.between(y)
        modelled = physics.noise_log_power(self.band_hz, gain, bands, lsf)
        read = torch.maximum(envelope, (loudness + SILENCE).unsqueeze(-1) - 14.0) + INTERHARMONIC_FLOOR
        level: Tensor = modelled + torch.sigmoid(raw[..., :1]) * (read - modelled) + raw[..., 1:]
        return level

    def _outputs(
        self, x: Tensor, h: Tensor, partials: Tensor, envelope: Tensor, f0_hz: Tensor, loudness: Tensor
    ) -> tuple[Tensor, ...]:
        y, amplitude, noise_gain, noise_bands, lsf = self.source_filter(x, h, loudness)
        level, trust = self.levels(partials, self.number, f0_hz, self.context(y), loudness, amplitude, lsf)
        noise = self.noise(y, envelope, loudness, noise_gain, noise_bands, lsf)
        return level, trust, noise, amplitude, noise_gain, noise_bands, lsf

    @staticmethod
    def _loudness(bands: Tensor) -> Tensor:
        """Log power of all bands, above silence, [..., 1]."""
        return (torch.logsumexp(2.0 * bands, dim=-1, keepdim=True) - SILENCE).clamp(min=0.0)

    def _encoder_input(self, bands: Tensor, loudness: Tensor, hop_s: Tensor) -> Tensor:
        seen = torch.cat((_relative(2.0 * bands, loudness + SILENCE), _rate(hop_s)), dim=-1)
        return functional.silu(self.encoder_in(seen))

    def _decoder_input(
        self,
        partials: Tensor,
        envelope: Tensor,
        f0_hz: Tensor,
        hop_s: Tensor,
        loudness: Tensor,
        mixture: Tensor,
    ) -> Tensor:
        level = (loudness + SILENCE).unsqueeze(-1)
        shared = torch.cat((self.embedding(mixture), _rate(hop_s)), dim=-1)
        f0_hz = f0_hz.unsqueeze(-1)
        voiced = (f0_hz >= physics.LOWEST_F0_HZ).to(f0_hz.dtype)
        pitch = voiced * torch.log2(f0_hz.clamp(min=physics.LOWEST_F0_HZ) / 220.0)
        near = partials[..., :NEAR_PARTIALS, :]
        observed = torch.cat((envelope, near[..., 0]), dim=-1)
        seen = torch.cat(
            (
                shared.unsqueeze(-2).expand(*f0_hz.shape[:-1], -1),
                voiced,
                pitch,
                _relative(observed, level),
                near[..., 2],
            ),
            dim=-1,
        )
        return functional.silu(self.decoder_in(seen))


def _rate(hop_s: Tensor) -> Tensor:
    """Hop durations of 2.7 to 21 ms as -1.5 to 1.5."""
    return torch.log2(hop_s / 0.0075)
