"""Blocks of any size give the same samples: `python examples/any_block_size.py choir.wav`.

A host calls `process` with whatever its device brings: 64 frames, 480, one. The separator keeps the rest of a
hop inside, and its latency does not depend on how the input is cut.
"""

import sys

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep import Separator

F32 = NDArray[np.float32]


def in_blocks(separator: Separator, audio: F32, sizes: list[int]) -> F32:
    """Stems [stems, frames, channels] of audio [frames, channels], in blocks of `sizes`, over and over."""
    blocks, start, turn = [], 0, 0
    while start < len(audio):
        block = audio[start : start + sizes[turn % len(sizes)]]
        blocks.append(separator.process(block))
        start, turn = start + len(block), turn + 1
    return np.concatenate(blocks, axis=1)


if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    separator = Separator.load("choir", voices=2, samplerate=rate, channels=audio.shape[1])
    whole = in_blocks(separator, audio, [len(audio)])
    separator.reset()
    pieces = in_blocks(separator, audio, [64, 1, 480, 1023])
    print(f"largest difference: {np.abs(whole - pieces).max()}")
