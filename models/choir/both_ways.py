"""A choir in a file is heard from both ends: one decision about pitches from both, masks in both directions.

A forward and a backward pass of the tracker's network meet every note from another end and err in different
places. The mean of their log odds goes through the stage's own assignment, which is traced back (see
`TracedAssignment`). Where a score is sung, the whole piece is aligned with it first (see `Alignment`). The
masks of each direction then follow the same pitches.

Frames are counted by their place: the synthesis window of frame j covers hops j - 1 and j, in both
directions. The pitch of a forward frame belongs to a time before that window's end, that of a backward frame
to one after its beginning (`Framing.pitch_delay_s`): the same time where the backward frame lies
`date_shift` frames earlier. Pitches are counted by the forward frame of their time.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.comb_masks import CombMasks
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.hop_amplitude import HopAmplitude
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import KINDS, NetworkTracker, preset_of
from rtsep.models.choir.peak_reading import PeakReading
from rtsep.models.choir.score.alignment import Alignment
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.traced_assignment import TracedAssignment
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State

F32 = NDArray[np.float32]


def date_shift(framing: Framing) -> int:
    """Frames between the forward and the backward frame whose pitch belongs to the same time."""
    return round(2.0 * framing.pitch_delay_s * framing.samplerate / framing.hop - 2.0)


class DecidedPitches:
    """A `PitchTracker` that is told its pitches."""

    def __init__(self, voices: int) -> None:
        self.f0_hz = np.zeros(voices, np.float32)
        self.confident = np.zeros(voices, np.bool_)

    def step(self, amplitude: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """See `PitchTracker.step`; the amplitude is not looked at."""
        f0_hz[...], confident[...] = self.f0_hz, self.confident

    def reset(self) -> None:
        """Nothing to forget."""

    def state_dict(self) -> State:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to restore."""


class Listener:
    """One direction of the tracker's network: hop by hop of audio, what it says of every candidate.

    Args:
        tracker: fresh; its assignment is not used.
        framing, channels: of the audio.
    """

    def __init__(self, tracker: NetworkTracker, framing: Framing, channels: int) -> None:
        self._tracker = tracker
        self._sound = HopAmplitude(framing, channels)

    def hear(self, hop: F32) -> F32:
        """Takes the next hop float32 [H, channels]; returns float32 [len(KINDS), CANDIDATES], the last ones
        where the network does not look at every hop."""
        self._sound.take(hop)
        self._tracker.hear(self._sound.read())
        return np.concatenate([self._tracker.found[kind] for kind in KINDS])

    def reset(self) -> None:
        """As before any input."""
        self._sound.reset()
        self._tracker.reset()


class JointDecision:
    """From what both directions say to pitches.

    Args:
        voices: how many.
        framing: the spectrum's layout.
        capacity: frames between the first that is not decided yet and the last that was taken.
        score: what they sing, of as many parts; None where that is not known.

    Attributes:
        hop_s: between two frames that are looked at.
        score: as given.
    """

    def __init__(self, voices: int, framing: Framing, capacity: int, score: Score | None = None) -> None:
        _, self._stride = preset_of(framing)
        self.hop_s, self.score = self._stride * framing.hop / framing.samplerate, score
        steps = capacity // self._stride + 2
        self._assignment = TracedAssignment(voices, self.hop_s, steps, free_order=score is not None)
        self._reading = PeakReading(voices, self.hop_s)
        self._waiting: deque[tuple[F32, F32 | None]] = deque()  # unison and bias of every step
        self._decided = 0

    def looks_at(self, frame: int) -> bool:
        """Whether the network looks at this frame; between two looks pitches are held."""
        return (frame + 1) % self._stride == 0

    def step_of(self, frame: int) -> int:
        """How many frames were looked at before this one."""
        return (frame + 1) // self._stride - 1

    def take(self, said: F32, aligned: Alignment | None = None) -> None:
        """The next frame that is looked at: the mean of what both directions say, as of `Listener.hear`, and
        the score's place."""
        salience, offset, unison = said
        if aligned is None:
            self._assignment.step(salience, offset)
            self._waiting.append((unison, None))
            return
        step = self._assignment.trace.steps
        self._assignment.step(salience, offset, lambda place, count: aligned.tell(step, place, count))
        self._waiting.append((unison, aligned.bias.copy()))

    def decide(self, until: int) -> F32:
        """All frames from the first that is not decided yet to `until`, exclusively.

        Shape:
            returns float32 [frames, 2 * voices]: the F0 of every voice, 0 = none, then 1 where confident.
        """
        first = self.step_of(self._decided + self._stride - 1)
        chosen = self._assignment.trace.decided(first)
        rows = np.zeros((until - self._decided, 2 * self._reading.f0_hz.size), np.float32)
        for row, frame in zip(rows, range(self._decided, until), strict=True):
            if self.looks_at(frame):
                step = self.step_of(frame)
                place, log_odds = self._assignment.trace.peaks(step)
                self._reading.read(place, log_odds, chosen[step - first], *self._waiting.popleft())
            row[...] = np.concatenate([self._reading.f0_hz, self._reading.confident])
        self._decided = until
        return rows


class BothWaysChoir:
    """What both directions of a choir need; audio is the host's business.

    Args:
        voices: how many.
        framing: the spectrum's layout.
        masks: of the forward and of the backward direction.
        pitches: trackers of both directions, or the pitches to follow.
        score: what is sung, of as many parts, which give the voices their names.
    """

    def __init__(
        self,
        voices: int,
        framing: Framing,
        masks: tuple[CombMasks, CombMasks],
        pitches: tuple[NetworkTracker, NetworkTracker] | F0Track,
        score: Score | None = None,
    ) -> None:
        self.framing = framing
        self._voices = voices
        self._pitches, self._score = pitches, score
        parts = None if score is None else score.parts
        self._told = DecidedPitches(voices), DecidedPitches(voices)
        self.forward, self.backward = (
            ChoirModel(voices, framing, comb, told, parts)
            for comb, told in zip(masks, self._told, strict=True)
        )
        self._shift = date_shift(framing)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names, the residual left out."""
        return self.forward.stems

    def listeners(self, channels: int) -> tuple[Listener, Listener] | None:
        """Both directions of the tracker; None where pitches are given."""
        if isinstance(self._pitches, F0Track):
            return None
        forward, backward = (Listener(tracker, self.framing, channels) for tracker in self._pitches)
        return forward, backward

    def decision(self, capacity: int) -> JointDecision:
        """See `JointDecision`."""
        return JointDecision(self._voices, self.framing, capacity, self._score)

    def tell_forward(self, frame: int, pitches: F32 | None) -> None:
        """What the masks of forward frame `frame` follow: its row of `decide`, or the given pitches."""
        end_s = (frame + 1) * self.framing.hop / self.framing.samplerate
        self._tell(self._told[0], pitches, end_s - self.framing.pitch_delay_s)

    def tell_backward(self, frame: int, pitches: F32 | None) -> None:
        """The same for the backward frame; the row is that of frame + `date_shift`."""
        start_s = (frame - 1) * self.framing.hop / self.framing.samplerate
        self._tell(self._told[1], pitches, start_s + self.framing.pitch_delay_s)

    def _tell(self, told: DecidedPitches, pitches: F32 | None, time_s: float) -> None:
        if pitches is not None:
            told.f0_hz[...] = pitches[: self._voices]
            told.confident[...] = pitches[self._voices :] > 0
        elif isinstance(self._pitches, F0Track):
            self._pitches.at(time_s, told.f0_hz)
            np.greater(told.f0_hz, 0, out=told.confident)
