"""Voices sung anew (`--render synth`): oscillators at the tracked pitch with the levels of the masked voice.

The signal model of Schulze-Forster et al. (arXiv 2201.09592), harmonics and noise with a filter over both;
the filter acts on the partials' amplitudes and on the noise's spectrum, which needs no memory and rings on
into nothing. Phases run on from hop to hop, so that nothing clicks, whatever the pitch does.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, load_all, require_like
from rtsep.rt.hop.partial_reading import PARTIALS, PartialReading

F32 = NDArray[np.float32]

FADE_S = 0.015  # of a voice that enters or leaves: shorter clicks, longer smears consonants
# The spectrum tells levels as they were in the middle of its long window, 5 to 15 ms before the stem's time;
# the masked stem itself tells how loud it is now. Its mean power over about this long, a period of a low
# voice, sets the level of all partials together, by 6 dB up at most: the rest of an attack is then there.
FOLLOW_S, MOST_GAIN = 0.015, 2.0
LEAST_POWER = 1e-12  # -120 dBFS: silence
NOISE_FRAMES = 211  # of noise, used in turn: more than a second at the shortest hop, and prime
OSCILLATORS = "oscillators."


class VoiceSynth:
    """One synthesised signal for each voice and channel, as late as the masked voice.

    Args:
        voices, channels: how many.
        framing: the spectrum's layout.
    """

    def __init__(self, voices: int, channels: int, framing: Framing) -> None:
        self._voices, self._channels, self._hop = voices, channels, framing.hop
        self._bin_hz = framing.bin_hz
        self._reading = PartialReading(voices, channels, framing)
        self._oscillators = _core.HarmonicOscillator(voices * channels, PARTIALS, framing.samplerate)
        self._sung = np.zeros((voices * channels, framing.hop), np.float32)
        self._amplitudes = np.zeros((voices, channels, PARTIALS), np.float32)
        self._played = np.zeros((voices * channels, PARTIALS), np.float32)
        self._f0_hz = np.zeros(voices, np.float32)  # the last pitch of each
        self._gain = np.zeros(voices, np.float32)
        self._power = np.zeros((2, voices))  # running mean of the masked and of the synthesised voice
        self._follow = np.zeros(voices, np.float32)  # the gain at the end of the last hop
        self._forget = float(np.exp(-framing.hop / framing.samplerate / FOLLOW_S))
        self._rise = (np.arange(1, framing.hop + 1) / framing.hop).astype(np.float32)
        self._gain_step = framing.hop / framing.samplerate / FADE_S
        # Noise is made in frames of 2M with windows whose squares sum to one: their powers add up.
        length = 2 * framing.half_overlap
        self._noise_hz = np.arange(framing.half_overlap + 1) * (framing.samplerate / length)
        self._window = np.sin(np.pi * (np.arange(length) + 0.5) / length).astype(np.float32)
        phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (NOISE_FRAMES, len(self._noise_hz)))
        window = analysis_window(framing.window_samples, framing.half_overlap).astype(np.float64)
        # From a bin's power, 1 = a full-scale sine, to the variance of white noise that leaves it there.
        variance = window.sum() ** 2 / (4.0 * np.square(window).sum())
        self._phases = (np.sqrt(length * variance) * np.exp(1j * phases)).astype(np.complex64)
        self._tail = np.zeros((voices, channels, length - framing.hop), np.float32)
        self._hops = 0

    def step(self, spectra: NDArray[np.complex64], f0_hz: F32, out: F32) -> None:
        """The next hop.

        Shape:
            spectra: complex64 [voices, channels, bins], masked; f0_hz: float32 [voices], 0 where unvoiced;
            out: float32 [voices, H, channels], the masked voices, replaced.
        """
        voiced = f0_hz > 0
        self._f0_hz[voiced] = f0_hz[voiced]
        # a voice that leaves sings on at its last pitch while it fades
        change = np.where(voiced, self._gain_step, -self._gain_step)
        self._gain[...] = np.clip(self._gain + change, 0.0, 1.0)
        noise = None
        if voiced.any():
            noise = self._read(spectra, voiced)
        self._sing()
        self._breathe(noise)
        sung = self._sung.reshape(self._voices, self._channels, -1)
        for row, found in enumerate((np.einsum("vhc,vhc->v", out, out), np.einsum("vch,vch->v", sung, sung))):
            self._power[row] += (1.0 - self._forget) * (found - self._power[row])
        masked, own = self._power + LEAST_POWER
        gain = np.minimum(np.sqrt(masked / own), MOST_GAIN).astype(np.float32)
        ramp = self._follow[:, None] + (gain - self._follow)[:, None] * self._rise
        self._follow[...] = gain
        np.multiply(sung.transpose(0, 2, 1), ramp[..., None], out=out)

    def skip(self, out: F32) -> None:
        """A hop without a spectrum: voices fade."""
        self.step(
            np.zeros((self._voices, self._channels, 0), np.complex64), np.zeros(self._voices, np.float32), out
        )

    def _read(self, spectra: NDArray[np.complex64], voiced: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Levels of partials; the noise's magnitudes [voices, channels, M + 1], 0 for who is not voiced."""
        hz = np.where(voiced, self._f0_hz, self._bin_hz).astype(np.float64)
        self._reading.read(spectra, hz)
        np.copyto(
            self._amplitudes, np.sqrt(self._reading.power), where=voiced[:, None, None], casting="same_kind"
        )
        # between two half-ways in a straight line; below the first as there, nothing above the last
        place = np.maximum(self._noise_hz / hz[:, None] - 1.5, 0.0)
        lower = np.minimum(place.astype(np.intp), PARTIALS - 2)[:, None]
        levels = np.sqrt(self._reading.noise) * voiced[:, None, None]
        share = (place - lower[:, 0])[:, None]
        low, high = (
            np.take_along_axis(levels, np.broadcast_to(at, (*levels.shape[:2], at.shape[-1])), -1)
            for at in (lower, lower + 1)
        )
        found: NDArray[np.float64] = (low + share * (high - low)) * (share <= 1.0)
        return found

    def _sing(self) -> None:
        f0_hz = np.where(self._gain > 0, self._f0_hz, np.float32(0))
        played = self._amplitudes * self._gain[:, None, None]
        self._played[...] = played.reshape(self._played.shape)
        self._oscillators.render(np.repeat(f0_hz, self._channels), self._played, self._sung)

    def _breathe(self, magnitudes: NDArray[np.float64] | None) -> None:
        self._hops += 1
        self._sung += self._tail.reshape(self._sung.shape)
        if magnitudes is None:
            self._tail[...] = 0
            return
        spectrum = magnitudes.astype(np.float32) * self._phases[self._hops % NOISE_FRAMES]
        frames = np.fft.irfft(spectrum) * self._window
        self._sung += frames[..., : self._hop].reshape(self._sung.shape)
        self._tail[...] = frames[..., self._hop :]

    def reset(self) -> None:
        """Silence, and phases of 0."""
        self._oscillators.reset()
        for array in (self._amplitudes, self._f0_hz, self._gain, self._tail, self._power, self._follow):
            array[...] = 0
        self._hops = 0

    def state_dict(self) -> State:
        """Phases, levels, fades, and the noise that has begun."""
        oscillators: State = {OSCILLATORS + name: v for name, v in self._oscillators.state_dict().items()}  # type: ignore[misc]
        return oscillators | {
            "f0_hz": self._f0_hz.copy(),
            "amplitudes": self._amplitudes.copy(),
            "gain": self._gain.copy(),
            "power": self._power.copy(),
            "follow": self._follow.copy(),
            "tail": self._tail.copy(),
            "hops": np.array(self._hops, np.int64),
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, NaN or Inf, or pitches from Nyquist on; nothing has changed
                then.
        """
        require_like(self.state_dict(), state, "synthesis")
        start = len(OSCILLATORS)
        mine = {name[start:]: value for name, value in state.items() if name.startswith(OSCILLATORS)}
        load_all([(self._oscillators, mine)])  # type: ignore[list-item]  # its state is a typed dict
        self._f0_hz[...], self._amplitudes[...] = state["f0_hz"], state["amplitudes"]
        self._gain[...], self._tail[...] = state["gain"], state["tail"]
        self._power[...], self._follow[...] = state["power"], state["follow"]
        self._hops = int(state["hops"])
