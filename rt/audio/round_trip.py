"""How long a sound takes through a loop: a signal to send, and its delay in what comes back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.levels import dbfs

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

SWEEP_S = 0.5  # loud for so long that a quiet cable in a noisy room is still found
LOWEST_HZ, HIGHEST_SHARE = 80.0, 0.45  # below, small loudspeakers give nothing; of the sampling rate
SWEEP_PEAK = 0.5  # -6 dBFS: no converter clips, no ear is hurt at a moderate level
LONGEST_DELAY_S = 1.0
QUIETEST_DBFS = -60.0  # a cable's worth of loss more than any cable loses
CLIPPED = 0.999
CLEAR_DB = 20.0  # the echo sought stands so far above what else the response holds
SECOND_DB = -10.0  # an echo this near to the first is a second way through the desk
NEAR_S = 0.002  # ringing of filters and loudspeakers around a peak is the peak's own
PLACES = 9  # where a peak is looked for, over two samples, then over half a sample; between, a parabola


@dataclass(frozen=True)
class RoundTrip:
    """What was found.

    Attributes:
        delay_samples: from what was sent to what came back.
        peak_dbfs: of what came back.
        gain_db: of the loop, by the peak of its response: of a wire it is that of the wire.
        inverted: the loop turns the sign.
    """

    delay_samples: float
    peak_dbfs: float
    gain_db: float
    inverted: bool


def sweep(samplerate: int) -> F32:
    """An exponential sine sweep (Farina 2000) that fades in and out: float32 [frames]."""
    frames = round(SWEEP_S * samplerate)
    t = np.arange(frames) / samplerate
    rate = np.log(HIGHEST_SHARE * samplerate / LOWEST_HZ) / SWEEP_S
    signal = SWEEP_PEAK * np.sin(2.0 * np.pi * LOWEST_HZ / rate * np.expm1(rate * t))
    fade = min(frames // 10, round(0.01 * samplerate))
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    signal[:fade] *= ramp
    signal[-fade:] *= ramp[::-1]
    return np.asarray(signal, np.float32)


def measure(sent: F32, heard: F32, samplerate: int) -> RoundTrip:
    """The delay of `sent` in `heard`: the peak of the loop's impulse response, finer than a sample.

    Args:
        sent, heard: float32 [frames], beginning at the same moment.
        samplerate: Hz.

    Raises:
        RtsepError: nothing came back, it was clipped, or no single clear echo is in it.
    """
    peak = float(np.max(np.abs(heard), initial=0.0))
    if not np.isfinite(peak):
        raise RtsepError("what came back holds NaN or Inf", "look at the driver")
    if dbfs(peak) < QUIETEST_DBFS:
        raise RtsepError(
            f"what came back peaks at {dbfs(peak):.0f} dBFS, at least {QUIETEST_DBFS:.0f} dBFS is needed",
            "connect the output to the input, by a cable or in the audio server's graph, and raise its gain",
        )
    if peak >= CLIPPED:
        raise RtsepError("what came back is clipped", "lower the output or the input gain")
    response = _response(sent, heard)
    size = np.abs(response[: round(LONGEST_DELAY_S * samplerate)])
    at = int(np.argmax(size))
    near = max(2, round(NEAR_S * samplerate))
    others = size.copy()
    others[max(0, at - near) : at + near + 1] = 0.0
    noise = float(np.sqrt(np.mean(np.square(others))))
    if size[at] < 10.0 ** (CLEAR_DB / 20.0) * noise:
        raise RtsepError(
            "no clear echo of the signal came back: noise, or a device that drops samples",
            "make the room quiet or the cable sound, or take a longer --blocksize",
        )
    second = float(others.max(initial=0.0))
    if second > 10.0 ** (SECOND_DB / 20.0) * size[at]:
        raise RtsepError(
            f"it came back twice, {1000 * abs(int(np.argmax(others)) - at) / samplerate:.1f} ms apart",
            "switch direct monitoring off, so that there is one way from output to input",
        )
    delay, height = _between(response, at)
    whole = _between(_response(sent, sent), 0)[1]  # below 1: the sweep has no lows and no highs
    return RoundTrip(delay, dbfs(peak), dbfs(abs(height) / whole), bool(height < 0))


def _response(sent: F32, heard: F32) -> F64:
    """Impulse response of what lies between, band-limited to the sweep: a regularised division of spectra."""
    size = 1 << (len(sent) + len(heard) - 1).bit_length()
    x, y = np.fft.rfft(sent.astype(np.float64), size), np.fft.rfft(heard.astype(np.float64), size)
    power = np.abs(x) ** 2
    floor = 1e-3 * float(np.max(power))
    return np.asarray(np.fft.irfft(y * np.conj(x) / (power + floor), size))


def _between(response: F64, at: int) -> tuple[float, float]:
    """Place and height of the extremum next to sample `at`, from the spectrum's own interpolation."""
    spectrum = np.fft.rfft(response)
    frequency = 2.0 * np.pi * np.arange(len(spectrum)) / len(response)
    weight = np.full(len(spectrum), 2.0 / len(response))
    weight[0] = 1.0 / len(response)
    centre, reach = float(at), 1.0
    for _ in range(2):  # the second time around the best of the first
        places = np.linspace(centre - reach, centre + reach, PLACES)
        values = np.array([np.sum(weight * (spectrum * np.exp(1j * frequency * p)).real) for p in places])
        k = int(np.clip(np.argmax(np.abs(values)), 1, PLACES - 2))
        centre, reach = float(places[k]), float(places[1] - places[0])
    left, top, right = np.abs(values[k - 1 : k + 2])
    bend = left - 2.0 * top + right
    step = 0.5 * (left - right) / bend if bend else 0.0
    return centre + step * reach, float(values[k])
