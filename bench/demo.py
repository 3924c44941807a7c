"""`make demo`: renders a small choir, separates it with the real command and compares with the truth."""

import sys
from pathlib import Path

import numpy as np
import soundfile

from rtsep.bench.demo_choir import render_choir
from rtsep.rt.cli.main import run
from rtsep.training.measures.si_sdr import si_sdr_db

FOLDER = Path("demo-out")
LATENCY_MS = 21


def main() -> int:
    """Returns the exit code of `rtsep`."""
    choir = render_choir()
    voices = len(choir.voices)
    (FOLDER / "truth").mkdir(parents=True, exist_ok=True)
    mix = FOLDER / "choir.wav"
    soundfile.write(mix, choir.mixture, choir.samplerate, subtype="FLOAT")
    for number, voice in enumerate(choir.voices, start=1):
        soundfile.write(FOLDER / "truth" / f"voice-{number}.wav", voice, choir.samplerate, subtype="FLOAT")
    stems = FOLDER / "stems"
    arguments = ["--input", mix, "--voices", voices, "--latency", LATENCY_MS, "--output", stems]
    words = [str(argument) for argument in arguments]
    print(f"$ rtsep {' '.join(words)}", flush=True)
    code = run(words)
    if code:
        return code
    print("\nSI-SDR against the true voices, dB")
    print(f"{'':9}{'mixture':>9}{'separated':>11}")
    for number, truth in enumerate(choir.voices, start=1):
        separated = soundfile.read(stems / f"voice-{number}.wav", dtype="float32")[0]
        before, after = (float(np.squeeze(si_sdr_db(truth, x))) for x in (choir.mixture, separated))
        print(f"voice-{number:<3}{before:9.1f}{after:11.1f}")
    print(f"\nlisten: {mix} and {stems}/ (the truth: {FOLDER / 'truth'}/)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
