"""Separate an array: `python examples/offline_numpy.py choir.wav`."""

import sys

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep import Separator


def separate(
    mixture: NDArray[np.float32], samplerate: int, voices: int = 4
) -> dict[str, NDArray[np.float32]]:
    """Stems of `mixture`, float32 [frames, channels], by name; aligned with it."""
    separator = Separator.load("choir", voices=voices, samplerate=samplerate, channels=mixture.shape[1])
    # the output lags by latency_samples: flush gets the last of it out, and the first is cut off
    stems = np.concatenate([separator.process(mixture), separator.flush()], axis=1)
    return dict(zip(separator.stems, stems[:, separator.latency_samples :], strict=True))


if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    for name, stem in separate(audio, rate).items():
        soundfile.write(f"{name}.wav", stem, rate, subtype="FLOAT")
        print(f"{name}.wav: {20 * np.log10(np.abs(stem).max() + 1e-6):.1f} dBFS peak")
