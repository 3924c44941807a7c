"""What the recorder and `take.json` are told of a session."""

from dataclasses import asdict

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import Control
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.status import Status
from rtsep.rt.takes.record_plan import RecordPlan
from rtsep.rt.takes.recorder_process import TAKE_INPUT
from rtsep.rt.takes.take_keeper import TakeInfo, TakeKeeper


def take_plan(status: Status, channels: int, form: str) -> RecordPlan:
    """Of an engine that runs: `channels` of its input, "wav" or "flac" as `form`."""
    return RecordPlan([TAKE_INPUT, *status.stems], status.samplerate, status.hop, channels, form)


def take_info(settings: LiveSettings, status: Status, control: Control) -> TakeInfo:
    """Settings, model with its hash, devices, mixer, and the latency in its parts."""
    choice = settings.choice
    told = asdict(settings) | {
        "model": choice.name,
        "model_sha256": choice.found.sha256,
        "input_device": status.input_device,
        "output_device": status.output_device,
        "mixer": {parameter.name: control.get(parameter.name) for parameter in control.parameters},
    }
    latency = {
        "algorithmic": status.algorithmic_samples,
        "buffering": status.buffering_samples,
        "clock_bridge": status.clock_bridge_samples,
        "device_input": status.device_input_samples,
        "device_output": status.device_output_samples,
    }
    return TakeInfo(told, latency)


class CanRecord:
    """The part of `Session` that records."""

    _takes: TakeKeeper | None = None

    def record_start(self) -> str:
        """Begins a take at this moment, and with the 10 s before it; returns its folder.

        Raises:
            RtsepError: a session without `record`, a take that is running, or a folder that cannot be made.
        """
        return self._recording().start_take()

    def record_stop(self) -> None:
        """Ends the take at this moment; RtsepError where nothing is being recorded."""
        self._recording().stop_take()

    def mark(self, text: str) -> None:
        """Sets a marker into the take at this moment; RtsepError where nothing is being recorded."""
        self._recording().mark(text)

    def _recording(self) -> TakeKeeper:
        if self._takes is None or not self._takes.runs:
            raise RtsepError("this session records nothing", "give it record=FOLDER, and call start()")
        return self._takes
