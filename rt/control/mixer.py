"""From the parameters' values to what the device plays: a gain for every connection, and delays."""

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.parameters import mixer_parameters, value_count

DIM_GAIN = 10.0 ** (-20.0 / 20.0)  # what monitor controllers take off so that people can talk
FARTHEST = 3.0e38  # a ceiling in float32 that no sample reaches
SQRT2 = np.sqrt(2.0)


class Mixer:
    """Takes values, each at the place of its parameter, gives what `_core.DeviceCallback` takes.

    A muted stem is silent. Where any stem is on solo, those that are neither on solo nor solo-safe are
    silent; a stem that is on solo and muted is silent too, as on a mixing desk. A stem of one channel on two
    outputs is panned with equal power (-3 dB each in the middle), one of two channels is balanced (the
    farther side falls); on any other number of outputs the pan does nothing. Its channels go to its outputs
    by turns, and are averaged where it has fewer outputs than channels.

    Args:
        layout: of the desk.
        samplerate: Hz, for the delays.

    Attributes:
        parameters: how many values it takes; defaults: their values at the start, float64 [parameters], each
            at its parameter's place.
        gains: float32 [device outputs, (stems + 1) * channels], the mixture last; changed in place.
        delays: float32 [stems], frames; changed in place.
        ceiling: linear.
        input_gains: float32 [channels, device inputs]; changed in place.
        howling: the output is dimmed for a howl, as long as `output.howl-guard` is on.
        guarding: whether it is.
        heard: bool [stems], which have a gain above 0 somewhere; changed in place.
    """

    def __init__(self, layout: DeskLayout, samplerate: int) -> None:
        self._layout, self._samplerate = layout, samplerate
        described = mixer_parameters(layout)
        index = {parameter.name: parameter.place for parameter in described}
        self.parameters = value_count(layout)
        stems, channels, outputs = len(layout.stems), layout.channels, len(layout.bypass)
        self._of_stem = {
            name: np.array([index[f"{stem}.{name}"] for stem in layout.stems])
            for name in ("gain", "mute", "solo", "solo-safe", "pan", "polarity", "delay")
        }
        # in the order of the outputs that were asked for: the first of two is the left one
        self._sends = np.array(
            [[index[f"{stem}.to-{o + 1}"] for o in layout.outputs] for stem in layout.stems]
        )
        self._place = {
            name: index[name] for name in index if "." not in name or name.startswith(("in", "out"))
        }
        self._rows = np.array(layout.outputs)
        self._bypass = np.array(layout.bypass)
        device_inputs = max(max(mixed) for mixed in layout.inputs) + 1
        self.gains = np.zeros((outputs, (stems + 1) * channels), np.float32)
        self.delays = np.zeros(stems, np.float32)
        self.ceiling, self.howling, self.guarding = FARTHEST, False, False
        self.input_gains = np.zeros((channels, device_inputs), np.float32)
        self.heard = np.zeros(stems, np.bool_)
        self.defaults = np.zeros(self.parameters)
        self.defaults[list(index.values())] = [parameter.default for parameter in described]
        # what few parameters move is worked out when one of them has moved: a fader moves far more often
        self._last = np.full(self.parameters, np.nan)
        self._places_of_pan = np.concatenate([self._of_stem["pan"], self._sends.ravel()])
        self._places_of_input = np.array([at for n, at in self._place.items() if n.startswith("in")])
        self._shares = np.zeros((stems, len(layout.outputs), channels))
        self.set(self.defaults)

    def set(self, values: NDArray[np.float64]) -> None:
        """float64 [parameters]."""
        layout, place = self._layout, self._place
        moved = values != self._last
        self._last[...] = values
        of = {name: values[at] for name, at in self._of_stem.items()}
        audible = (of["mute"] == 0) & ((of["solo"] == 1) | (of["solo-safe"] == 1) | ~of["solo"].any())
        level = np.where(audible, 10.0 ** (of["gain"] / 20.0), 0.0) * np.where(of["polarity"] == 1, -1.0, 1.0)
        output = 10.0 ** (values[place["output.gain"]] / 20.0) * (values[place["output.mute"]] == 0)
        self.guarding = bool(values[place["output.howl-guard"]] == 1)
        dimmed = values[place["output.dim"]] == 1 or (self.howling and self.guarding)
        output *= DIM_GAIN if dimmed else 1.0
        dry = 1.0 if values[place["bypass"]] == 1 else values[place["dry"]]
        if moved[self._places_of_pan].any():
            self._shares = self._panned(of["pan"], values[self._sends] == 1)
        wet = self._shares * (level * (output * (1.0 - dry)))[:, None, None]
        width = len(layout.stems) * layout.channels
        # [stems, outputs, channels] to [outputs, stems * channels]
        self.gains[self._rows, :width] = wet.transpose(1, 0, 2).reshape(len(self._rows), width)
        self.gains[:, width:] = self._bypass * (output * dry)
        self.gains[np.abs(self.gains) < 1e-6] = 0.0  # -120 dB: the cosine of a right angle is not quite zero
        np.any(wet != 0.0, axis=(1, 2), out=self.heard)
        if moved[self._of_stem["delay"]].any():
            self.delays[...] = np.rint(of["delay"] * (self._samplerate / 1000.0))
        ceiling_db = values[place["output.ceiling"]]
        self.ceiling = float(10.0 ** (ceiling_db / 20.0)) if np.isfinite(ceiling_db) else FARTHEST
        if moved[self._places_of_input].any():
            self._set_inputs(values)

    def _set_inputs(self, values: NDArray[np.float64]) -> None:
        place = self._place
        every = 10.0 ** (values[place["input.gain"]] / 20.0)
        for channel, mixed in enumerate(self._layout.inputs):
            for device_input in mixed:
                own = 10.0 ** (values[place[f"in-{device_input + 1}.gain"]] / 20.0)
                self.input_gains[channel, device_input] = every * own

    def _panned(self, pan: NDArray[np.float64], on: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Gains [stems, outputs, channels] from pans [stems] and switches [stems, outputs]."""
        channels = self._layout.channels
        count = on.sum(axis=1)
        rank = np.cumsum(on, axis=1) - 1
        averaged = (count < channels) if not self._layout.summed else np.ones(len(on), np.bool_)
        by_turns = rank[:, :, None] % channels == np.arange(channels)
        shares = np.where(averaged[:, None, None], 1.0 / channels, by_turns)
        angle = (pan + 1.0) * (np.pi / 4.0)
        sides = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        if channels > 1 and not self._layout.summed:
            sides = np.minimum(1.0, SQRT2 * sides)
        of_two = np.take_along_axis(sides, np.clip(rank, 0, 1), axis=1)
        pairs = (count == 2) & ((channels <= 2) | self._layout.summed)
        weights = np.where(pairs[:, None], of_two, 1.0) * on
        result: NDArray[np.float64] = weights[:, :, None] * shares
        return result
