"""Run by the Python that has pymatchmaker: SCORE SOUND OUT. Follows a score by its default for sound
(on-line time warping of chroma against the score as a synthesiser plays it), and writes what it found.

Nothing of rtsep is imported: that Python need not have it.
"""

import importlib
import sys

import numpy as np


def main(score: str, sound: str, out: str) -> None:
    """Writes `times_s` and `beats` of the path, and the `onsets` of the score in beats."""
    matchmaker = importlib.import_module("matchmaker")
    follower = matchmaker.Matchmaker(score_file=score, performance_file=sound, input_type="audio")
    for _ in follower.run(verbose=False):
        pass
    beats, times_s = np.asarray(follower.score_follower.alignment_path, np.float64)
    onsets = np.unique(np.asarray(follower.score_part.note_array()["onset_beat"], np.float64))
    np.savez(out, times_s=times_s, beats=beats, onsets=onsets)


if __name__ == "__main__":
    main(*sys.argv[1:4])
