"""Which stem goes to which device output."""

import math

import numpy as np
from numpy.typing import NDArray


def routing(
    voices: int, channels: int, outputs: list[int], device_outputs: int
) -> tuple[NDArray[np.float32], list[str]]:
    """Gains from every stem channel to every device output.

    With enough outputs, voice i has its own (one per audio channel), and the residual the next if one is
    left. With fewer, the voices are spread over the outputs in order, the highest on the first, by
    equal-power panning between neighbours; their audio channels are summed, and the residual stays silent.

    Args:
        voices: stems without the residual.
        channels: audio channels of every stem.
        outputs: device outputs to use, 0-based, in order.
        device_outputs: outputs the device has open.

    Shape:
        returns float32 [device_outputs, (voices + 1) * channels], and notes for the user.
    """
    gains = np.zeros((device_outputs, voices + 1, channels), np.float32)
    notes = []
    if len(outputs) >= voices * channels:
        stems = min(voices + 1, len(outputs) // channels)
        for stem in range(stems):
            for channel in range(channels):
                gains[outputs[stem * channels + channel], stem, channel] = 1.0
        if stems == voices:
            notes.append(f"{len(outputs)} outputs for {voices} voices: the residual is not played")
    else:
        for voice in range(voices):
            place = voice / max(1, voices - 1) * (len(outputs) - 1)
            left = min(int(place), max(0, len(outputs) - 2))
            angle = (place - left) * math.pi / 2
            gains[outputs[left], voice] += math.cos(angle) / channels
            if len(outputs) > 1:
                gains[outputs[left + 1], voice] += math.sin(angle) / channels
        where = "spread over them from the left, highest first" if len(outputs) > 1 else "summed"
        notes.append(f"{len(outputs)} outputs for {voices} voices: {where}; the residual is not played")
    gains[np.abs(gains) < 1e-6] = 0.0  # cos(pi / 2) is not quite zero
    return np.ascontiguousarray(gains.reshape(device_outputs, -1)), notes
