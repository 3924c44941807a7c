"""Every fault of docs/faults.md by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from rtsep.bench.live.faults import device_faults, engine_faults, host_faults, take_faults
from rtsep.bench.live.faults.told import Told

CASES: dict[str, Callable[[Path], Told]] = {
    "overload": engine_faults.overload,
    "engine-killed": engine_faults.engine_killed,
    "crash-loop": engine_faults.crash_loop,
    "recorder-killed": take_faults.recorder_killed,
    "recorder-stopped": take_faults.recorder_stopped,
    "main-killed": host_faults.main_killed,
    "jackd-stopped": device_faults.jackd_stopped,
    "jackd-restarted": device_faults.jackd_restarted,
    "other-rate": device_faults.other_rate,
    "other-period": device_faults.other_period,
    "device-gone": device_faults.device_gone,
    "two-devices": device_faults.two_devices,
    "disk-full": take_faults.disk_full,
    "nan-input": engine_faults.nan_input,
    "nan-model": engine_faults.nan_model,
    "1e30": engine_faults.absurd,
    "feedback": engine_faults.feedback,
    "feedback-fast": partial(engine_faults.feedback, loop_db=8.0),
    "control-flood": host_faults.flood,
    "config": host_faults.config_with_errors,
}
