"""What a live session was asked for, in a form that travels to the engine process."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.score.score import Score
from rtsep.rt.control.desk_layout import parse_input_mix
from rtsep.rt.drivers.devices import DeviceSpec
from rtsep.rt.drivers.jack_options import JackOptions

Driver = Literal["portaudio", "jack"]


def jack_settings(driver: Driver | None, options: JackOptions | None) -> dict[str, Any] | None:
    """`LiveSettings.jack`: whoever names a client wants one.

    Raises:
        RtsepError: an unknown driver, or options of JACK for another one.
    """
    if driver not in (None, "portaudio", "jack"):
        raise RtsepError(f"driver {driver!r} is not one of portaudio, jack", "choose one of these")
    if driver == "portaudio" and options is not None:
        raise RtsepError("client name and connections are for the driver jack", "leave out driver portaudio")
    if driver == "portaudio" or (driver is None and options is None):
        return None
    return asdict(options or JackOptions())


@dataclass(frozen=True)
class LiveSettings:
    """Arguments of `Session`, all JSON types; the pitches of a score as (times, F0 rows)."""

    voices: int | None
    model: str | None
    latency_ms: int
    input: DeviceSpec
    input_channels: list[int] | int | None
    output: DeviceSpec
    output_channels: list[int] | int | None
    samplerate: int | None
    blocksize: int | None
    backend: str
    f0_times_s: list[float] | None = None
    f0_hz: list[list[float]] | None = None
    stems: list[str] | None = None
    add_ons: list[str] = field(default_factory=list)
    jack: dict[str, Any] | None = None
    has_take: bool = False
    route: str | None = None
    input_mix: str | None = None
    allow_feedback: bool = False
    render: str = "masks"
    written: dict[str, Any] | None = None
    crossing: dict[str, Any] | None = None
    first_values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def asked(
        cls, f0: F0Track | None, score: Score | None = None, parts: Parts | None = None, **values: Any
    ) -> Self:
        """As a host names them: tuples for lists, a track of pitches, a score, parts."""
        plain: dict[str, Any] = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
        if f0 is not None:
            plain |= {"f0_times_s": f0.times_s.tolist(), "f0_hz": f0.f0_hz.tolist()}
        if score is not None:
            plain["written"] = score.as_dict()
        if parts is not None:
            plain["crossing"] = asdict(parts)
        return cls(**plain)

    @property
    def channels(self) -> int:
        """How many are separated."""
        if self.input_mix is not None:
            return len(parse_input_mix(self.input_mix))
        return len(self.input_channels) if isinstance(self.input_channels, list) else 1

    @property
    def choice(self) -> ModelChoice:
        """Model, voices, stems and add-ons."""
        stems = None if self.stems is None else tuple(self.stems)
        return ModelChoice(self.model, self.voices, stems, tuple(self.add_ons), self.score, self.parts)

    @property
    def score(self) -> Score | None:
        """What a choir sings, None where that is not known."""
        return None if self.written is None else Score.from_dict(self.written)

    @property
    def parts(self) -> Parts | None:
        """Of a choir, where they may cross."""
        return None if self.crossing is None else Parts.from_dict(self.crossing)

    @property
    def jack_options(self) -> JackOptions | None:
        """rtsep as a JACK client of its own; None for PortAudio."""
        return None if self.jack is None else JackOptions(**self.jack)

    @property
    def f0(self) -> F0Track | None:
        """Given pitches, None to track them."""
        if self.f0_times_s is None or self.f0_hz is None:
            return None
        return F0Track(np.array(self.f0_times_s), np.array(self.f0_hz))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Back from `to_json`."""
        values: dict[str, Any] = json.loads(line)
        return cls(**values)
