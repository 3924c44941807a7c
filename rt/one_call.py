"""Separation of an array in one call: for scripts and notebooks."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsep.kernels.errors import InputRefused
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.score.score import Score
from rtsep.rt.both_ways.choice import AUTO, load_for_file
from rtsep.rt.hop.rendering import MASKS


def separate(
    audio: ArrayLike,
    samplerate: int,
    *,
    model: str | None = None,
    voices: int | None = None,
    stems: tuple[str, ...] | None = None,
    add_ons: tuple[str, ...] = (),
    latency_ms: int = 43,
    backend: str = "auto",
    f0: F0Track | None = None,
    offline: str = AUTO,
    render: str = MASKS,
    score: Score | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Separates a whole recording; the stems are aligned with it, whatever the preset's latency.

    Args:
        audio: floating-point samples [frames] or [frames, channels], full scale = 1.
        samplerate: 8000..192000 Hz.
        model, voices, stems, add_ons, backend, f0, render, score: as of `Separator.load`.
        latency_ms: preset 5, 11, 21 or 43; the longest separates best. A choir has 143, 243 and
            543 too, which are 43 where the sound is heard from both ends.
        offline: "auto" decides from both ends of the recording where the model can (a choir on the
            processor), "on" refuses where it cannot, "off" gives the samples of a live run.

    Shape:
        returns float32 arrays of the shape of `audio`, by the name of the stem, the residual last. They sum
        to `audio`, to rounding, unless voices are rendered.

    Raises:
        InputRefused: samples that are not floating-point numbers, or another number of dimensions.
        RtsepError: as `Separator.load`, or `offline="on"` where it cannot be.

    Example:
        >>> import numpy as np
        >>> import rtsep
        >>> tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
        >>> stems = rtsep.separate(tone, 16000, voices=1)
        >>> list(stems)
        ['voice-1', 'residual']
        >>> bool(np.allclose(sum(stems.values()), tone, atol=1e-5))
        True
    """
    sound = np.asarray(audio)
    if not np.issubdtype(sound.dtype, np.floating) or sound.ndim not in (1, 2):
        raise InputRefused(
            f"audio has {sound.ndim} dimensions and type {sound.dtype}, 1 or 2 of floating point are needed",
            "give [frames] or [frames, channels], full scale = 1",
        )
    frames = sound.reshape(len(sound), -1).astype(np.float32)
    if f0 is not None:
        f0.require_within(len(frames) / samplerate)
    separator = load_for_file(
        offline,
        model,
        voices=voices,
        stems=stems,
        add_ons=add_ons,
        samplerate=samplerate,
        latency_ms=latency_ms,
        channels=frames.shape[1],
        backend=backend,
        f0=f0,
        render=render,
        score=score,
    ).separator
    late = separator.latency_samples
    found = np.concatenate([separator.process(frames), separator.flush()], axis=1)[:, late:]
    return {name: stem.reshape(sound.shape) for name, stem in zip(separator.stems, found, strict=True)}
