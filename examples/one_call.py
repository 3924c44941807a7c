"""One call for an array in memory: `python examples/one_call.py choir.wav`."""

import sys

import numpy as np
import soundfile

import rtsep

if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    stems = rtsep.separate(audio, rate, voices=2)  # by name, aligned with the input
    for name, stem in stems.items():
        print(f"{name}: {20 * np.log10(np.sqrt(np.mean(stem**2)) + 1e-9):.1f} dB RMS")
    print(f"together they are the input, within {np.abs(sum(stems.values()) - audio).max():.1e}")
