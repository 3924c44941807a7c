"""The loop of one device, measured some times over, beside what a live run on it adds."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rtsep.rt.audio.round_trip import LONGEST_DELAY_S, measure, sweep
from rtsep.rt.drivers.clocks import bridge_samples, have_one_clock
from rtsep.rt.drivers.devices import find_device, list_devices, pick_channels
from rtsep.rt.drivers.loop_player import LoopPlayer
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.stream_choice import buffering_samples, default_blocksize


@dataclass(frozen=True)
class LoopSettings:
    """What was asked for; channels from 0."""

    input: str
    input_channel: int
    output: str | None
    output_channel: int
    samplerate: int | None
    blocksize: int | None
    latency_ms: int


@dataclass(frozen=True)
class LoopReport:
    """All delays in samples.

    Attributes:
        device_samples: measured, out and back in; spread_samples: largest less smallest of the measurements.
        declared_samples: what the driver says of the same way, None where it does not.
        algorithmic_samples, buffering_samples, clock_bridge_samples: what a live run adds, exact.
        inverted, gain_db: of the loop.
        faults: blocks that the driver flagged while it was measured.
    """

    samplerate: int
    blocksize: int
    input_device: str
    output_device: str
    latency_ms: int
    device_samples: float
    spread_samples: float
    declared_samples: int | None
    algorithmic_samples: int
    buffering_samples: int
    clock_bridge_samples: int
    gain_db: float
    inverted: bool
    faults: int

    @property
    def total_samples(self) -> float:
        """From microphone socket to loudspeaker socket with rtsep between."""
        added = self.algorithmic_samples + self.buffering_samples + self.clock_bridge_samples
        return self.device_samples + added

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self) | {"total_samples": self.total_samples}

    def lines(self) -> list[str]:
        """For people."""
        ms = 1000.0 / self.samplerate
        block = f"blocks of {self.blocksize}" if self.blocksize else "the driver's own blocks"

        def row(name: str, samples: float, more: str) -> str:
            return f"{name:<12} {samples:10.2f} samples {samples * ms:8.2f} ms  {more}"

        said = "the driver does not say"
        if self.declared_samples is not None:
            off = self.device_samples - self.declared_samples
            said = f"measured; the driver says {self.declared_samples} ({off:+.1f})"
        lines = [
            f"{self.output_device} -> {self.input_device}, {self.samplerate} Hz, {block}",
            row("device", self.device_samples, said),
            row("algorithmic", self.algorithmic_samples, f"exact, preset {self.latency_ms} ms"),
            row("buffering", self.buffering_samples, "exact"),
            row("together", self.total_samples, "from socket to socket"),
            f"the loop's gain is {self.gain_db:+.1f} dB"
            + (", and it turns the sign" if self.inverted else ""),
        ]
        if self.clock_bridge_samples:
            lines.insert(4, row("two clocks", self.clock_bridge_samples, "exact, the bridge between them"))
        if self.faults:
            lines.append(f"{self.faults} blocks came late meanwhile: close other programs for a sure figure")
        return lines


def measure_loop(settings: LoopSettings, repeats: int) -> LoopReport:
    """Plays and listens `repeats` times.

    Raises:
        RtsepError: a device that cannot be had, or nothing clear that came back.
    """
    devices = list_devices()
    source = find_device(settings.input, "input", devices)
    sink = find_device(settings.output, "output", devices, source.host_api)
    channels = (
        pick_channels([settings.input_channel + 1], source, "input")[0],
        pick_channels([settings.output_channel + 1], sink, "output")[0],
    )
    samplerate = settings.samplerate or round(source.samplerate)
    preset = Preset(samplerate, settings.latency_ms)
    # PortAudio delays JACK by a block where one is named, see DeviceStream
    blocksize = 0 if source.is_jack else settings.blocksize or default_blocksize(preset.hop)
    player = LoopPlayer((source, sink), channels, samplerate, blocksize)
    signal = sweep(samplerate)
    try:
        found = [
            measure(signal, player.play(signal, round(LONGEST_DELAY_S * samplerate)), samplerate)
            for _ in range(repeats)
        ]
        before, behind = player.declared_s
    finally:
        player.close()
    delays = np.array([trip.delay_samples for trip in found])
    known = before is not None and behind is not None
    declared = round(((before or 0.0) + (behind or 0.0)) * samplerate) if known else None
    return LoopReport(
        samplerate,
        blocksize,
        source.name,
        sink.name,
        settings.latency_ms,
        round(float(np.median(delays)), 3),
        round(float(np.ptp(delays)), 3),
        declared,
        preset.latency_samples,
        buffering_samples(blocksize, preset.hop) if blocksize else 0,
        0 if have_one_clock(source, sink) else bridge_samples(samplerate, blocksize),
        round(found[0].gain_db, 2),
        found[0].inverted,
        player.faults,
    )
