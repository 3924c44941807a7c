"""The process that runs hops on stage: one busy thread between the device callback and the rest of the world.

Started by `rtsep.rt.session` as `python -m rtsep.rt.engine`, with the settings on stdin. It ends when stdin
says so or closes (its parent is gone), and on SIGTERM; SIGINT is the parent's to handle.
"""

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.device_stream import (
    DeviceStream,
    StreamFormat,
    buffering_samples,
    default_blocksize,
    host_block,
    is_jack,
    restart_portaudio,
)
from rtsep.rt.devices import find_device, list_devices, pick_channels
from rtsep.rt.live_settings import LiveSettings
from rtsep.rt.meters import HopTimes, LevelMeters, to_db
from rtsep.rt.presets import Preset
from rtsep.rt.routing import routing
from rtsep.rt.scheduling import raise_priority
from rtsep.rt.separator import Separator
from rtsep.rt.shared_memory import SharedMemory
from rtsep.rt.status import Block, Status, rounded

HOUSEKEEPING_S = 0.05  # a screen refreshes 20 times a second at most
DEVICE_TIMEOUT_S = 1.0  # ten times the longest block of any device
RETRY_S = 0.5
INPUT_RING_S = 2.0  # stalls shorter than this lose no input
WARM_UP_HOPS = 24  # past every first call: FFT plans, page faults, branch predictors


class LiveEngine:
    """Everything between opening a device and closing it. `run` blocks until `should_stop` says so.

    Args:
        settings: what was asked for.
        block: where status goes.
        record: ring for the recorder, its frames as in `rtsep.rt.record`; None without one.
        should_stop: asked some twenty times a second.
    """

    def __init__(
        self,
        settings: LiveSettings,
        block: Block,
        record: _core.SampleRing | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self._settings, self._block, self._record, self._should_stop = settings, block, record, should_stop
        self._fixed: dict[str, Any] = {}  # of the status: what does not change while running
        self._state, self._last_error = "starting", ""
        self._skipped_hops = self._device_losses = self._record_lost_frames = 0
        self._load, self._load_at = 0.0, (time.monotonic(), time.process_time())
        self._hop_index = 0

    def run(self) -> None:
        """Opens, warms up, runs, closes.

        Raises:
            RtsepError: devices, channels, rate or model that cannot be had.
        """
        fmt = self._choose_format()
        self._prepare(fmt)
        self._stream = self._open(fmt)
        self._state = "running"
        self._publish()
        try:
            self._loop()
        finally:
            self._stream.close()
            self._finish_record()
            self._state = "stopped"
            self._publish()

    def _choose_format(self) -> StreamFormat:
        s = self._settings
        devices = list_devices()
        source = find_device(s.input, "input", devices)
        target = find_device(s.output, "output", devices, host_api=source.host_api)
        self._picks = pick_channels(s.input_channels, source, "input")
        self._outputs = pick_channels(s.output_channels, target, "output")
        if s.output_channels is None:  # no more than there is something to play on
            self._outputs = self._outputs[: (s.voices + 1) * len(self._picks)]
        samplerate = s.samplerate or round(source.samplerate)
        hop = Preset(samplerate, s.latency_ms).hop
        if s.blocksize is not None and not 1 <= s.blocksize <= 8192:
            raise RtsepError(f"block size {s.blocksize} is outside 1..8192", "leave it out")
        fmt = StreamFormat(
            source,
            target,
            samplerate,
            s.blocksize or default_blocksize(hop),
            max(self._picks) + 1,
            max(self._outputs) + 1,
        )
        return self._with_jack_block(fmt, s.blocksize) if is_jack(source) else fmt

    def _with_jack_block(self, fmt: StreamFormat, asked: int | None) -> StreamFormat:
        """JACK hands out its own period: shorter blocks would come in bursts, longer ones be collected."""
        period = host_block(fmt)
        if asked not in (None, period):
            raise RtsepError(
                f"block size {asked} is not the JACK server's period of {period}",
                f"leave it out or start the server with -p {asked}",
            )
        return StreamFormat(fmt.input, fmt.output, fmt.samplerate, period, fmt.inputs, fmt.outputs)

    def _prepare(self, fmt: StreamFormat) -> None:
        s = self._settings
        channels = len(self._picks)
        separator = Separator.load(
            s.model,
            voices=s.voices,
            samplerate=fmt.samplerate,
            latency_ms=s.latency_ms,
            channels=channels,
            backend=s.backend,
            f0=s.f0,
        )
        hop, stems = separator.hop, len(separator.stems)
        buffering = buffering_samples(fmt.blocksize, hop)
        gains, notes = routing(stems - 1, channels, self._outputs, fmt.outputs)
        self._fmt, self._separator = fmt, separator
        self._callback = _core.DeviceCallback(
            self._picks,
            fmt.inputs,
            gains,
            stems,
            hop,
            separator.latency_samples + buffering,
            separator.hop_latency_samples,
            round(INPUT_RING_S * fmt.samplerate),
        )
        self._hop = np.zeros((hop, channels), np.float32)
        self._stems = np.zeros((stems, hop, channels), np.float32)
        self._frame = np.zeros((hop, (stems + 1) * channels), np.float32)
        # the input as old as the stems it goes to disk with
        self._aligned = np.zeros((separator.hop_latency_samples + hop, channels), np.float32)
        self._meters = LevelMeters(stems, hop, channels)
        self._hop_times = HopTimes(hop / fmt.samplerate)
        self._warm_up()
        self._fixed = {
            "samplerate": fmt.samplerate,
            "hop": hop,
            "stems": list(separator.stems),
            "algorithmic_samples": separator.latency_samples,
            "buffering_samples": buffering,
            "live_latency_samples": separator.latency_samples + buffering,
            "blocksize": fmt.blocksize,
            "input_device": fmt.input.name,
            "output_device": fmt.output.name,
            "scheduling": raise_priority(),
            "notes": notes,
        }

    def _warm_up(self) -> None:
        """First calls are slow: they happen here, on noise that leaves no trace. Then the garbage collector
        goes.
        """
        self._hop[...] = np.random.default_rng(0).normal(0, 0.1, self._hop.shape)
        for _ in range(WARM_UP_HOPS):
            self._separator.process_hop(self._hop, self._stems)
            self._separator.skip_hop(self._hop, self._stems)
        self._separator.reset()
        gc.collect()
        gc.freeze()
        gc.disable()

    def _open(self, fmt: StreamFormat) -> DeviceStream:
        stream = DeviceStream(fmt, self._callback)
        before, after = stream.latency_s
        self._fixed["device_input_samples"] = round(before * fmt.samplerate)
        self._fixed["device_output_samples"] = round(after * fmt.samplerate)
        stream.start()
        return stream

    def _loop(self) -> None:
        next_housekeeping = time.monotonic()
        while True:
            if self._callback.wait_input(self._hop_index, HOUSEKEEPING_S):
                self._run_hop()
            now = time.monotonic()
            if now < next_housekeeping:
                continue
            next_housekeeping = now + HOUSEKEEPING_S
            if self._should_stop():
                return
            if self._stream.stalled_s() > DEVICE_TIMEOUT_S and not self._recover_device():
                return
            self._publish()

    def _run_hop(self) -> None:
        """Separates the next hop, or lets it pass where its stems could not be played any more."""
        started = time.perf_counter()
        lost = self._callback.read_hop(self._hop_index, self._hop)
        if lost or self._callback.position > self._callback.first_frame(self._hop_index):
            self._separator.skip_hop(self._hop, self._stems)
            self._skipped_hops += 1
        else:
            self._separator.process_hop(self._hop, self._stems)
        self._callback.deliver(self._hop_index, self._stems)
        self._hop_times.add(time.perf_counter() - started)
        self._hop_index += 1
        self._meters.add(self._stems)
        if self._record is not None:
            self._record_hop(self._record)

    def _record_hop(self, ring: _core.SampleRing) -> None:
        hop, channels = self._hop.shape
        self._aligned[:-hop] = self._aligned[hop:]
        self._aligned[-hop:] = self._hop
        self._frame[:, :channels] = self._aligned[:hop]
        stems = self._frame[:, channels:].reshape(hop, -1, channels)  # a view: only the last axis is split
        stems[...] = self._stems.transpose(1, 0, 2)
        if ring.space >= hop:
            ring.write(self._frame)
        else:
            self._record_lost_frames += hop

    def _finish_record(self) -> None:
        """What is still inside the separator belongs to the take."""
        if self._record is None:
            return
        self._hop[...] = 0
        for _ in range(-(-self._separator.hop_latency_samples // self._separator.hop)):
            self._separator.process_hop(self._hop, self._stems)
            self._record_hop(self._record)
        self._record.close()

    def _recover_device(self) -> bool:
        """Waits until the devices are back; False when told to stop meanwhile. Counters and positions go
        on.
        """
        self._state = "device-lost"
        self._device_losses += 1
        fmt = self._fmt
        self._last_error = f"{fmt.input.name!r} -> {fmt.output.name!r} went away; waiting for it to come back"
        self._publish()
        self._stream.close()
        while not self._should_stop():
            try:
                restart_portaudio()
                self._stream = self._open(self._same_format(fmt))
            except (RtsepError, portaudio_error()) as error:
                if isinstance(error, RtsepError) and error.problem.startswith("the device came back"):
                    self._last_error = str(error)
                self._publish()
                time.sleep(RETRY_S)
                continue
            self._state = "running"
            self._publish()
            return True
        return False

    def _same_format(self, fmt: StreamFormat) -> StreamFormat:
        """The devices of that name, wherever PortAudio lists them now."""
        devices = list_devices()
        source = find_device(fmt.input.name, "input", devices, host_api=fmt.input.host_api)
        target = find_device(fmt.output.name, "output", devices, host_api=fmt.output.host_api)
        found = StreamFormat(source, target, fmt.samplerate, fmt.blocksize, fmt.inputs, fmt.outputs)
        if is_jack(source) and (period := host_block(found)) != fmt.blocksize:
            raise RtsepError(
                f"the device came back with blocks of {period} instead of {fmt.blocksize}",
                f"start the JACK server with -p {fmt.blocksize}, or start rtsep again",
            )
        return found

    def _publish(self) -> None:
        callback, report = self._callback, self._separator.voices
        now, cpu = time.monotonic(), time.process_time()
        if now - self._load_at[0] >= 1.0:
            self._load = (cpu - self._load_at[1]) / (now - self._load_at[0])
            self._load_at = now, cpu
        was_read = self._block.seen == self._block.sequence
        if was_read or not hasattr(self, "_input_peak"):
            self._input_peak = np.zeros(len(self._picks))
        peaks = [callback.take_input_peak(i) for i in range(len(self._picks))]
        np.maximum(self._input_peak, peaks, out=self._input_peak)
        last_error = self._last_error
        if self._record_lost_frames:
            last_error = f"the disk is too slow: {self._record_lost_frames} frames are missing in the take"
        self._block.write(
            {
                **self._fixed,
                **self._meters.publish(was_read),
                **self._hop_times.publish(),
                "state": self._state,
                "frames": callback.position,
                "xruns": callback.xruns,
                "late_hops": callback.late_hops,
                "skipped_hops": self._skipped_hops,
                "fallback_samples": callback.fallback_samples,
                "nonfinite_samples": callback.nonfinite_samples,
                "input_lost_frames": callback.input_lost_frames,
                "device_losses": self._device_losses,
                "input_peak_db": rounded(to_db(self._input_peak)),
                "f0_hz": rounded(report.f0_hz),
                "level_db": rounded(report.level_db),
                "merged": [bool(m) for m in report.merged],
                "cpu_load": round(self._load, 3),
                "device_load": round(self._stream.load, 3) if self._state == "running" else 0.0,
                "last_error": last_error,
            }
        )


def portaudio_error() -> type[Exception]:
    """The exception class of python-sounddevice."""
    from rtsep.rt.devices import portaudio

    return portaudio().PortAudioError  # type: ignore[no-any-return]


class ParentWatch:
    """True once stdin says stop or closes, or SIGTERM came."""

    def __init__(self) -> None:
        self._terminated = False
        self._parent = os.getppid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN | select.POLLHUP)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def __call__(self) -> bool:
        return self._terminated or bool(self._poll.poll(0)) or os.getppid() != self._parent


def main() -> int:
    """Entry of the engine process: argv holds the descriptors of status and record ring (-1 for none)."""
    status_fd, record_fd = int(sys.argv[1]), int(sys.argv[2])
    block = Block(SharedMemory(status_fd))
    record = _core.SampleRing.attach(SharedMemory(record_fd).memory) if record_fd >= 0 else None
    settings = LiveSettings.from_json(sys.stdin.readline())
    watch = ParentWatch()
    try:
        LiveEngine(settings, block, record, watch).run()
    except RtsepError as error:
        block.write(
            {
                **Status(state="failed", last_error=str(error)).as_dict(),
                "error": [error.problem, error.remedy],
            }
        )
        return 2
    finally:
        if record is not None:
            record.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
