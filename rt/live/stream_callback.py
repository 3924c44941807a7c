"""The device callback of a stream, built alike for the hop loop and the bypass: latency never moves."""

from dataclasses import dataclass
from typing import Any

from rtsep.kernels import _core
from rtsep.rt.control.parameters import RAMP_S
from rtsep.rt.live.routing import Routing
from rtsep.rt.live.stream_choice import StreamChoice, buffering_samples
from rtsep.rt.separator import Separator

INPUT_RING_S, INPUT_RING_BLOCKS = 2.0, 4  # stalls shorter than the longer of the two lose no input


@dataclass(frozen=True)
class StreamShape:
    """What the model fixes: how many stems, samples of a hop, from input to output, and of the hop's part."""

    stems: int
    hop: int
    latency_samples: int
    hop_latency_samples: int


def stream_shape(separator: Separator, blocksize: int) -> StreamShape:
    """Of a model on blocks of that length."""
    latency = separator.latency_samples + buffering_samples(blocksize, separator.hop)
    return StreamShape(len(separator.stems), separator.hop, latency, separator.hop_latency_samples)


def latency_facts(shape: StreamShape, separator: Separator, blocksize: int) -> dict[str, int]:
    """For the status."""
    return {
        "blocksize": blocksize,
        "buffering_samples": shape.latency_samples - separator.latency_samples,
        "live_latency_samples": shape.latency_samples,
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


def device_callback(choice: StreamChoice, shape: StreamShape, routes: Routing) -> _core.DeviceCallback:
    """What the device runs for a stream."""
    fmt = choice.format
    return _core.DeviceCallback(
        choice.picks,
        fmt.inputs,
        routes.gains,
        shape.stems,
        shape.hop,
        shape.latency_samples,
        shape.hop_latency_samples,
        max(round(INPUT_RING_S * fmt.samplerate), INPUT_RING_BLOCKS * fmt.blocksize),
        routes.bypass,
        round(RAMP_S * fmt.samplerate),
    )
