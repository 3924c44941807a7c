"""What a hop loop tells about itself: a snapshot of counters, levels and pitches for everyone who watches."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.rt.audio.levels import to_db
from rtsep.rt.live.engines.remote_guide import RemoteGuide
from rtsep.rt.live.engines.remote_separator import RemoteSeparator
from rtsep.rt.live.meters import HopHistogram, HopTimes, LevelMeters, NumberWatch, RecentPeaks, SignalWatch
from rtsep.rt.live.status import of_each, rounded
from rtsep.rt.process.block import Block
from rtsep.rt.separator import Separator

COUNTERS = (
    "frames",
    "xruns",
    "late_hops",
    "skipped_hops",
    "fallback_samples",
    "nonfinite_samples",
    "limited_samples",
    "input_lost_frames",
    "device_losses",
)


def _position(guide: ScoreGuide | RemoteGuide | None) -> dict[str, Any]:
    """Where in the score the choir is, for the status."""
    if guide is None:
        return {}
    at = guide.position
    return {
        "score_bar": at.bar,
        "score_beat": round(at.beat, 1),
        "score_confidence": round(at.confidence, 2),
        "score_transposition": round(at.transposition, 2),
    }


class LiveReport:
    """Counts and measures hops, and publishes.

    Args:
        block: where snapshots go. Counters go on from what it holds.
        separator, callback: what is watched; outputs: how many of the device are metered.
        channels: of the input.
        hop_s: a hop's time.
        fixed: what does not change while the stream runs.
        notes: what the user should know.

    Attributes:
        skipped_hops: not separated, as their stems could not be played any more.
        last_error: problem and remedy of the last fault, "" when there was none.
        driver_notes: what the driver says at present; howl_notes, howling: what the guard says, and does.
    """

    def __init__(
        self,
        block: Block,
        separator: Separator | RemoteSeparator,
        callback: _core.DeviceCallback,
        channels: int,
        outputs: int,
        hop_s: float,
        fixed: dict[str, Any],
        notes: list[str],
    ) -> None:
        self._block, self._separator, self._callback = block, separator, callback
        self._fixed, self._notes = fixed, notes
        self._meters = LevelMeters(len(separator.stems), separator.hop, channels)
        self._hop_times = HopTimes(hop_s)
        self._histogram = HopHistogram(block.peek())
        # since the last read
        self._peaks = {"input": np.zeros(channels), "output": np.zeros(outputs)}
        self._load, self._load_at = 0.0, (time.monotonic(), time.process_time())
        before = block.peek()
        self._signal, self._numbers = SignalWatch(), NumberWatch()
        self._recent = RecentPeaks(before)
        self._restarts: dict[str, Any] = {
            key: before[key] for key in ("engine_restarts", "last_fault") if key in before
        }
        self._before = {name: int(before.get(name, 0)) for name in COUNTERS}
        self.skipped_hops = 0
        self.last_error = ""
        self.driver_notes: list[str] = []
        self.howl_notes: list[str] = []
        self.howling = False

    def add_hop(self, stems: NDArray[np.float32], seconds: float) -> None:
        """A hop of stems, float32 [stems, hop, channels], and how long it took."""
        self._hop_times.add(seconds)
        self._histogram.add(seconds)
        self._meters.add(stems)

    def fix(self, **values: Any) -> None:
        """What is known from now on and does not change while the stream runs."""
        self._fixed.update(values)

    def follow(
        self,
        callback: _core.DeviceCallback,
        note: str,
        *,
        separator: Separator | RemoteSeparator | None = None,
        hop_s: float = 0.0,
        outputs: int = 0,
        origin: int | None = None,
    ) -> None:
        """Counts on with another callback.

        Args:
            note: what the user should know.
            separator, hop_s, outputs: where it is another one's, a hop's time, and how many are metered then.
            origin: frame of the callback before at which this one began, unheard; None where it begins now.
        """
        counted = self._counted()
        self._callback, self.skipped_hops = callback, 0
        unheard = self._counted() if origin is not None else {}
        for name, value in counted.items():
            self._before[name] += value - unheard.get(name, 0)
        if origin is not None:
            self._before["frames"] += origin - counted["frames"] + unheard["frames"]
        if separator is not None:
            self._recent.go_over(self._separator.stems, separator.stems, outputs)
            self._separator = separator
            channels = len(self._peaks["input"])
            self._meters = LevelMeters(len(separator.stems), separator.hop, channels)
            self._hop_times = HopTimes(hop_s)
            kept = self._peaks["output"]
            self._peaks["output"] = np.concatenate([kept, np.zeros(outputs - len(kept))])
        self._notes = [*self._notes, note]

    def _counted(self) -> dict[str, int]:
        callback = self._callback
        return {
            "frames": callback.position,
            "xruns": callback.xruns,
            "late_hops": callback.late_hops,
            "skipped_hops": self.skipped_hops,
            "fallback_samples": callback.fallback_samples,
            "nonfinite_samples": callback.nonfinite_samples,
            "limited_samples": callback.limited_samples,
            "input_lost_frames": callback.input_lost_frames,
        }

    def publish(
        self, state: str, device_load: float, last_error: str | None = None, device_losses: int = 0
    ) -> None:
        """A snapshot for everyone who watches; ArithmeticError where the model gives no numbers any more."""
        before = self._before
        stems, report = self._separator.stems, self._separator.voices
        now, cpu = time.monotonic(), time.process_time()
        if now - self._load_at[0] >= 1.0:
            self._load = (cpu - self._load_at[1]) / (now - self._load_at[0])
            self._load_at = now, cpu
        was_read = self._block.seen == self._block.sequence
        peaks = self._take_peaks()
        for kind, kept in self._peaks.items():
            np.maximum(0.0 if was_read else kept, peaks[kind], out=kept)
        counted = self._counted() | {"device_losses": device_losses}
        self._block.write(
            {
                **self._fixed,
                **self._restarts,
                "notes": self._all_notes(),
                "no_signal": self._signal.is_missing(peaks["input"].max(), now),
                **self._meters.publish(was_read),
                **self._recent.publish(stem=self._meters.latest, **peaks),
                **self._hop_times.publish(),
                **self._histogram.publish(),
                **{name: before[name] + value for name, value in counted.items()},
                "state": state,
                "howling": self.howling,
                **{f"{kind}_peak_db": rounded(to_db(kept)) for kind, kept in self._peaks.items()},
                "f0_hz": of_each(stems, report.stems, rounded(report.f0_hz)),
                "level_db": of_each(stems, report.stems, rounded(report.level_db)),
                "merged": of_each(stems, report.stems, report.merged.tolist()),
                **_position(self._separator.guide),
                "cpu_load": round(self._load, 3),
                "device_load": round(device_load, 3),
                "last_error": self.last_error if last_error is None else last_error,
            }
        )
        if state == "running":
            self._numbers.look(self._meters.latest, now)

    def _take_peaks(self) -> dict[str, NDArray[np.float64]]:
        """Of inputs and outputs since the snapshot before."""
        taken = {"input": self._callback.take_input_peak, "output": self._callback.take_output_peak}
        return {
            kind: np.array([taken[kind](i) for i in range(len(kept))]) for kind, kept in self._peaks.items()
        }

    def _all_notes(self) -> list[str]:
        notes = [*self._notes, *self.driver_notes, *self.howl_notes]
        if lost := self._separator.gpu_lost:
            notes.append(f"the GPU was lost: it runs on the processor ({lost})")
        if times := self._restarts.get("engine_restarts"):
            again = "once" if times == 1 else f"{times} times"
            notes.append(f"{self._restarts['last_fault']}; started again ({again})")
        return notes
