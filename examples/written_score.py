"""Separates a recording by its score: each part of the score is a stem, and the place in it is known.

Run: python examples/written_score.py choir.wav piece.musicxml
"""

import sys

import numpy as np
import soundfile

from rtsep import Separator, load_score


def main(recording: str, piece: str) -> None:
    """Prints once a second where the choir is."""
    score = load_score(piece)
    sound, samplerate = soundfile.read(recording, dtype="float32", always_2d=True)
    separator = Separator.load(samplerate=samplerate, latency_ms=43, channels=sound.shape[1], score=score)
    assert separator.guide is not None
    print("stems:", ", ".join(separator.stems))
    for second, start in enumerate(range(0, len(sound), samplerate)):
        stems = separator.process(np.ascontiguousarray(sound[start : start + samplerate]))
        at = separator.guide.position
        loudest = separator.stems[int(np.argmax(np.square(stems).sum(axis=(1, 2))))]
        print(f"{second:4d} s: bar {at.bar} beat {at.beat:.1f}, {at.confidence:.0%} sure, loudest {loudest}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
