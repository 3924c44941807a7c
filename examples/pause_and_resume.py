"""Stop in the middle of a piece and go on later: `python examples/pause_and_resume.py choir.wav`.

The state is a dictionary of arrays, so it goes into one `.npz` file. What was separated in one run and in two
is the same.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from rtsep import Separator

STATE = Path("state.npz")


def new_separator(samplerate: int) -> Separator:
    """The same settings in both runs: a state fits no others."""
    return Separator.load("choir", voices=2, samplerate=samplerate)


if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    audio = np.ascontiguousarray(audio[:, :1])
    middle = len(audio) // 2

    first = new_separator(rate)
    before = first.process(audio[:middle])
    np.savez(STATE, **first.state_dict())

    second = new_separator(rate)  # another day, another process
    with np.load(STATE) as saved:
        second.load_state_dict(dict(saved))
    after = second.process(audio[middle:])

    at_once = new_separator(rate).process(audio)
    print(f"the same samples: {np.array_equal(np.concatenate([before, after], axis=1), at_once)}")
