"""The whole hop as one torch program: audio of many streams in, stems of all of them out.

The twin of `rt.hop.pipeline.HopPipeline` around a `ChoirModel`, batched over independent streams. Static
shapes, no branch on data, no transfer: a CUDA graph holds it as one launch. All memory is in plain sight
(states in, states out), and every stream has a reset of its own.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from rtsep.models.choir.model import MERGED_CENTS
from rtsep.models.framing import Framing
from rtsep.models.gpu.stft import TensorStft

State = tuple[Tensor, ...]


class Tracker(Protocol):
    """From amplitudes [S, bins] (a full-scale sine peaks at 1) to f0_hz [S, V] and confident [S, V], see
    `PitchTracker`, and to share [S, 1 + N] and f0_hz [S, N, V] of N others, see `OtherReadings`."""

    def initial_state(self, streams: int) -> State:
        """Before the first hop."""
        ...

    def __call__(self, amplitude: Tensor, *state: Tensor) -> State:
        """f0_hz, confident, share, f0_hz of the others, and the state after."""
        ...


class TensorMasks(Protocol):
    """From power [S, bins] and f0_hz [S, V] to masks [S, V, bins] and level_db [S, V]."""

    def initial_state(self, streams: int) -> State:
        """Before the first hop."""
        ...

    def __call__(self, power: Tensor, f0_hz: Tensor, *state: Tensor) -> State:
        """masks, level_db and the state after."""
        ...


class HopProgram(nn.Module):
    """One hop of S streams.

    Args:
        framing: window and hop.
        voices: V.
        channels: C, of every stream; one mask serves all of them.
        masks: from pitches to masks, a module.
        tracker: from spectrum to pitches, a module; None where pitches are given.
    """

    def __init__(
        self,
        framing: Framing,
        voices: int,
        channels: int,
        masks: TensorMasks,
        tracker: Tracker | None = None,
    ) -> None:
        super().__init__()
        self.voices, self.channels = voices, channels
        self.stft = TensorStft(framing)
        self.masks, self.tracker = masks, tracker
        fresh = (
            *self.stft.initial_state(1, voices, channels),
            *masks.initial_state(1),
            *(tracker.initial_state(1) if tracker else ()),
        )
        self._states = len(fresh)
        self._of_tracker = 2 + len(masks.initial_state(1))
        for index, tensor in enumerate(fresh):
            self.register_buffer(f"fresh_{index}", tensor, persistent=False)

    def initial_state(self, streams: int) -> State:
        """Silence everywhere, on the program's device."""
        return tuple(fresh.expand(streams, *fresh.shape[1:]).clone() for fresh in self._fresh())

    def _fresh(self) -> State:
        return tuple(self.get_buffer(f"fresh_{index}") for index in range(self._states))

    def example_inputs(self, streams: int) -> State:
        """Silence, no reset, no pitch given."""
        device = self.stft.analysis.device
        hop = torch.zeros(streams, self.stft.framing.hop, self.channels, device=device)
        reset = torch.zeros(streams, dtype=torch.bool, device=device)
        return hop, reset, torch.zeros(streams, self.voices, device=device)

    def forward(self, hop: Tensor, reset: Tensor, given_hz: Tensor, *state: Tensor) -> State:
        """One hop of every stream.

        Args:
            hop: float32 [S, H, C].
            reset: bool [S], streams that begin anew with this hop.
            given_hz: float32 [S, V], pitches where no tracker finds them; not looked at otherwise.
            state: of `initial_state` or the hop before.

        Shape:
            returns stems float32 [S, V + 1, H, C] (the residual last, delayed by 2M - H), f0_hz [S, V],
            level_db [S, V], merged bool [S, V], nonfinite int64 [S] (samples of this hop that were no audio),
            and the state.
        """
        state = tuple(
            torch.where(reset.view(-1, *[1] * (old.ndim - 1)), new, old)
            for old, new in zip(state, self._fresh(), strict=True)
        )
        history, tail = state[:2]
        of_masks, of_tracker = list(state[2 : self._of_tracker]), list(state[self._of_tracker :])
        spectrum, history, nonfinite = self.stft.analyse(hop, history)
        power = self.stft.power(spectrum)
        if self.tracker is None:
            f0_hz, confident = given_hz, given_hz > 0
            masks, level_db, *of_masks = self.masks(power, f0_hz, *of_masks)
        else:
            f0_hz, confident, share, others_hz, *of_tracker = self.tracker(torch.sqrt(power), *of_tracker)
            masks, level_db, *of_masks = self._mean_masks(power, f0_hz, share, others_hz, *of_masks)
        stems, tail = self.stft.synthesise(spectrum, masks, history, tail)
        reported_hz = torch.where(confident, f0_hz, 0.0)
        return (
            stems,
            reported_hz,
            level_db,
            merged(reported_hz),
            nonfinite,
            history,
            tail,
            *of_masks,
            *of_tracker,
        )

    def _mean_masks(
        self, power: Tensor, f0_hz: Tensor, share: Tensor, others_hz: Tensor, *state: Tensor
    ) -> State:
        """See `ChoirModel`: the mean of the masks of all hypotheses by how likely each is. Nothing is learnt
        from the others; the best one comes last, for what a plan found may lie where its next hop writes."""
        parts = []
        for k, supposed_hz in enumerate(others_hz.unbind(1), 1):
            weight = share[:, k, None, None]
            supposed = self.masks(power, supposed_hz, *state)[0]
            parts.append(torch.where(weight > 0, weight * supposed, 0.0))
        masks, *rest = self.masks(power, f0_hz, *state)
        masks = share[:, 0, None, None] * masks
        for part in parts:
            masks = masks + part
        return masks, *rest


def merged(f0_hz: Tensor) -> Tensor:
    """`choir.mark_merged` for pitches [S, V]: voices at a unison or an octave of another."""
    sounding = f0_hz > 0
    cents = 1200.0 * torch.log2(torch.where(sounding, f0_hz, 1.0))
    apart = (cents[:, :, None] - cents[:, None]).abs()
    close = (apart - 1200.0 * torch.round(apart / 1200.0)).abs() < MERGED_CENTS
    others = ~torch.eye(f0_hz.shape[1], dtype=torch.bool, device=f0_hz.device)
    return (close & others & sounding[:, :, None] & sounding[:, None]).any(-1)
