"""Separate many files side by side: `python examples/many_files.py 16 concerts/*.wav`, 16 at a time.

A stream that has finished its file begins the next one while the others go on, as seats of a classroom or
connections of a server do. On a GPU (`separate(..., backend="cuda")`) a hop of all of them is one launch.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep import BatchSeparator, RtsepError

F32 = NDArray[np.float32]


class Job:
    """One file, mixed down to one channel. `mixture` [hops, H, 1] is longer by what comes out late."""

    def __init__(self, path: Path, batch: BatchSeparator) -> None:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate != batch.samplerate:
            raise RtsepError(f"{path} has {rate} Hz, the first file {batch.samplerate} Hz", "resample it")
        self.path, self.frames = path, len(sound)
        hops = -(-(self.frames + batch.hop_latency_samples) // batch.hop)
        self.mixture = np.zeros((hops, batch.hop, 1), np.float32)
        self.mixture.reshape(-1)[: self.frames] = sound.mean(1)
        self.stems: list[F32] = []

    def write(self, batch: BatchSeparator) -> None:
        """Stems as long as the file and aligned with it, in the folder NAME-stems."""
        folder = self.path.with_name(f"{self.path.stem}-stems")
        folder.mkdir(exist_ok=True)
        late = batch.hop_latency_samples
        stems = np.concatenate(self.stems, axis=1)[:, late : late + self.frames]
        for name, stem in zip(batch.stems, stems, strict=True):
            soundfile.write(folder / f"{name}.wav", stem, batch.samplerate, subtype="FLOAT")
        print(folder)


def separate(paths: list[Path], streams: int, voices: int = 4, backend: str = "auto") -> None:
    """Separates every file, `streams` of them at a time."""
    rate = soundfile.info(paths[0]).samplerate
    batch = BatchSeparator.load("choir", streams=streams, voices=voices, samplerate=rate, backend=backend)
    hops = np.zeros((streams, batch.hop, 1), np.float32)
    out = np.zeros((streams, len(batch.stems), batch.hop, 1), np.float32)
    reset = np.zeros(streams, np.bool_)
    waiting = list(reversed(paths))
    jobs: list[Job | None] = [None] * streams
    while waiting or any(jobs):
        for stream, job in enumerate(jobs):
            reset[stream] = job is None and bool(waiting)
            if reset[stream]:
                job = jobs[stream] = Job(waiting.pop(), batch)
            hops[stream] = job.mixture[len(job.stems)] if job else 0  # a stream without a file is silent
        batch.process_hop(hops, out, reset)
        if batch.gpu_lost:
            raise RtsepError(f"the GPU was lost ({batch.gpu_lost})", "run it again without")
        for stream, job in enumerate(jobs):
            if job:
                job.stems.append(out[stream].copy())
                if len(job.stems) == len(job.mixture):
                    job.write(batch)
                    jobs[stream] = None


if __name__ == "__main__":
    try:
        separate([Path(name) for name in sys.argv[2:]], int(sys.argv[1]))
    except RtsepError as error:
        sys.exit(f"{error}")
