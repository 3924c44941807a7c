"""What stands between an instrument and a recording: drive, loudspeaker, compressor, room."""

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from rtsep.training.choir.render.room import Response, draw_response
from rtsep.training.databases.stem_folder import F32, SAMPLERATE


def drive(sound: F32, drive_db: float) -> F32:
    """Soft clipping of a signal brought to unit peak, `drive_db` over the knee; unit peak again."""
    peak = float(np.max(np.abs(sound)))
    if peak == 0.0:
        return sound
    # a stage before the valve takes lows off: otherwise bass notes modulate everything above them
    tight = sosfilt(butter(1, 90.0, "high", fs=SAMPLERATE, output="sos"), sound / peak)
    clipped = np.tanh(10.0 ** (drive_db / 20.0) * tight + 0.1) - np.tanh(0.1)
    return np.asarray(clipped / np.max(np.abs(clipped)), np.float32)


def loudspeaker(sound: F32, rng: np.random.Generator, *, low_hz: float, high_hz: float) -> F32:
    """A cabinet: a band-pass with a presence peak, drawn a little apart each time."""
    low, high = low_hz * rng.uniform(0.8, 1.25), high_hz * rng.uniform(0.8, 1.25)
    out = sosfilt(butter(2, [low, high], "band", fs=SAMPLERATE, output="sos"), sound)
    presence = sosfilt(butter(1, [0.4 * high, 0.9 * high], "band", fs=SAMPLERATE, output="sos"), sound)
    return np.asarray(out + rng.uniform(0.0, 1.0) * presence, np.float32)


def compress(sound: F32, ratio: float, release_s: float) -> F32:
    """Feed-forward compression above -12 dB re the loudest moment; unit peak afterwards."""
    fast = np.exp(-1.0 / (0.005 * SAMPLERATE))
    slow = np.exp(-1.0 / (release_s * SAMPLERATE))
    envelope = lfilter([1.0 - fast], [1.0, -fast], np.abs(sound))
    envelope = np.maximum(envelope, lfilter([1.0 - slow], [1.0, -slow], envelope))
    loudest = float(envelope.max())
    if loudest == 0.0:
        return sound
    over = np.maximum(envelope / (loudest * 10.0 ** (-12.0 / 20.0)), 1.0)
    out = sound * over ** (1.0 / ratio - 1.0)
    return np.asarray(out / np.max(np.abs(out)), np.float32)


def in_room(sound: F32, responses: tuple[Response, ...], rng: np.random.Generator, wet_db: float) -> F32:
    """A dry sound and its room: half of the rooms are recorded ones, where there are any."""
    response = (
        responses[int(rng.integers(len(responses)))]
        if responses and rng.random() < 0.5
        else draw_response(rng)
    )
    wet = fftconvolve(sound, response.taps)[: len(sound)]
    return np.asarray(sound + 10.0 ** (wet_db / 20.0) * wet, np.float32)
