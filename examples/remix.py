"""A practice track without one voice: `python examples/remix.py choir.wav 2 4 out.wav` mutes
voice 2 of 4.

All stems together are the mixture, so what is left is the mixture without that voice. Gains other than 0 work
the same way.
"""

import sys

import numpy as np
import soundfile

from rtsep import Separator


def remix(path: str, voices: int, gains_db: dict[str, float], out: str) -> None:
    """Writes the mixture in `path` with every stem in `gains_db` changed by so many dB; -inf mutes."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    separator = Separator.load(
        "choir", voices=voices, samplerate=rate, latency_ms=43, channels=audio.shape[1]
    )
    late = separator.latency_samples
    stems = np.concatenate([separator.process(audio), separator.flush()], axis=1)[:, late:]
    gains = np.array([10 ** (gains_db.get(name, 0.0) / 20) for name in separator.stems])
    soundfile.write(out, np.einsum("s,sfc->fc", gains, stems), rate, subtype="FLOAT")


if __name__ == "__main__":
    remix(sys.argv[1], int(sys.argv[3]), {f"voice-{sys.argv[2]}": -np.inf}, sys.argv[4])
