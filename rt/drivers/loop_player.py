"""Plays a signal on a device and records what comes back meanwhile, both from the same sample on."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers.devices import Device, known_latency_s, portaudio

F32 = NDArray[np.float32]


class LoopPlayer:
    """A duplex stream, opened once: some drivers choose another latency each time they are opened.

    Args:
        devices: input and output.
        channels: 0-based input and output channel.
        samplerate: Hz; blocksize: frames, 0 for the driver's own.

    Raises:
        DeviceRefused: the driver refuses.
    """

    def __init__(
        self, devices: tuple[Device, Device], channels: tuple[int, int], samplerate: int, blocksize: int
    ) -> None:
        sd = portaudio()
        self._channels = channels
        self._playing: F32 = np.zeros(0, np.float32)
        self._heard: F32 = np.zeros(0, np.float32)
        self._at = 0
        self.faults = 0
        try:
            self._stream = sd.Stream(
                device=(devices[0].index, devices[1].index),
                channels=(channels[0] + 1, channels[1] + 1),
                samplerate=samplerate,
                blocksize=blocksize,
                dtype="float32",
                latency="low",
                callback=self._run,
            )
            self._stream.start()
        except (sd.PortAudioError, ValueError) as error:
            raise DeviceRefused(f"the device cannot be opened ({error})", "see rtsep devices") from None

    @property
    def declared_s(self) -> tuple[float | None, float | None]:
        """Input and output latency as the driver says, None where that cannot be."""
        before, behind = self._stream.latency
        return known_latency_s(before), known_latency_s(behind)

    def play(self, signal: F32, tail: int) -> F32:
        """Plays float32 [frames] and `tail` frames of silence; returns what came in meanwhile, as long.

        Raises:
            DeviceRefused: the device stands still.
        """
        sd = portaudio()
        heard = np.zeros(len(signal) + tail, np.float32)
        self._at = 0
        self._heard = heard  # first: the callback looks at `_playing`
        self._playing = np.concatenate([signal, np.zeros(tail, np.float32)])
        patience_ms = 2000 + round(1000 * len(heard) / self._stream.samplerate) * 3
        for _ in range(patience_ms // 20):
            if self._at >= len(heard):
                self._playing = np.zeros(0, np.float32)
                return heard
            sd.sleep(20)
        raise DeviceRefused("the device delivers no audio", "check that nothing else holds it")

    def _run(self, indata: F32, outdata: F32, frames: int, time: object, status: object) -> None:
        outdata[:] = 0.0
        playing, at = self._playing, self._at
        if status:
            self.faults += 1
        if at >= len(playing):
            return
        count = min(frames, len(playing) - at)
        outdata[:count, self._channels[1]] = playing[at : at + count]
        self._heard[at : at + count] = indata[:count, self._channels[0]]
        self._at = at + count

    def close(self) -> None:
        """Silence."""
        self._stream.close()
