"""The session's side of pitches that leave a live run: starts the process that writes them, and ends it."""

import json
import subprocess
import time
from collections import deque
from typing import Any

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import RtsepError, of_kind
from rtsep.models.choir.model import voice_names
from rtsep.rt.audio.part_file import output_file
from rtsep.rt.pitches.midi_channels import require_mido
from rtsep.rt.pitches.midi_port import require_rtmidi
from rtsep.rt.pitches.pitch_outputs import is_midi_file, require_pitches
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.shared_memory import SharedMemory

START_S, POLL_S = 20.0, 0.01
MAX_DEATHS, DEATHS_WITHIN_S = 3, 30.0  # as of the recorder: what dies so often dies of something that stays
END_S = 20.0  # a long MIDI file takes seconds to write


class LivePitches:
    """What `--f0-out` and `--midi-out` name, for a live session.

    Args:
        stems: names of the voices, () where no stem has a pitch.
        f0_out: file that must not exist yet: it holds whole rows at any moment, however the session ends.
            Where the number of voices changes another one begins, see `F0Tables`.
        midi_out: `.mid` file, written every two seconds and at the end; or part of a port's name, or
            `virtual:NAME`.
        jack: ports of JACK, not of the system.

    Raises:
        RtsepError: a file that cannot be, no library for MIDI, or stems without a pitch.
    """

    def __init__(
        self, stems: tuple[str, ...], f0_out: str | None, midi_out: str | None, *, jack: bool = False
    ) -> None:
        require_pitches(stems, f0_out, midi_out)
        if f0_out is not None and output_file("--f0-out", f0_out).exists():
            raise RtsepError(f"--f0-out {f0_out} is there already", "move it away or name another file")
        if midi_out is not None:
            require_mido()
            if is_midi_file(midi_out):
                output_file("--midi-out", midi_out)
            else:
                require_rtmidi()
        self._asked: dict[str, Any] = {"stems": stems, "f0_out": f0_out, "midi_out": midi_out, "jack": jack}
        self._asked["later"] = voice_names(MAX_VOICES)
        self._voices, self._told = len(stems), False
        self._process: subprocess.Popen[str] | None = None
        self._block: Block | None = None
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    @property
    def voices(self) -> int:
        """How many the engine must tell of."""
        return self._voices

    def begin(self, memory: SharedMemory, first_bytes: int) -> None:
        """Starts the process, once the engine runs.

        Args:
            memory, first_bytes: as of `make_memory`.

        Raises:
            RtsepError: what was asked for cannot be had.
        """
        self._memory, self._asked["first_bytes"] = memory, first_bytes
        self._spawn()
        assert self._process is not None
        assert self._block is not None
        deadline = time.monotonic() + START_S
        while not (values := self._block.peek()) and self._process.poll() is None:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        if "error" in values:
            raise of_kind(*values["error"])
        if not values:
            raise RtsepError("the process that writes pitches did not start", "start the session again")

    def _spawn(self) -> None:
        if self._block is not None:
            self._block.shared.close()
        self._block = Block.create()
        shared = [self._memory, self._block.shared]
        self._process = spawn(None, "rtsep.rt.pitches.pitch_process", shared, json.dumps(self._asked))

    def take_fault(self) -> str:
        """What has happened to the process since it was asked last, empty for nothing. One that died is
        started again and goes on with the same files; what it had taken from the engine and not written yet
        is lost.
        """
        process, block = self._process, self._block
        if self._told or process is None or block is None or process.poll() is None:
            return ""
        values = block.peek()
        if values.get("state") == "finished":
            self._told = True
            return ""
        why = "; ".join(values["error"][1:]) if "error" in values else f"code {process.returncode}"
        self._deaths.append(time.monotonic())
        often = len(self._deaths) == MAX_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WITHIN_S
        if often or "error" in values:
            self._told = True
            return f"pitches are not written any more: {why}; the sound goes on"
        self._asked |= {"going_on": True, "table": values.get("table")}
        self._spawn()
        return f"the process that writes pitches ended ({why}): started again"

    def stop(self) -> None:
        """After the engine has ended: files are complete when it returns. Harmless when nothing runs."""
        if self._process is not None and self._block is not None:
            end(self._process, END_S)
            self._block.shared.close()
            self._process = None
