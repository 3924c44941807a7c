"""Where the pitches of a file or a pipe go: what the options name, opened, finished or left as it was."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from rtsep.kernels.errors import ModelRefused, RtsepError
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.audio.part_file import output_file
from rtsep.rt.hop.separates import Separates
from rtsep.rt.pitches.f0_file import F0File
from rtsep.rt.pitches.midi_file import MidiFile
from rtsep.rt.pitches.pitch_hop import PitchSink
from rtsep.rt.pitches.pitch_tap import PitchTap
from rtsep.rt.separator import Separator

MIDI_SUFFIXES = (".mid", ".midi", ".smf")


def require_pitches(stems: tuple[str, ...], f0_out: str | None, midi_out: str | None) -> None:
    """Raises ModelRefused for an output of pitches where no stem has one."""
    for option, value in (("--f0-out", f0_out), ("--midi-out", midi_out)):
        if value is not None and not stems:
            raise ModelRefused(
                f"{option} {value} is not for this model: its stems have no pitch",
                "leave it out, or say how many singers there are with --voices",
            )


def is_midi_file(text: str) -> bool:
    """Whether a name is that of a MIDI file and not of a port."""
    return text.lower().endswith(MIDI_SUFFIXES)


class TellsPitches(Separates, Protocol):
    """What passes its pitches on by itself, at times of its own."""

    @property
    def voices(self) -> VoiceReport:
        """See `Separator.voices`."""
        ...

    def pass_pitches_to(self, sinks: Sequence[PitchSink]) -> None:
        """Who gets the pitches of every hop; none of them is finished there."""
        ...


class PitchOutputs:
    """What `--f0-out` and `--midi-out` name, in the way of a separator; entered, it is the separator to use.

    Leaving the `with` block finishes all files, whatever happened, so that what was decided is there; where
    nothing was, older files stay.

    Args:
        separator: fresh, or reset.
        sinks: what takes the pitches of every hop.
    """

    def __init__(self, separator: Separator | TellsPitches, sinks: Sequence[PitchSink]) -> None:
        self._separator, self._sinks = separator, sinks

    @classmethod
    def opened(
        cls,
        separator: Separator | TellsPitches,
        f0_out: str | None,
        midi_out: str | None,
        reads: tuple[str, ...] = (),
    ) -> Self:
        """Opens files.

        Args:
            separator: fresh, or reset.
            f0_out, midi_out: files as the user named them; None for nothing.
            reads: files that the same run reads.

        Raises:
            RtsepError: no stem has a pitch, a file that cannot be written, or no mido for MIDI.
        """
        stems = separator.voices.stems
        require_pitches(stems, f0_out, midi_out)
        sinks: list[PitchSink] = []
        if midi_out is not None:
            if not is_midi_file(midi_out):
                raise RtsepError(
                    f"--midi-out {midi_out} is no name of a MIDI file, and a port is for live input",
                    "give a name that ends in .mid",
                )
            sinks.append(MidiFile(output_file("--midi-out", midi_out, reads), stems))
        if f0_out is not None:  # last: it leaves something on the disk
            sinks.append(F0File(output_file("--f0-out", f0_out, reads), stems))
        return cls(separator, sinks)

    def __enter__(self) -> Separates:
        if not self._sinks:
            return self._separator
        if isinstance(self._separator, Separator):
            return PitchTap(self._separator, self._sinks)
        self._separator.pass_pitches_to(self._sinks)
        return self._separator

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:  # one that cannot be finished keeps none from it
            for sink in self._sinks:
                stack.callback(sink.finish)
