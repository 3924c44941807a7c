"""The process that writes the pitches of a live session, started by `rtsep.rt.pitches.live_pitches` as
`python -m rtsep.rt.pitches.pitch_process FD FD` with its settings on stdin.

It ends when stdin closes (its parent asks, or is gone), after the last pitches.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.part_file import output_file
from rtsep.rt.pitches.f0_tables import F0Tables
from rtsep.rt.pitches.midi_file import MidiFile
from rtsep.rt.pitches.midi_port import MidiPort
from rtsep.rt.pitches.pitch_hop import PitchHop, PitchSink, of_voices
from rtsep.rt.pitches.pitch_outputs import is_midi_file
from rtsep.rt.pitches.pitch_ring import PitchReader
from rtsep.rt.process.block import Block
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.shared_memory import SharedMemory

# A port plays a note as soon as it is decided; half the shortest hop is soon enough.
POLL_S = 0.0013
FLUSH_S = 1.0  # of rows: what a kill may cost
# Of a MIDI file, which has to be written as a whole: what a kill may cost, but for one so long that it would
# take more than a twentieth of the time.
SAVE_S, SAVE_SHARE = 2.0, 0.05


class PitchWriter:
    """Everything that one session's pitches go to; `going_on` where another process did so before, and
    died, with the `table` that it wrote. `later` and `opened`: as of `F0Tables`.
    """

    def __init__(
        self,
        stems: tuple[str, ...],
        f0_out: str | None,
        midi_out: str | None,
        jack: bool,
        going_on: bool = False,
        *,
        later: tuple[str, ...],
        table: tuple[Path, int] | None,
        opened: Callable[[Path, int], None],
    ) -> None:
        self._voices = len(stems)
        self._f0: F0Tables | None = None
        self._song: MidiFile | None = None
        self._port: MidiPort | None = None
        if midi_out is not None and is_midi_file(midi_out):
            self._song = MidiFile(output_file("--midi-out", midi_out), stems, going_on=going_on)
        elif midi_out is not None:
            self._port = MidiPort(midi_out, stems, jack=jack)
            if going_on:
                self._port.silence()
        if f0_out is not None:
            if going_on and table is None and Path(f0_out).exists():  # it died before it could say so
                table = Path(f0_out), len(stems)
            self._f0 = F0Tables(Path(f0_out), stems, later, opened, table)
        self.sinks: list[PitchSink] = [s for s in (self._port, self._f0, self._song) if s is not None]
        self._flush_at = time.monotonic() + FLUSH_S
        self._save_at = time.monotonic() + SAVE_S

    def add(self, hop: PitchHop) -> None:
        """To all of them; notes are of the voices of the start, whatever the session is changed to."""
        usual = of_voices(hop, self._voices)
        for sink in self.sinks:
            sink.add(hop if sink is self._f0 else usual)

    def look(self) -> None:
        """Between hops."""
        now = time.monotonic()
        if self._port is not None:
            self._port.look()
        if self._f0 is not None and now >= self._flush_at:
            self._flush_at = now + FLUSH_S
            self._f0.flush()
        if self._song is not None and now >= self._save_at:
            self._song.save()
            after = time.monotonic()
            self._save_at = after + max(SAVE_S, (after - now) / SAVE_SHARE)


def main() -> int:
    """argv: descriptors of the session's memory with the ring, and of the block to say how it goes."""
    watch = ParentWatch()
    memory, block = SharedMemory(int(sys.argv[1])), Block(SharedMemory(int(sys.argv[2])))
    asked = json.loads(sys.stdin.readline())
    try:
        outputs = asked["f0_out"], asked["midi_out"], asked["jack"], asked.get("going_on", False)
        table = asked.get("table")

        def opened(path: Path, voices: int) -> None:
            block.write({"state": "running", "table": [str(path), voices]})

        writer = PitchWriter(
            tuple(asked["stems"]),
            *outputs,
            later=tuple(asked["later"]),
            table=None if table is None else (Path(table[0]), table[1]),
            opened=opened,
        )
        reader = PitchReader(memory.memory, asked["first_bytes"])
        block.write({"state": "running"} | block.peek())
        ending = False
        while True:
            hops = reader.read()
            for hop in hops:
                writer.add(hop)
            writer.look()
            if not hops:
                if ending:
                    break
                ending = watch()
                time.sleep(POLL_S)
        for sink in writer.sinks:
            sink.finish()
    except RtsepError as error:
        block.write({"state": "failed", "error": [type(error).__name__, error.problem, error.remedy]})
        return 2
    block.write({"state": "finished"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
