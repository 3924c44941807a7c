"""The device callback of a stream, built alike for the hop loop and the bypass: latency never moves."""

from dataclasses import dataclass

from rtsep.kernels import _core
from rtsep.rt.control.parameters import RAMP_S
from rtsep.rt.live.routing import Routing
from rtsep.rt.live.stream_choice import StreamChoice

INPUT_RING_S, INPUT_RING_BLOCKS = 2.0, 4  # stalls shorter than the longer of the two lose no input


@dataclass(frozen=True)
class StreamShape:
    """What the model fixes: how many stems, samples of a hop, from input to output, and of the hop's part."""

    stems: int
    hop: int
    latency_samples: int
    hop_latency_samples: int


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
