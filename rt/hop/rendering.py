"""What a voice's output is: the mixture under its mask, or the voice sung anew."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import ModelRefused
from rtsep.models.framing import Framing
from rtsep.models.mask_model import MaskModel, State
from rtsep.rt.hop.voice_synth import VoiceSynth

MASKS, SYNTH = "masks", "synth"
RENDERS = (MASKS, SYNTH)


class Rendering:
    """The last step of a hop: leaves masked stems as they are, or replaces those that have a pitch.

    Args:
        render: "masks", or "synth" for voices by `VoiceSynth`, at the pitches that the model reports. Other
            stems and the residual stay what the masks make them, so all outputs no longer sum to the input.
        model: whose stems they are; its report is read after every step.
        channels: of every stem.
        framing: the spectrum's layout.

    Raises:
        ModelRefused: another word, or a model without pitches to sing at.
    """

    def __init__(self, render: str, model: MaskModel, channels: int, framing: Framing) -> None:
        if render not in RENDERS:
            raise ModelRefused(
                f"--render {render!r} is not one of {', '.join(RENDERS)}", "choose one of them"
            )
        pitched = model.report.stems
        if render == SYNTH and not pitched:
            raise ModelRefused(
                "--render synth is not for this model: its stems have no pitch",
                "leave it out, or say how many singers there are with --voices",
            )
        self._report = model.report
        # a model's voices stand together
        first = model.stems.index(pitched[0]) if pitched else 0
        self._place = slice(first, first + len(pitched))
        self._synth = VoiceSynth(len(pitched), channels, framing) if render == SYNTH else None

    def step(self, masked: NDArray[np.complex64], out: NDArray[np.float32]) -> None:
        """After a hop: masked complex64 [stems, channels, bins], out float32 [stems + 1, H, channels]."""
        if self._synth is not None:
            self._synth.step(masked[self._place], self._report.f0_hz, out[self._place])

    def skip(self, out: NDArray[np.float32]) -> None:
        """After a hop that was not separated."""
        if self._synth is not None:
            self._synth.skip(out[self._place])

    def reset(self) -> None:
        """As before any input."""
        if self._synth is not None:
            self._synth.reset()

    def state_dict(self) -> State:
        """Of the synthesis; nothing where masks are all."""
        return {} if self._synth is None else self._synth.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; ValueError for what cannot be, and nothing has changed then."""
        if self._synth is not None:
            self._synth.load_state_dict(state)
