"""Separate inside a sounddevice callback of your own: the highest of two voices, from input 1 to output 1.

Good for trying things. On stage let `rtsep.Session` run the callback: Python on the device's thread is at
the mercy of the garbage collector and of every other Python thread.
"""

import contextlib
import sys

import numpy as np
import sounddevice as sd

from rtsep import Separator

VOICE = "voice-1"


def main(seconds: float | None = None) -> int:
    """Runs for `seconds` (until Ctrl-C without them); returns the number of dropouts."""
    samplerate = int(sd.query_devices(kind="input")["default_samplerate"])
    separator = Separator.load("choir", voices=2, samplerate=samplerate, latency_ms=11)
    stem = separator.stems.index(VOICE)
    dropouts = 0

    def callback(
        indata: np.ndarray, outdata: np.ndarray, frames: int, time: object, status: sd.CallbackFlags
    ) -> None:
        nonlocal dropouts
        dropouts += bool(status)
        outdata[:] = separator.process(indata)[stem]  # any number of frames

    separator.process(np.zeros((4096, 1), np.float32))  # first calls are slow: not in the callback
    separator.reset()
    with sd.Stream(
        samplerate=samplerate, channels=1, dtype="float32", latency="low", callback=callback
    ) as stream:
        device = sum(stream.latency) * samplerate
        print(f"latency: {separator.latency_samples} samples, and {device:.0f} of the device")
        with contextlib.suppress(KeyboardInterrupt):
            sd.sleep(int(1000 * seconds) if seconds else 10**9)
    return dropouts


if __name__ == "__main__":
    sys.exit(0 if main(float(sys.argv[1]) if len(sys.argv) > 1 else None) == 0 else 1)
