"""Separates a small choir and a small band with the real command and compares with the truth."""

import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.bench.demo.band import STEMS, read_band
from rtsep.bench.demo.choir import render_choir
from rtsep.rt.cli.main import run
from rtsep.training.measures.si_sdr import si_sdr_db

F32 = NDArray[np.float32]

FOLDER = Path("demo-out")
CHOIR_LATENCY_MS, BAND_LATENCY_MS = 21, 43


def main() -> int:
    """Returns the exit code of `rtsep`."""
    choir = render_choir()
    voices = {f"voice-{number}": voice for number, voice in enumerate(choir.voices, start=1)}
    code = separate("choir", voices, choir.samplerate, "--voices", str(len(voices)), CHOIR_LATENCY_MS)
    if code:
        return code
    band = read_band()
    stems = dict(zip(STEMS, band.stems, strict=True))
    return separate("band", stems, band.samplerate, "--stems", ",".join(STEMS), BAND_LATENCY_MS)


def separate(
    name: str, truth: dict[str, F32], samplerate: int, option: str, value: str, latency_ms: int
) -> int:
    """Writes a clip and its truth, runs the command, prints what it gains.

    Args:
        name: of the clip and of its folder.
        truth: stems by name, float32 [frames]; the clip is their sum.
        samplerate: Hz.
        option, value: what to separate.
        latency_ms: preset.

    Returns:
        The command's exit code.
    """
    place = FOLDER / name
    (place / "truth").mkdir(parents=True, exist_ok=True)
    mixture = np.asarray(sum(truth.values()), np.float32)
    mix, stems = place / f"{name}.wav", place / "stems"
    soundfile.write(mix, mixture, samplerate, subtype="FLOAT")
    for stem, audio in truth.items():
        soundfile.write(place / "truth" / f"{stem}.wav", audio, samplerate, subtype="FLOAT")
    words = ["--input", str(mix), option, value, "--latency", str(latency_ms), "--output", str(stems)]
    print(f"$ rtsep {' '.join(words)}", flush=True)
    code = run(words)
    if code:
        return code
    print(f"\n{f'SI-SDR of the {name}, dB':24}{'mixture':>9}{'separated':>11}")
    for stem, audio in truth.items():
        separated = soundfile.read(stems / f"{stem}.wav", dtype="float32")[0]
        before, after = (float(np.squeeze(si_sdr_db(audio, x))) for x in (mixture, separated))
        print(f"{stem:24}{before:9.1f}{after:11.1f}")
    print(f"\nlisten: {mix} and {stems}/ (the truth: {place / 'truth'}/)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
