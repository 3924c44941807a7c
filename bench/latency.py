"""The latency of `Separator.process`, found with an impulse and held against what is declared.

    python -m rtsep.bench.latency

Two ways through the separator are probed. An *open* model, whose only voice has a mask of one in every bin,
sends the impulse through analysis, mask and overlap-add: it must come out of that voice, whole. The choir
model answers for the sum of all stems, the residual included.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.presets import LATENCIES_MS, Preset
from rtsep.rt.separator import Separator

SAMPLERATES = (44100, 48000, 96000)
BLOCKS = (1, 37, 163, 1021, 8191)
# The impulse does not stand at the start of a hop.
IMPULSE_AT = 1009
# Windows of float32 sum to one, and a float32 FFT of 8192 comes back, to about 1e-6.
MAX_AMPLITUDE_ERROR = 1e-4


class OpenMasks:
    """A `MaskModel` that gives everything to its only voice."""

    stems = ("voice-1",)

    def __init__(self) -> None:
        self.report = VoiceReport.silent(())

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        masks[...] = 1.0

    def skip(self) -> None:
        """No time to keep."""

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Nothing to save."""

    def reset(self) -> None:
        """Nothing to forget."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to restore."""


@dataclass(frozen=True)
class Measured:
    """One probe, in samples.

    Attributes:
        declared: `latency_samples`.
        through_mask: where the impulse came out of the open model's voice, from where it went in.
        through_sum: where it came out of the sum of the choir model's stems.
        amplitude: of the impulse that came through the mask; 1 when nothing is lost.
        smear: largest magnitude anywhere else in that voice.
    """

    samplerate: int
    latency_ms: int
    block_samples: int
    declared: int
    through_mask: int
    through_sum: int
    amplitude: float
    smear: float

    @property
    def exact(self) -> bool:
        """Whether both ways take exactly the declared number of samples, and the impulse stayed whole."""
        whole = abs(self.amplitude - 1.0) < MAX_AMPLITUDE_ERROR and self.smear < MAX_AMPLITUDE_ERROR
        return whole and self.declared == self.through_mask == self.through_sum


def measure(samplerate: int, latency_ms: int, block_samples: int) -> Measured:
    """Sends an impulse through both models in blocks of one size."""
    preset = Preset(samplerate, latency_ms)
    opened = Separator(OpenMasks(), preset)
    choir = Separator.load(samplerate=samplerate, latency_ms=latency_ms)
    voice = np.abs(_response(opened, block_samples)[0])
    total = np.abs(_response(choir, block_samples).sum(axis=0))
    peak = int(np.argmax(voice))
    return Measured(
        samplerate=samplerate,
        latency_ms=latency_ms,
        block_samples=block_samples,
        declared=opened.latency_samples,
        through_mask=peak - IMPULSE_AT,
        through_sum=int(np.argmax(total)) - IMPULSE_AT,
        amplitude=float(voice[peak]),
        smear=float(np.max(np.delete(voice, peak))),
    )


def _response(separator: Separator, block_samples: int) -> NDArray[np.float32]:
    """float32 [stems, frames]: what comes out when an impulse goes in."""
    signal = np.zeros(IMPULSE_AT + 2 * separator.latency_samples + 1, np.float32)
    signal[IMPULSE_AT] = 1.0
    blocks = range(0, len(signal), block_samples)
    return np.concatenate([separator.process(signal[i : i + block_samples])[..., 0] for i in blocks], axis=1)


def measure_all(
    samplerates: Iterable[int] = SAMPLERATES, blocks: Iterable[int] = BLOCKS
) -> Iterable[Measured]:
    """Every preset at every rate and block size, one after another."""
    blocks = tuple(blocks)
    for samplerate in samplerates:
        for latency_ms in LATENCIES_MS:
            for block_samples in blocks:
                yield measure(samplerate, latency_ms, block_samples)


def main() -> int:
    """Prints declared against measured; 1 if any differs."""
    total = len(SAMPLERATES) * len(LATENCIES_MS) * len(BLOCKS)
    found = list(
        track(measure_all(), "impulses", total, console=Console(stderr=True, markup=False), transient=True)
    )
    blocks = ", ".join(map(str, BLOCKS))
    table = Table(title=f"latency in samples, found with an impulse, in blocks of {blocks}", box=SIMPLE)
    for heading in ("rate", "preset", "declared", "through mask", "through sum", "ms"):
        table.add_column(heading, justify="right")
    for samplerate in SAMPLERATES:
        for latency_ms in LATENCIES_MS:
            rows = [m for m in found if (m.samplerate, m.latency_ms) == (samplerate, latency_ms)]
            table.add_row(
                str(samplerate),
                str(latency_ms),
                str(rows[0].declared),
                ", ".join(str(n) for n in sorted({m.through_mask for m in rows})),
                ", ".join(str(n) for n in sorted({m.through_sum for m in rows})),
                f"{1000.0 * rows[0].declared / samplerate:.3f}",
            )
    console = Console(markup=False)
    console.print(table)
    wrong = [m for m in found if not m.exact]
    for m in wrong:
        console.print(f"FAILED {m}", highlight=False)
    console.print(
        f"{len(found) - len(wrong)} of {len(found)} exact, impulse whole to {MAX_AMPLITUDE_ERROR:g}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
