"""The assignment of found pitches to voices (kernels/src/assignment.cpp) as tensor operations, many streams
at once.

There are 495 assignments of 8 peaks to 4 voices: all are tried from every hypothesis at once.
"""

import math

import torch
from torch import Tensor, nn

from rtsep.kernels import _core
from rtsep.kernels.assignments import all_assignments

SIZE, PEAKS, SILENT = (
    _core.PitchAssignment.SIZE,
    _core.PitchAssignment.PEAKS,
    _core.PitchAssignment.SILENT,
)
_C = _core.PitchAssignment.CONSTANTS
SILENT_PLACE = _C["SILENT_PLACE"]


class TensorAssignment(nn.Module):
    """`PitchAssignment` for S independent streams.

    Args:
        voices: V, 1..4.
        hop_s: seconds between steps.
    """

    assignments: Tensor
    highest: Tensor
    all_sing: Tensor

    def __init__(self, voices: int, hop_s: float) -> None:
        super().__init__()
        self.voices, self.hop_s = voices, hop_s
        self.memory = math.exp(-hop_s / _C["MEMORY_S"])
        every = torch.tensor(all_assignments(voices))
        self.register_buffer("assignments", every, persistent=False)
        self.register_buffer("highest", every.amax(1) + 1, persistent=False)
        self.register_buffer("all_sing", _C["ALL_SING"] * (every != SILENT).all(1).float(), persistent=False)

    def initial_state(self, streams: int) -> tuple[Tensor, ...]:
        """All voices silent, no register known: sung, register_centre, observed_s [S, SIZE, V], score [S,
        SIZE]."""
        zeros = torch.zeros(streams, SIZE, self.voices)
        score = torch.full((streams, SIZE), -torch.inf)
        score[:, 0] = 0.0
        return torch.full_like(zeros, SILENT_PLACE), zeros, zeros.clone(), score

    def forward(
        self,
        place: Tensor,
        log_odds: Tensor,
        count: Tensor,
        sung: Tensor,
        register_centre: Tensor,
        observed_s: Tensor,
        score: Tensor,
    ) -> tuple[Tensor, ...]:
        """One step: place and log_odds [S, PEAKS], highest pitch first, of which `count` [S] are there,
        and the state -> peak of every voice int64 [S, V] (-1 = silent), and the state."""
        sung, register_centre, observed_s, score, alive = self._revived(
            sung, register_centre, observed_s, score
        )
        odds = log_odds.nan_to_num(0.0, 0.0, 0.0)
        emission = torch.where(odds < 0, _C["DOUBT"] * odds, odds)
        emission = (emission + _C["BONUS"]).clamp(max=_C["MAX_EMISSION"])
        choice_score = self._choice_scores(place, emission, sung, register_centre, observed_s)
        total = (self.memory * score)[..., None] + self.all_sing
        for voice in range(self.voices):  # in the kernel's order: of equal sums the same one wins
            total = total + choice_score[:, :, voice, self.assignments[:, voice] + 1]
        usable = (self.highest <= count[:, None])[:, None] & alive[..., None]
        best, parent = torch.where(usable & torch.isfinite(total), total, -torch.inf).max(1)
        value, assignment = (
            part[:, :SIZE] for part in torch.sort(best, dim=-1, descending=True, stable=True)
        )
        kept = torch.isfinite(value)
        row = parent.gather(1, assignment)[..., None].expand(-1, -1, self.voices)
        peak = self.assignments[assignment]
        sings = (peak != SILENT) & kept[..., None]
        at = place.gather(1, peak.clamp(min=0).flatten(1)).view(peak.shape)
        sung = torch.where(sings, at, SILENT_PLACE)
        register_centre, observed_s = (
            torch.where(kept[..., None], old.gather(1, row), 0.0) for old in (register_centre, observed_s)
        )
        together = sings.all(-1, keepdim=True)
        longer = (observed_s + self.hop_s).clamp(max=_C["REGISTER_S"])
        register_centre = torch.where(
            together, register_centre + (self.hop_s / longer) * (at - register_centre), register_centre
        )
        observed_s = torch.where(together, longer, observed_s)
        score = torch.where(kept, value - value[:, :1], -torch.inf)
        return torch.where(sings[:, 0], peak[:, 0], SILENT), sung, register_centre, observed_s, score

    def _revived(
        self, sung: Tensor, register_centre: Tensor, observed_s: Tensor, score: Tensor
    ) -> tuple[Tensor, ...]:
        """The state, from silence where a stream has no hypothesis at all; and which hypotheses there are."""
        alive = torch.isfinite(score).to(torch.int32).cumprod(1).bool()
        none = ~alive[:, :1]
        first = none & (torch.arange(SIZE, device=score.device) == 0)
        sung = torch.where(none[..., None], SILENT_PLACE, sung)
        register_centre, observed_s = (
            torch.where(none[..., None], 0.0, old) for old in (register_centre, observed_s)
        )
        return sung, register_centre, observed_s, torch.where(first, 0.0, score), alive | first

    def _choice_scores(
        self, place: Tensor, emission: Tensor, sung: Tensor, register_centre: Tensor, observed_s: Tensor
    ) -> Tensor:
        """Scores of silence and of every peak for the voices of every hypothesis [S, SIZE, V, 1 + PEAKS]."""
        sounding = (sung >= 0)[..., None]
        at = place[:, None, None]
        glide = (_C["STEP"] * (at - sung[..., None]).abs()).clamp(max=_C["JUMP"])
        transition = torch.where(sounding, glide, _C["TOGGLE"])
        away = (at - register_centre[..., None]) / _C["RANGE"]
        familiar = (observed_s / _C["FAMILIAR_S"]).clamp(max=1.0)[..., None]
        register_cost = familiar * (_C["REGISTER_COST"] * away.square()).clamp(max=_C["MAX_REGISTER_COST"])
        silence = torch.where(sounding, -_C["TOGGLE"], 0.0)
        return torch.cat([silence, (emission[:, None, None] - transition) - register_cost], -1)
