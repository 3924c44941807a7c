"""Which stem goes to which device output, and the mixture in their place while it is bypassed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Routing:
    """Where everything is played.

    Attributes:
        gains: float32 [device outputs, stems * channels].
        bypass: float32 [device outputs, channels], of the delayed mixture.
        notes: what the user should know.
    """

    gains: NDArray[np.float32]
    bypass: NDArray[np.float32]
    notes: list[str]


def routing(stems: int, channels: int, outputs: list[int], device_outputs: int) -> Routing:
    """Gains from every stem channel, and from the mixture, to every device output.

    With enough outputs, every stem has its own (one per audio channel), and the residual the next if one is
    left. With fewer, the stems are spread over the outputs in order, the first stem on the first, by
    equal-power panning between neighbours; their audio channels are summed, and the residual stays silent.

    In bypass the mixture takes the residual's place where that is played, so that the sum of all outputs is
    the delayed mixture as it is with all stems. Elsewhere it is shared out evenly among the outputs, with the
    same sum.

    Args:
        stems: how many, the residual included.
        channels: audio channels of every stem.
        outputs: device outputs to use, 0-based, in order.
        device_outputs: outputs the device has open.
    """
    gains = np.zeros((device_outputs, stems, channels), np.float32)
    bypass = np.zeros((device_outputs, channels), np.float32)
    named = stems - 1  # all but the residual
    notes = []
    if len(outputs) >= named * channels:
        played = min(stems, len(outputs) // channels)
        for stem in range(played):
            for channel in range(channels):
                gains[outputs[stem * channels + channel], stem, channel] = 1.0
    else:
        played = named
        for stem in range(named):
            place = stem / max(1, named - 1) * (len(outputs) - 1)
            left = min(int(place), max(0, len(outputs) - 2))
            angle = (place - left) * math.pi / 2
            gains[outputs[left], stem] += math.cos(angle) / channels
            if len(outputs) > 1:
                gains[outputs[left + 1], stem] += math.sin(angle) / channels
    if played == stems:
        bypass[...] = gains[:, -1]
    else:
        _share_out(bypass, outputs)
        where = ""
        if len(outputs) < named * channels:
            where = "spread over them from the left, in order; " if len(outputs) > 1 else "summed; "
        notes.append(f"{len(outputs)} outputs for {named} stems: {where}the residual is not played")
    gains[np.abs(gains) < 1e-6] = 0.0  # cos(pi / 2) is not quite zero
    return Routing(np.ascontiguousarray(gains.reshape(device_outputs, -1)), bypass, notes)


def _share_out(bypass: NDArray[np.float32], outputs: list[int]) -> None:
    """Audio channels to outputs by turns; their mean to every output where there are fewer outputs."""
    channels = bypass.shape[1]
    if len(outputs) < channels:
        bypass[outputs] = 1.0 / (channels * len(outputs))
        return
    for channel in range(channels):
        own = outputs[channel::channels]
        bypass[own, channel] = 1.0 / len(own)
