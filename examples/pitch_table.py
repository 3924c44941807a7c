"""Which pitch each voice sings, as CSV: `python examples/pitch_table.py choir.wav > pitches.csv`.

A row every hop: the time in seconds, then F0 in Hz and level in dB of each voice; 0 Hz where it rests. Times
and pitches are what `rtsep --f0` reads.
"""

import csv
import sys

import numpy as np
import soundfile

from rtsep import Separator

VOICES = 4

if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    separator = Separator.load(
        "choir", voices=VOICES, samplerate=rate, latency_ms=43, channels=audio.shape[1]
    )
    hop = separator.hop
    out = np.empty((len(separator.stems), hop, audio.shape[1]), np.float32)
    table = csv.writer(sys.stdout)
    for start in range(0, len(audio) - hop + 1, hop):
        separator.process_hop(np.ascontiguousarray(audio[start : start + hop]), out)
        report = separator.voices
        pitches = [f"{f0_hz:.2f}" for f0_hz in report.f0_hz]
        # the pitch belongs to what comes out now, which went in hop_latency_samples before
        table.writerow([f"{max(0, start + hop - separator.latency_samples) / rate:.4f}", *pitches])
