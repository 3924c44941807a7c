"""`NetworkTracker` as tensor operations: the pitch network and the assignment, for many streams at once."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rtsep.models.choir.network_tracker import OF_OTHERS, STATES, preset_of
from rtsep.models.choir.peak_reading import (
    JOIN_CENTS,
    JOIN_S,
    LEAST_LOG_ODDS,
    LEAST_SHARE,
    OTHERS,
    REPORT_LOG_ODDS,
    SAME_VOICE,
    SCORE_PER_E,
    UNISON_LOG_ODDS,
)
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ, pitch_filterbank
from rtsep.models.framing import Framing
from rtsep.models.gpu.assignment import PEAKS, SILENT, TensorAssignment
from rtsep.models.gpu.fused_tracker import assign_pitches, choices, fuses
from rtsep.models.networks.filterbank import TensorFilterbank
from rtsep.models.networks.pitch_net import PRESETS
from rtsep.models.networks.step_module import HopNetwork

OWN = len(STATES)  # tensors of state that the assignment and its reading carry on
MEMORY = OWN + len(OF_OTHERS)  # tensors of state before the network's
Peaks = tuple[Tensor, Tensor, Tensor]  # as of `peaks`


class TensorTracker(nn.Module):
    """Tracks 1..4 voices of every stream, highest first.

    Args:
        network: a trained `PitchNet`, or a plan of one.
        voices: V.
        framing: the spectrum's layout.
    """

    preset: Tensor
    choices: Tensor

    def __init__(self, network: HopNetwork, voices: int, framing: Framing) -> None:
        super().__init__()
        self.network, self.voices = network, voices
        self.bank = TensorFilterbank(pitch_filterbank(framing), framing)
        preset, self.stride = preset_of(framing)
        one_hot = nn.functional.one_hot(torch.tensor([preset]), PRESETS).float()
        self.register_buffer("preset", one_hot, persistent=False)
        self.hop_s = self.stride * framing.hop / framing.samplerate
        self.assignment = TensorAssignment(voices, self.hop_s)
        self.register_buffer("choices", choices(voices), persistent=False)
        self.fused: bool | None = None  # the assignment in one kernel; None: where that runs

    def initial_state(self, streams: int) -> tuple[Tensor, ...]:
        """Before any input: hops [S]; f0_hz, confident, own_hz, silent_s [S, V]; the assignment's; share
        [S, 1 + OTHERS] and f0_hz [S, OTHERS, V] as of `OtherReadings`; the network's."""
        zeros = torch.zeros(streams, self.voices)
        network = (torch.zeros(tensor.shape) for tensor in self.network.initial_state(streams))
        hops = torch.zeros(streams, dtype=torch.long)
        before = zeros, zeros.bool(), zeros.clone(), zeros.clone()
        share = torch.zeros(streams, 1 + OTHERS)
        share[:, 0] = 1.0
        others = share, torch.zeros(streams, OTHERS, self.voices)
        return hops, *before, *self.assignment.initial_state(streams), *others, *network

    def forward(self, amplitude: Tensor, hops: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """amplitude [S, bins] (a full-scale sine peaks at 1), state -> f0_hz [S, V], confident [S, V], share
        [S, 1 + OTHERS], f0_hz of the others [S, OTHERS, V], state."""
        before, of_others, memory = (hops, *state[:OWN]), state[OWN:MEMORY], state[MEMORY:]
        preset = self.preset.expand(amplitude.shape[0], -1)
        salience, offset, unison, *after_network = self.network(self.bank(amplitude), preset, *memory)
        found = peaks(salience, offset)
        fused = fuses(amplitude.device) if self.fused is None else self.fused
        if fused:
            hops, *after = self._decide_fused(salience, offset, unison, *before)
        else:
            hops, *after = self._decide(found, unison, *before)
        others = self._where_looked(hops, of_others, self._others(found, unison, before, after))
        remembered = hops, *after, *others, *self._where_looked(hops, memory, after_network)
        return after[0], after[1], *others, *remembered

    def _where_looked(self, hops: Tensor, old: Sequence[Tensor], new: Sequence[Tensor]) -> list[Tensor]:
        """Between looks the old state stays: chosen by a mask, because a CUDA graph has no branch on data."""
        if self.stride == 1:
            return list(new)
        looks = hops % self.stride == 0
        return [
            torch.where(looks.view(-1, *[1] * (was.ndim - 1)), now, was)
            for was, now in zip(old, new, strict=True)
        ]

    def _decide_fused(self, *given: Tensor) -> list[Tensor]:
        remembered = self.hop_s, self.assignment.memory, self.stride
        found: list[Tensor] = assign_pitches(list(given[:3]), list(given[3:]), self.choices, *remembered)
        return found

    def _decide(self, found_peaks: Peaks, unison: Tensor, hops: Tensor, *state: Tensor) -> list[Tensor]:
        """The assignment: hops and the state up to the network's, after this hop."""
        hops = hops + 1
        (own_hz, silent_s), hypotheses = state[2:4], state[4:]
        place, log_odds, count = found_peaks
        chosen, *hypotheses_after = self.assignment(place, log_odds, count, *hypotheses)
        sounds, index = chosen != SILENT, chosen.clamp(min=0)
        f0_hz = torch.where(sounds, _hz(place.gather(1, index)), 0.0)
        confident = sounds & (log_odds.gather(1, index) >= REPORT_LOG_ODDS)
        found = *self._read(f0_hz, confident, unison, own_hz, silent_s), *hypotheses_after
        return [hops, *self._where_looked(hops, state, found)]

    def _others(
        self, found_peaks: Peaks, unison: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """`OtherReadings.read`: share and f0_hz of the likeliest hypotheses behind the best one.

        Args:
            found_peaks, unison: of this hop.
            before: hops, then the state before it; after: the state after it.
        """
        own_hz, silent_s = before[3:5]
        sung, score = after[4][:, 1 : 1 + OTHERS].clone(), after[7]
        likely = torch.exp((score[:, 1 : 1 + OTHERS] - score[:, :1]) / SCORE_PER_E)
        enough = likely >= LEAST_SHARE * (1.0 + likely.cumsum(1))  # nor is a score of NaN any
        likely = torch.where(enough.to(torch.int32).cumprod(1) > 0, likely, 0.0)
        weight = nn.functional.pad(likely, (1, 0), value=1.0)
        # a place is told as that of a peak: the kernel keeps no more of it
        place, log_odds, _ = found_peaks
        nearest = (sung[..., None] - place[:, None, None]).abs().argmin(-1)
        sounds = sung >= 0
        confident = sounds & (_at(log_odds, nearest) >= REPORT_LOG_ODDS)
        f0_hz = torch.where(sounds, _hz(sung), 0.0)
        rows = (x.repeat(1, OTHERS).view(-1, x.shape[1]) for x in (unison, own_hz, silent_s))
        f0_hz, *_ = self._read(f0_hz.flatten(0, 1), confident.flatten(0, 1), *rows)
        f0_hz = torch.where(likely[..., None] > 0, f0_hz.view(sung.shape), 0.0)
        return weight / weight.sum(1, keepdim=True), f0_hz

    def _read(
        self, f0_hz: Tensor, confident: Tensor, unison: Tensor, own_hz: Tensor, silent_s: Tensor
    ) -> tuple[Tensor, ...]:
        """`PeakReading.read` from the pitches of the peaks on: f0_hz, confident, own_hz, silent_s [S, V]."""
        sounds = f0_hz > 0
        own_hz = torch.where(sounds, f0_hz, own_hz)
        silent_s = torch.where(sounds, 0.0, (silent_s + self.hop_s).clamp(max=2.0 * JOIN_S))
        joined = self._join(f0_hz, confident, unison, torch.where(silent_s <= JOIN_S, own_hz, 0.0))
        return *joined, own_hz, silent_s

    def _join(
        self, f0_hz: Tensor, confident: Tensor, unison: Tensor, last_hz: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `NetworkTracker`; last_hz [S, V]: last pitch that was a voice's own, or 0."""
        places = _place(f0_hz)
        g = torch.round(places).long().clamp(0, CANDIDATES - 1)
        doubled = confident & (unison.gather(1, g) >= UNISON_LOG_ODDS)
        joined = torch.zeros_like(confident[:, 0])
        joined_hz, joined_confident = list(f0_hz.unbind(1)), list(confident.unbind(1))
        for voice in range(self.voices):
            silent = f0_hz[:, voice] == 0
            nearest = torch.full_like(f0_hz[:, 0], JOIN_CENTS)
            reported = torch.zeros_like(silent)
            for other in (voice - 1, voice + 1):
                if not 0 <= other < self.voices:
                    continue
                hz = f0_hz[:, other]
                twice = silent & (hz > 0) & doubled[:, other] & ~joined
                cents = CANDIDATE_CENTS * (places[:, other] - _place(last_hz[:, voice])).abs()
                near = silent & (hz > 0) & (last_hz[:, voice] > 0) & (cents < nearest) & ~reported
                joined_hz[voice] = torch.where(near | twice, hz, joined_hz[voice])
                nearest = torch.where(near, cents, nearest)
                joined_confident[voice] = joined_confident[voice] | twice
                reported, joined = reported | twice, joined | twice
        return torch.stack(joined_hz, 1), torch.stack(joined_confident, 1)


def peaks(salience: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The likeliest local maxima of the salience [S, CANDIDATES], highest pitch first: place and log odds
    [S, PEAKS], and how many there are [S]."""
    inner = salience[:, 1:-1]
    rising = (inner > salience[:, :-2]) & (inner >= salience[:, 2:]) & (inner > LEAST_LOG_ODDS)
    value, where = torch.where(rising, inner, -torch.inf).topk(PEAKS, -1)
    candidate = torch.where(torch.isfinite(value), where + 1, 0).sort(-1, descending=True).values
    count = (candidate > 0).sum(-1)
    candidate = candidate.clamp(min=1)
    near = candidate[..., None] + torch.arange(-1, 2, device=salience.device)
    at = torch.arange(CANDIDATES, device=salience.device) + offset.clamp(-1.0, 1.0)
    place = _at(at, near)
    same = (place - place[..., 1:2]).abs() < SAME_VOICE
    share = torch.where(same, torch.sigmoid(_at(salience, near)), 0.0)
    # no peak lies below the lowest candidate: a negative place would mean silence
    middle = ((share * place).sum(-1) / share.sum(-1)).clamp(min=0.0)
    return middle, salience.gather(1, candidate), count


def _at(values: Tensor, at: Tensor) -> Tensor:
    """values [S, n] at places [S, m, k]."""
    return values.gather(1, at.flatten(1)).view(at.shape)


def _place(f0_hz: Tensor) -> Tensor:
    octaves = torch.log2(torch.where(f0_hz > 0, f0_hz, LOWEST_CANDIDATE_HZ) / LOWEST_CANDIDATE_HZ)
    return 1200.0 / CANDIDATE_CENTS * octaves


def _hz(place: Tensor) -> Tensor:
    return LOWEST_CANDIDATE_HZ * torch.exp((math.log(2.0) * CANDIDATE_CENTS / 1200.0) * place)
