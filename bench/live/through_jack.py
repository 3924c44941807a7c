"""A whole live run through a JACK server with the dummy driver:

    python -m rtsep.bench.live.through_jack --seconds 300

Plays a file (or a synthetic quartet) into rtsep's input port and records its output ports on JACK's clock.
Shown: xruns, late hops, the delay found against the delay declared, and how far the recorded stems are from
the offline path's.
"""

import gc
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.bench.jack_rig import JackServer, Rig, delay_samples
from rtsep.bench.take_check import offline_stems, read_take
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.process.scheduling import lock_memory, stop_collecting
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

SAMPLERATE = 48000
BURST_S = 1.0  # noise in front of the music: its delay is unmistakable
CHOIR_S = 6.0  # the synthetic choir repeats after one round of its chords
CHUNK = 1 << 20  # frames compared at once


@dataclass(frozen=True)
class LiveResult:
    """One run. Differences are absolute sample values; `rig_xruns` are those the test clients saw."""

    seconds: float
    xruns: int
    rig_xruns: int
    late_hops: int
    fallback_samples: int
    declared_samples: int
    measured_samples: int
    max_difference_heard_to_take: float
    max_difference_take_to_offline: float
    hop_time_p50: float
    hop_time_p99: float
    hop_time_max: float
    cpu_load: float
    scheduling: str

    @property
    def clean(self) -> bool:
        """Nothing was late and nothing differs."""
        return (
            self.xruns == self.late_hops == self.fallback_samples == 0
            and self.declared_samples == self.measured_samples
            and self.max_difference_heard_to_take == self.max_difference_take_to_offline == 0.0
        )


def load_mixture(path: Path | None, seconds: float) -> NDArray[np.float32]:
    """Mono at 48 kHz, repeated or cut to `seconds`; a synthetic choir without a file."""
    if path is None:
        mono = synthetic_choir(SAMPLERATE, CHOIR_S)[:, 0]
    else:
        audio, samplerate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(audio.mean(1), samplerate, SAMPLERATE)
    frames = round(seconds * SAMPLERATE)
    return np.resize(mono, frames).astype(np.float32)


def run_live(
    mixture: NDArray[np.float32], voices: int, latency_ms: int, period: int, folder: Path
) -> LiveResult:
    """Plays `mixture` [frames] through a session that records into `folder`."""
    burst = np.random.default_rng(0).uniform(-0.3, 0.3, round(BURST_S * SAMPLERATE)).astype(np.float32)
    signal = np.concatenate([burst, mixture])
    seconds = len(signal) / SAMPLERATE
    with (
        JackServer(samplerate=SAMPLERATE, period=period),
        Session(voices=voices, latency_ms=latency_ms, record=folder) as session,
        Rig(voices + 1, seconds + 2.0) as rig,
    ):
        declared = session.latency_samples
        # The rig is a part of the audio graph: a collection or a page fault of its own would count against
        # rtsep.
        stop_collecting()
        lock_memory()
        rig.connect()
        rig.play(signal)
        status = session.status()
        gc.enable()
    played = rig.recording[:, 0]
    start = int(np.argmax(played != 0))
    around = slice(start, start + len(burst))
    measured = delay_samples(played[around], rig.recording[around, 1:].sum(1))

    separator = Separator.load(voices=voices, samplerate=SAMPLERATE, latency_ms=latency_ms)
    take = read_take(Path(status.record_take), ("input", *separator.stems))
    at = int(np.argmax(take[0] != 0))
    frames = min(len(signal), take.shape[1] - at, len(played) - start - declared)
    heard = rig.recording[start + declared : start + declared + frames, 1:].T
    return LiveResult(
        seconds=round(frames / SAMPLERATE, 1),
        xruns=status.xruns,
        rig_xruns=rig.xruns,
        late_hops=status.late_hops,
        fallback_samples=status.fallback_samples,
        declared_samples=declared,
        measured_samples=measured,
        max_difference_heard_to_take=_difference(heard, take[1:, at : at + frames]),
        max_difference_take_to_offline=_difference(take[1:], offline_stems(separator, take[0])),
        hop_time_p50=status.hop_time_p50,
        hop_time_p99=status.hop_time_p99,
        hop_time_max=status.hop_time_max,
        cpu_load=status.cpu_load,
        scheduling=status.scheduling,
    )


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Largest absolute difference, chunk by chunk: minutes of five stems do not fit twice into small
    memories.
    """
    return max(
        (float(np.abs(a[:, i : i + CHUNK] - b[:, i : i + CHUNK]).max()) for i in range(0, a.shape[1], CHUNK)),
        default=0.0,
    )


@click.command()
@click.option("--seconds", default=300.0, show_default=True, help="Length of the run.")
@click.option(
    "--input", "path", type=click.Path(exists=True, path_type=Path), help="A mixture; synthetic if left out."
)
@click.option("--voices", default=4, show_default=True)
@click.option("--latency", "latency_ms", default=11, show_default=True, help="Preset in ms.")
@click.option("--period", default=128, show_default=True, help="Frames of a JACK cycle.")
@click.option("--attempts", default=1, show_default=True, help="Runs until one is clean; every run is shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run.")
def main(
    seconds: float, path: Path | None, voices: int, latency_ms: int, period: int, attempts: int, as_json: bool
) -> None:
    """Live through JACK: xruns, late hops, delay, and the difference to the offline path."""
    mixture = load_mixture(path, seconds)
    for attempt in range(attempts):
        folder = Path(tempfile.mkdtemp(prefix="rtsep-live-"))
        try:
            result = run_live(mixture, voices, latency_ms, period, folder / "take")
        finally:
            shutil.rmtree(folder)
        if as_json:
            click.echo(json.dumps(asdict(result)))
        else:
            click.echo(f"run {attempt + 1}: {'clean' if result.clean else 'NOT clean'}")
            for name, value in asdict(result).items():
                click.echo(f"  {name.replace('_', ' '):34} {value}")
        if result.clean:
            return
    raise SystemExit(1)


if __name__ == "__main__":
    main()
