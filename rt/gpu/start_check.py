"""Before anyone listens: does a hop on the GPU give the processor's samples?"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import GpuMissing
from rtsep.models.gpu.hop_runner import HopRunner, one_line
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]

CHECK_HOPS = 200  # a second at 11 ms: every recurrent state has moved
CHECK_HZ = (523.25, 329.63, 196.0, 130.81)  # a chord that no tracker doubts
STAGGER = 7  # prime: streams that a wrong stride takes for each other are at different places of the chord


def check_on_chord(runner: HopRunner, standby: HopPipeline, streams: int = 1) -> None:
    """Both play a chord, and both are as before their first hop afterwards.

    Stream s hears it from hop s mod 7 on, with a reset there and the chord's beginning before: so a stream
    that took another one's audio or state, or that was not reset, is found with one pipeline to compare with.

    Args:
        runner: of S streams. Its first calls of everything are here.
        standby: the same model on the processor.
        streams: S.

    Raises:
        GpuMissing: a stream differs by the runner's `bound` or more, or the GPU failed.
    """
    samples, channels = standby.preset.hop, standby.audio_state[0].shape[0]
    voices = len(standby.model.stems)
    groups = min(STAGGER, streams)
    sound = _chord(samples, standby.preset.samplerate, voices)
    hops = np.zeros((streams, samples, channels), np.float32)
    nothing_given = np.zeros((streams, voices), np.float32)
    latest = np.zeros((groups, voices + 1, samples, channels), np.float32)  # of the processor's, a ring
    worst = np.zeros(streams, np.float32)
    for number in range(CHECK_HOPS + groups - 1):
        heard = sound[min(number, CHECK_HOPS - 1)]
        standby.step(np.repeat(heard, channels, 1), latest[number % groups])
        reset = np.zeros(streams, np.bool_)
        for late in range(groups):
            hops[late::groups] = sound[min(max(number - late, 0), CHECK_HOPS - 1)]
            reset[late::groups] = 0 < number == late
        with _failure_told(runner.backend):
            there = runner.step(hops, reset, nothing_given).stems
        for late in range(min(number + 1, groups)):
            apart = np.abs(there[late::groups] - latest[(number - late) % groups]).max((1, 2, 3))
            worst[late::groups] = np.maximum(worst[late::groups], np.nan_to_num(apart, nan=np.inf))
    stream = int(worst.argmax())
    if not worst[stream] < runner.bound:
        which = "" if streams == 1 else f" in stream {stream} of {streams}"
        raise GpuMissing(
            f"--backend {runner.backend} differs from the processor by {worst[stream]:.2g} on a chord"
            f"{which}, bound {runner.bound:g}",
            "use --backend cpu",
        )
    standby.reset()
    with _failure_told(runner.backend):
        runner.reset()


def _chord(samples: int, rate: int, voices: int) -> F32:
    """Hops [CHECK_HOPS, H, 1] of one second or so at 11 ms, with noise 60 dB below full scale.

    A note for each voice: with more of them, which ones are followed hangs by a float's last digit.
    """
    seconds = np.arange(CHECK_HOPS * samples) / rate
    noise = np.random.default_rng(0).normal(0.0, 1e-3, seconds.size)
    chord = sum(np.sin(2 * np.pi * k * f * seconds) / k for f in CHECK_HZ[:voices] for k in (1, 2, 3))
    return np.asarray(0.05 * chord + noise, np.float32).reshape(CHECK_HOPS, samples, 1)


@contextmanager
def _failure_told(backend: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise GpuMissing(
            f"--backend {backend}: the GPU failed ({one_line(error)})", "use --backend cpu"
        ) from error
