"""One separator between the callback that feeds it and the desk that plays what it makes."""

from dataclasses import replace
from mmap import mmap
from typing import Any

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.live.desk import Desk
from rtsep.rt.live.engines.remote_separator import RemoteSeparator
from rtsep.rt.live.stream_callback import device_callback, latency_facts, stream_shape, waiting_grain_s
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.separator import Separator


class Chain:
    """What belongs to one separator in the hop loop.

    Args:
        separator: fresh.
        choice: the stream that is played on.
        commands: memory where parameters are set.
        layout: of the desk, where it has changed since the start; else that of the choice.

    Attributes:
        shape, callback, layout, notes, desk: made for the separator's stems and hop.
        hop_index: of the hop that is read next; hop, stems: its buffers.
        grain_s: how long a wait for it sleeps at a time.

    Raises:
        RtsepError: a route that these stems do not have, or a layout of other stems.
    """

    def __init__(
        self,
        separator: Separator | RemoteSeparator,
        choice: StreamChoice,
        commands: mmap,
        layout: DeskLayout | None = None,
    ) -> None:
        fmt, channels = choice.format, len(choice.inputs)
        self.separator = separator
        self.layout, self.notes = choice.desk(separator.stems) if layout is None else (layout, [])
        if self.layout.stems != separator.stems:
            raise RtsepError(f"the model has other stems, {', '.join(separator.stems)}", "ask for these")
        if separator.guide is not None:
            self.layout = replace(self.layout, bars=separator.guide.score.bars)
        self.shape = stream_shape(separator, fmt.blocksize)
        self.callback = device_callback(choice, self.shape)
        self.desk = Desk(self.layout, fmt.samplerate, commands, self.callback)
        self._score_asked = self.desk.score_asked
        self.hop_index = 0
        self.hop = np.zeros((separator.hop, channels), np.float32)
        self.stems = np.zeros((len(separator.stems), separator.hop, channels), np.float32)
        self.grain_s = waiting_grain_s(separator.hop, fmt.samplerate)

    def begin(self) -> None:
        """What was set before is in force; where the choir was in the score is not."""
        self.desk.obey()
        self._score_asked = self.desk.score_asked

    def obey(self) -> bool:
        """True when something was set: it is in force then, a place in the score too."""
        if not self.desk.obey():
            return False
        guide, asked = self.separator.guide, self.desk.score_asked
        if guide is not None and asked != self._score_asked:
            self._score_asked = asked
            guide.go_to(guide.score.time_of_bar(guide.score.nearest_bar(asked[0])))
        return True

    def follow_choice(self, choice: StreamChoice) -> None:
        """Another callback, for blocks that need another latency; its frames begin at 0."""
        self.shape = stream_shape(self.separator, choice.format.blocksize)
        self.callback, self.hop_index = device_callback(choice, self.shape), 0
        self.desk.follow(self.callback)

    @property
    def is_late(self) -> bool:
        """Whether the stems of the next hop could not be played any more."""
        return self.callback.position > self.callback.first_frame(self.hop_index)

    @property
    def outputs(self) -> int:
        """Of the device, without those that are spare."""
        return max(self.layout.outputs) + 1

    def choice_with(self, choice: StreamChoice, ports: list[str]) -> StreamChoice:
        """The stream as it is once this chain's new outputs are open, by the names of their ports."""
        fmt = choice.format
        if fmt.jack is None or not ports:
            return choice
        plan = replace(fmt.jack, outputs=[*fmt.jack.outputs, *ports], spare=fmt.jack.spare - len(ports))
        return replace(choice, format=replace(fmt, jack=plan), spare=choice.spare - len(ports))

    def facts(self, fmt: StreamFormat) -> dict[str, Any]:
        """For the status, of the engine that plays."""
        separator = self.separator
        return {
            "hop": separator.hop,
            "stems": list(separator.stems),
            "algorithmic_samples": separator.latency_samples,
            "hop_latency_samples": separator.hop_latency_samples,
            "desk": self.layout.as_dict(),
            **latency_facts(self.shape, separator, fmt),
        }
