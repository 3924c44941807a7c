"""A file from both ends in bounded memory: four passes, and what waits between them waits on a disk.

The tracker's network hears the file backward, then forward, the score is aligned with what both say, if there
is one, and pitches are decided from all of it; the masks of
the backward direction make stems, then those of the forward direction, and the mean of both is the output.
Nothing begins anew on the way: there are no seams.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.both_ways import BothWaysChoir, date_shift
from rtsep.models.choir.network_tracker import KINDS
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score.alignment import Alignment
from rtsep.models.mask_model import RESIDUAL
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.both_ways.spool import Spool
from rtsep.rt.hop.channels import require_channels
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import Preset
from rtsep.rt.hop.rendering import MASKS
from rtsep.rt.pitches.pitch_hop import PitchSink, pass_on

F32 = NDArray[np.float32]

# Pitches are decided so much earlier than both directions were heard: the assignment forgets by e in 0.1 s.
LOOK_S = 4.0
CHUNK = 64  # hops that are read at once


class BothWays:
    """Stands in a `Separator`'s place where the input ends: `process` takes it, `rest` gives the stems.

    Args:
        choir: both directions of a model.
        preset: frame sizes.
        channels: audio channels; the trackers hear their mean power, one mask serves all.
        render: see `Rendering`. Voices sung anew have the pitches decided from both ends and the levels of
            the forward direction: a mean of two would cancel here and there.

    Attributes:
        on_work: called now and then with the frames of the file that are done, counted over all passes; it
            may raise, and the output then ends with what was given out before.
        folder: on whose disk the sound waits; None keeps it in memory.
    """

    latency_samples = 0

    def __init__(
        self,
        choir: BothWaysChoir,
        preset: Preset,
        channels: int,
        render: str = MASKS,
    ) -> None:
        require_channels(channels)
        self.preset, self.samplerate, self.channels = preset, preset.samplerate, channels
        self.stems = (*choir.stems, RESIDUAL)
        self.on_work: Callable[[int], None] = lambda frames: None
        self.folder: Path | None = None
        self._choir = choir
        self._forward = HopPipeline(preset, choir.forward, channels, render)
        self._backward = None if render != MASKS else HopPipeline(preset, choir.backward, channels)
        self._listeners = choir.listeners(channels)
        self._shift = date_shift(preset.framing)
        self._look = round(LOOK_S * preset.samplerate / preset.hop)
        self._decision = choir.decision(2 * self._look)
        self._sinks: Sequence[PitchSink] = ()
        self._sound: Spool | None = None
        self._frames = self._work = self._pauses = 0
        self._passes = 1 + bool(self._backward) + 2 * bool(self._listeners)
        self._out = np.zeros((len(self.stems), preset.hop, channels), np.float32)

    @property
    def nonfinite_samples(self) -> int:
        """Input samples replaced by zero so far: NaN, Inf, and beyond 1e12 (+240 dBFS)."""
        return self._forward.nonfinite_samples

    @property
    def voices(self) -> VoiceReport:
        """See `Separator.voices`; of the last frame that was given out."""
        return self._choir.forward.report

    def pass_pitches_to(self, sinks: Sequence[PitchSink]) -> None:
        """Who gets the pitches of every hop; none of them is finished here."""
        self._sinks = sinks

    def process(self, block: F32) -> F32:
        """Takes the next frames [frames, channels]; no stems come yet.

        Shape:
            returns float32 [stems, 0, channels].

        Raises:
            RtsepError: the disk does not take them.
        """
        if self._sound is None:
            self._sound = Spool(self.channels, self.folder)
        self._sound.write(self._frames, block)
        self._frames += len(block)
        return np.zeros((len(self.stems), 0, self.channels), np.float32)

    def flush(self) -> F32:
        """`rest` in one array."""
        none = np.zeros((len(self.stems), 0, self.channels), np.float32)
        return np.concatenate([none, *self.rest()], axis=1)

    def rest(self) -> Iterator[F32]:
        """The input has ended: stems float32 [stems, frames, channels] of all of it, piece by piece.

        Raises:
            RtsepError: the disk does not take what waits there.
        """
        last = -(-self._frames // self.preset.hop)
        pitches = None
        if self._listeners is not None:
            pitches = self._decide(last + self._shift + 1)
        backward = None
        if self._backward is not None:
            backward = self._separate_backward(last, pitches)
        yield from self._separate_forward(last, pitches, backward)

    def _hops(self, numbers: range) -> Iterator[tuple[int, F32]]:
        """Hops [H, channels] of the sound with their numbers; zeros before the file and after it."""
        assert self._sound is not None
        size = self.preset.hop
        for at in range(0, len(numbers), CHUNK):
            part = numbers[at : at + CHUNK]
            first = min(part[0], part[-1])
            sound = self._sound.read(first * size, len(part) * size)
            for number in part:
                yield number, sound[(number - first) * size :][:size]

    def _hops_backward(self, numbers: range) -> Iterator[tuple[int, F32]]:
        """The same with the samples of each hop in reverse order."""
        for number, hop in self._hops(numbers):
            yield number, np.ascontiguousarray(hop[::-1])

    def _tick(self) -> None:
        """A hop of a pass is done."""
        self._work += 1
        if self._work % 16 == 0:
            self.on_work(min(self._frames, self._work * self.preset.hop // self._passes))

    def _pause(self) -> None:
        """A small part of the work is done, which no progress counts."""
        self._pauses += 1
        if self._pauses % 64 == 0:
            self.on_work(min(self._frames, self._work * self.preset.hop // self._passes))

    def _decide(self, frames: int) -> Spool:
        """Pitches of `frames` frames, a row of F0 and of confidence each."""
        assert self._listeners is not None
        forward, backward = self._listeners
        heard = Spool(len(KINDS) * CANDIDATES, self.folder)  # of every step, the mean of both directions
        for number, hop in self._hops_backward(range(frames - self._shift - 2, -self._shift - 2, -1)):
            said = backward.hear(hop)
            frame = number + 1 + self._shift
            if self._decision.looks_at(frame):
                heard.write(self._decision.step_of(frame), said.reshape(1, -1))
            self._tick()
        for frame, hop in self._hops(range(frames)):
            said = forward.hear(hop)
            if self._decision.looks_at(frame):
                step = self._decision.step_of(frame)
                heard.write(step, 0.5 * (said.reshape(1, -1) + heard.read(step, 1)))
            self._tick()
        return self._decide_from(heard, frames)

    def _decide_from(self, heard: Spool, frames: int) -> Spool:
        decision, aligned = self._decision, None
        if decision.score is not None:
            aligned = Alignment(
                decision.score,
                decision.hop_s,
                heard,
                decision.step_of(frames - 1) + 1,
                lambda numbers: Spool(numbers, self.folder),
                self._pause,
            )
        pitches = Spool(2 * (len(self.stems) - 1), self.folder)
        decided = 0
        for frame in range(frames):
            if decision.looks_at(frame):
                said = heard.read(decision.step_of(frame), 1)
                decision.take(said.reshape(len(KINDS), CANDIDATES), aligned)
            if frame == frames - 1 or frame + 1 == decided + 2 * self._look:
                until = frames if frame == frames - 1 else decided + self._look
                rows = decision.decide(until)
                times_s = self._time_s(np.arange(decided, until))
                # a comb that is told a pitch before there is sound learns levels from nothing, and keeps them
                rows[(times_s < 0) | (times_s > self._frames / self.samplerate)] = 0
                pitches.write(decided, rows)
                decided = until
            self._pause()
        return pitches

    def _separate_backward(self, last: int, pitches: Spool | None) -> Spool:
        """Voices of the backward direction, a row for each hop."""
        assert self._backward is not None
        voices = self._out[:-1]
        found = Spool(voices.size, self.folder)
        found.require_room(last)
        # a hop completes the backward frame that begins with it, and with that the hop behind it
        for number, hop in self._hops_backward(range(last - 1, -2, -1)):
            frame = number + 1
            row = None if pitches is None else pitches.read(frame + self._shift, 1)[0]
            self._choir.tell_backward(frame, row)
            self._backward.step(hop, self._out)
            if frame < last:
                found.write(frame, voices[:, ::-1].reshape(1, -1))
            self._tick()
        return found

    def _separate_forward(self, last: int, pitches: Spool | None, backward: Spool | None) -> Iterator[F32]:
        hop = self.preset.hop
        ready: list[F32] = []
        # a hop completes the forward frame that ends with it, and with that the hop before it
        for frame, sound in self._hops(range(last + 1)):
            self._choir.tell_forward(frame, None if pitches is None else pitches.read(frame, 1)[0])
            self._forward.step(sound, self._out)
            self._tell(frame)
            self._tick()
            if not frame:
                continue
            stems = self._out.copy()
            if backward is not None:
                voices = stems[:-1]
                change = 0.5 * (backward.read(frame - 1, 1).reshape(voices.shape) - voices)
                voices += change
                stems[-1] -= change.sum(axis=0)
            ready.append(stems[:, : self._frames - (frame - 1) * hop])
            if len(ready) == CHUNK or frame == last:
                yield np.concatenate(ready, axis=1)
                ready.clear()

    def _time_s(self, frame: NDArray[np.integer]) -> NDArray[np.float64]:
        """Of the pitches of a forward frame."""
        end_s = (frame + 1) * (self.preset.hop / self.samplerate)
        return np.asarray(end_s - self.preset.framing.pitch_delay_s)

    def _tell(self, frame: int) -> None:
        if self._sinks:
            pass_on(self._sinks, float(self._time_s(np.array(frame))), self.voices)
