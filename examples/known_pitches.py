"""Follow pitches that are known, instead of tracking them:
`python examples/known_pitches.py choir.wav pitches.csv`.

The CSV has a row per moment: the time in seconds, then F0 in Hz of each voice (0: silent). What a score
follower, a close microphone or `pitch_table.py` knows goes in this way; with true pitches separation is 2 to
3 dB better.
"""

import sys

import numpy as np
import soundfile

from rtsep import F0Track, Separator

VOICES = 2

if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    pitches = F0Track.load(sys.argv[2], VOICES)
    separator = Separator.load("choir", voices=VOICES, samplerate=rate, channels=audio.shape[1], f0=pitches)
    stems = np.concatenate([separator.process(audio), separator.flush()], axis=1)[
        :, separator.latency_samples :
    ]
    for name, stem in zip(separator.stems, stems, strict=True):
        soundfile.write(f"{name}.wav", stem, rate, subtype="FLOAT")
