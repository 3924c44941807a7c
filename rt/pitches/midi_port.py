"""Notes of all voices on a MIDI port, as they are decided: of ALSA or JACK, as rtmidi finds them."""

import time
from types import ModuleType
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.pitches.midi_channels import VoiceChannels
from rtsep.rt.pitches.pitch_hop import PitchHop

VIRTUAL = "virtual:"  # before the name of a port that others connect to
ALL_NOTES_OFF = 123
# An instrument that is connected later knows nothing of the bend range: it is said again with a note, this
# often at most.
SETUP_S = 5.0
# Without hops for so long, an engine is away: whatever sounds would sound on.
IDLE_S = 0.5


def require_rtmidi() -> ModuleType:
    """The library of MIDI ports.

    Raises:
        RtsepError: it is not installed.
    """
    try:
        import rtmidi
    except ImportError:
        raise RtsepError(
            "--midi-out on a port needs python-rtmidi", "install it: pip install 'rtsep[stage]'"
        ) from None
    found: ModuleType = rtmidi
    return found


class MidiPort:
    """Plays notes as soon as they are decided.

    Args:
        port: part of an output port's name, or `virtual:NAME` for a port of its own.
        stems: names of the voices.
        jack: look for ports of JACK, not of the system.

    Raises:
        RtsepError: no rtmidi or mido, no such port, or several.
    """

    def __init__(self, port: str, stems: tuple[str, ...], *, jack: bool) -> None:
        rtmidi: Any = require_rtmidi()
        self._channels = VoiceChannels(len(stems), dated_back=False)
        self._setup_at = [0.0] * len(stems)
        self._heard_at = time.monotonic()
        try:
            self._out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK if jack else rtmidi.API_UNSPECIFIED, name="rtsep")
            if port.startswith(VIRTUAL):
                self._out.open_virtual_port(port.removeprefix(VIRTUAL) or "notes")
            else:
                self._out.open_port(self._find(port))
        except (rtmidi.RtMidiError, OSError) as error:
            why = " ".join(str(error).split())
            raise RtsepError(f"--midi-out {port}: {why}", "is the audio or MIDI server running?") from error

    def _find(self, port: str) -> int:
        names = self._out.get_ports()
        exact = [i for i, name in enumerate(names) if name == port]
        found = exact or [i for i, name in enumerate(names) if port.lower() in name.lower()]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(names) or "none"
        if found:
            raise RtsepError(
                f"--midi-out {port} fits {len(found)} ports",
                f"name one of {', '.join(names[i] for i in found)}",
            )
        raise RtsepError(
            f"--midi-out {port} is no MIDI port",
            f"there are: {listed}; virtual:NAME makes one, NAME.mid is a file",
        )

    def add(self, hop: PitchHop) -> None:
        """See `PitchSink.add`."""
        self._heard_at = time.monotonic()
        for _, channel, message in self._channels.add(hop):
            self._send(channel, message)

    def look(self) -> None:
        """Between hops: ends notes when there are no hops any more."""
        if time.monotonic() - self._heard_at > IDLE_S:
            self._end()

    def _send(self, channel: int, message: Any) -> None:
        now = time.monotonic()
        if message.type == "pitchwheel" and now - self._setup_at[channel] > SETUP_S:
            self._setup_at[channel] = now
            for setting in self._channels.setup(channel):
                self._out.send_message(setting.bytes())
        self._out.send_message(message.bytes())

    def _end(self) -> None:
        for _, channel, message in self._channels.end():
            self._send(channel, message)

    def finish(self) -> None:
        """See `PitchSink.finish`: silence, whatever was lost before."""
        self._end()
        self.silence()
        self._out.close_port()

    def silence(self) -> None:
        """Ends notes that nobody here knows of."""
        for channel in range(len(self._setup_at)):
            self._out.send_message([0xB0 | channel, ALL_NOTES_OFF, 0])

    def discard(self) -> None:
        """See `PitchSink.discard`."""
        self._out.close_port()
