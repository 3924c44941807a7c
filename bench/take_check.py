"""Does a take hold what the separator gives offline for the same input?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.rt.separator import Separator
from rtsep.rt.takes.take_log import TakeLog

HOPS_AT_ONCE = 1024


@dataclass(frozen=True)
class Replay:
    """A take against the file path, which skips the hops that the take says were skipped.

    Attributes:
        frames: of the take; compared: of its first part, which can be followed.
        different: samples of stems that are not exactly the same; max_difference: full scale 1;
            first_different: frame of the take, None where there is none.
        skipped_hops, holes, hole_frames, parts: as the take says.
    """

    frames: int
    compared: int
    different: int
    max_difference: float
    first_different: int | None
    skipped_hops: int
    holes: int
    hole_frames: int
    parts: int


def read_take(folder: Path, names: tuple[str, ...]) -> NDArray[np.float32]:
    """float32 [names, frames] of mono files."""
    return np.stack([soundfile.read(folder / f"{name}.wav", dtype="float32")[0] for name in names])


def offline_stems(separator: Separator, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [stems, frames], aligned with the mono `mixture` [frames]; the separator must be fresh."""
    latency = separator.latency_samples
    stems = np.concatenate([separator.process(mixture[:, None]), separator.flush()], axis=1)
    return np.ascontiguousarray(stems[:, latency:, 0])


def replay(folder: Path, separator: Separator) -> Replay:
    """Separates the take's input again, hop by hop, in constant memory.

    Args:
        folder: a take of mono WAV files whose frame 0 is the engine's first. A hop that was skipped before
            its stems lay in the take has a frame below 0.
        separator: fresh, as the session's was.
    """
    log = TakeLog.load(folder)
    hop, delay, stems = separator.hop, separator.hop_latency_samples, len(separator.stems)
    skipped = {
        (event["first_frame"] + delay) // hop + k
        for event in log.events
        if event["kind"] == "skipped-hop"
        for k in range(event["count"])
    }
    part = folder / log.parts[0]["folder"]
    files = [soundfile.SoundFile(part / f"{name}.{log.suffix}") for name in log.names]
    made = np.zeros((stems, HOPS_AT_ONCE, hop), np.float32)
    out, kept = np.zeros((stems, hop, 1), np.float32), np.zeros((stems, 0), np.float32)
    different, largest, compared, number, first = 0, 0.0, 0, 0, None
    while len(block := files[0].read(HOPS_AT_ONCE * hop, dtype="float32")) >= hop:
        hops = len(block) // hop
        for k in range(hops):
            step = separator.skip_hop if number in skipped else separator.process_hop
            step(block[k * hop : (k + 1) * hop, None], out)
            made[:, k] = out[:, :, 0]
            number += 1
        kept = np.concatenate([kept, made[:, :hops].reshape(stems, -1)], axis=1)
        kept = kept[:, delay:] if number == hops else kept  # what came before the first sample
        taken = np.stack([file.read(kept.shape[1], dtype="float32") for file in files[1:]])
        apart = np.abs(kept[:, : taken.shape[1]] - taken)
        different, largest = (
            different + int(np.count_nonzero(apart)),
            max(largest, float(apart.max(initial=0.0))),
        )
        if first is None and different:
            first = compared + int(np.argmax(apart.any(axis=0)))
        compared, kept = compared + taken.shape[1], kept[:, taken.shape[1] :]
    for file in files:
        file.close()
    return Replay(
        log.frames,
        compared,
        different,
        largest,
        first,
        len(skipped),
        len(log.holes),
        log.hole_frames,
        len(log.parts),
    )
