"""The device callback of a stream, built alike for the hop loop and the bypass: latency never moves."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rtsep.kernels import _core
from rtsep.rt.control.parameters import LONGEST_DELAY_MS, RAMP_S
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.live.stream_choice import StreamChoice, buffering_samples

INPUT_RING_S, INPUT_RING_BLOCKS = 2.0, 4  # stalls shorter than the longer of the two lose no input


# Waiting for input: each sleep takes up to its own length from the hop's time, and each waking costs CPU.
SLEEPS_PER_HOP, LONGEST_SLEEP_S = 20, 5e-4


def waiting_grain_s(hop: int, samplerate: int) -> float:
    """How long a wait for a hop sleeps at a time."""
    return min(LONGEST_SLEEP_S, hop / samplerate / SLEEPS_PER_HOP)


@dataclass(frozen=True)
class StreamShape:
    """What the model fixes: how many stems, samples of a hop, from input to output, and of the hop's part."""

    stems: int
    hop: int
    latency_samples: int
    hop_latency_samples: int


class Sized(Protocol):
    """What a stream needs to know of a separator."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names."""
        ...

    @property
    def hop(self) -> int:
        """Samples."""
        ...

    @property
    def latency_samples(self) -> int:
        """Of blocks of any length."""
        ...

    @property
    def hop_latency_samples(self) -> int:
        """Of whole hops."""
        ...


def stream_shape(separator: Sized, blocksize: int) -> StreamShape:
    """Of a model on blocks of that length."""
    latency = separator.latency_samples + buffering_samples(blocksize, separator.hop)
    return StreamShape(len(separator.stems), separator.hop, latency, separator.hop_latency_samples)


def latency_facts(shape: StreamShape, separator: Sized, fmt: StreamFormat) -> dict[str, int]:
    """For the status."""
    return {
        "blocksize": fmt.blocksize,
        "buffering_samples": shape.latency_samples - separator.latency_samples,
        "clock_bridge_samples": fmt.bridge_samples,
        "live_latency_samples": shape.latency_samples + fmt.bridge_samples,
    }


def changes(before: dict[str, Any], samplerate: int, latency_samples: int) -> list[str]:
    """What is another than in the stream before this one, whose last status was `before`."""
    old = before.get("samplerate", 0), before.get("live_latency_samples", 0)
    if old in ((0, 0), (samplerate, latency_samples)):
        return []
    return [
        f"the server came back changed: the latency is {latency_samples} samples at {samplerate} Hz, "
        f"{old[1]} at {old[0]} Hz before"
    ]


def device_callback(choice: StreamChoice, shape: StreamShape) -> _core.DeviceCallback:
    """What the device runs for a stream; silent until a `Desk` steers it."""
    fmt, channels = choice.format, len(choice.inputs)
    return _core.DeviceCallback(
        [mixed[0] for mixed in choice.inputs],
        fmt.inputs,
        np.zeros((fmt.outputs, shape.stems * channels), np.float32),
        shape.stems,
        shape.hop,
        shape.latency_samples,
        shape.hop_latency_samples,
        max(round(INPUT_RING_S * fmt.samplerate), INPUT_RING_BLOCKS * fmt.blocksize),
        np.zeros((fmt.outputs, channels), np.float32),
        round(RAMP_S * fmt.samplerate),
        round(LONGEST_DELAY_MS * fmt.samplerate / 1000.0),
    )
