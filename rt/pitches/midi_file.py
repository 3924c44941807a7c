"""Notes of all voices as a standard MIDI file, a track for each voice."""

import io
from pathlib import Path
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.part_file import place
from rtsep.rt.pitches.midi_channels import VoiceChannels, require_mido
from rtsep.rt.pitches.pitch_hop import PitchHop

# 120 quarter notes a minute of 960 ticks: a tick is half a millisecond.
TICKS_PER_BEAT, TEMPO_US = 960, 500_000
TICKS_PER_S = TICKS_PER_BEAT * 1e6 / TEMPO_US
# At one moment: notes end, the bend of the next one is set, it begins.
ORDER = {"control_change": 0, "note_off": 1, "pitchwheel": 2, "note_on": 3}


class MidiFile:
    """Keeps what it is told, and writes the file at the end, or as it is at any moment.

    Args:
        path: file to become; one of the same name is replaced by it.
        stems: names of the voices, those of the tracks.
        going_on: `path` is what a process wrote that has died: its notes stay.

    Raises:
        RtsepError: mido is not installed, or a file to go on with that cannot be read.
    """

    def __init__(self, path: Path, stems: tuple[str, ...], *, going_on: bool = False) -> None:
        self._mido: Any = require_mido()
        self._path, self._stems, self._empty = path, stems, True
        self._channels = VoiceChannels(len(stems), dated_back=True)
        self._dated: list[list[tuple[float, int, int, Any]]] = [[] for _ in stems]
        self._ends: list[tuple[int, Any]] = []  # of notes that sounded in what was read back, with channels
        for channel in range(len(stems)):
            for message in self._channels.setup(channel):
                self._keep(0.0, channel, message)
        if going_on and path.exists():
            self._read_back()

    def _read_back(self) -> None:
        """What the file has; a note that sounded when it was written ends where the pitches go on."""
        try:
            song = self._mido.MidiFile(self._path)
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise RtsepError(f"{self._path} cannot be gone on with ({error})", "name another file") from None
        self._empty = False
        for channel, track in enumerate(song.tracks[1 : len(self._stems) + 1]):
            self._dated[channel].clear()
            tick, sounding = 0, None
            for message in track:
                tick += message.time
                if message.is_meta:
                    continue
                self._keep(tick / TICKS_PER_S, channel, message)
                if message.type in ("note_on", "note_off"):
                    sounding = message if message.type == "note_on" and message.velocity else None
            if sounding is not None:
                off = self._mido.Message("note_off", channel=channel, note=sounding.note, velocity=0)
                self._ends.append((channel, off))

    def _keep(self, time_s: float, channel: int, message: Any) -> None:
        track = self._dated[channel]
        track.append((time_s, ORDER[message.type], len(track), message))

    def add(self, hop: PitchHop) -> None:
        """See `PitchSink.add`."""
        self._empty = False
        while self._ends:
            self._keep(max(0.0, hop.time_s), *self._ends.pop())
        for dated in self._channels.add(hop):
            self._keep(*dated)

    def finish(self) -> None:
        """See `PitchSink.finish`."""
        for dated in self._channels.end():
            self._keep(*dated)
        if not self._empty:
            self.save()

    def discard(self) -> None:
        """See `PitchSink.discard`: nothing has been written yet."""

    def save(self) -> None:
        """Writes what there is so far; a note that sounds has no end in it yet.

        Raises:
            RtsepError: the disk does not take it; an older file stays.
        """
        mido = self._mido
        meta = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO_US)])
        song = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[meta])
        for stem, dated in zip(self._stems, self._dated, strict=True):
            dated.sort()
            track = mido.MidiTrack([mido.MetaMessage("track_name", name=stem)])
            before = 0
            for time_s, _, _, message in dated:
                tick = round(time_s * TICKS_PER_S)
                track.append(message.copy(time=tick - before))
                before = tick
            song.tracks.append(track)
        content = io.BytesIO()
        song.save(file=content)
        try:
            place(self._path, content.getvalue())
        except OSError as error:
            raise RtsepError(f"{self._path} cannot be written: {reason(error)}", remedy(error)) from error
