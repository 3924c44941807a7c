"""A guide track for every part, from one recording: `python examples/guide_track.py choir.wav 4`.

Every voice is sung anew by oscillators at its tracked pitch, as loud as the voice is in the recording. So no
neighbour is heard in it, as there is in a separated voice: it is for learning a part, for a tuner or a pitch
display. Beside each track its pitch is printed, once a second.
"""

import sys

import numpy as np
import soundfile

from rtsep import Separator

audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
separator = Separator.load(
    voices=int(sys.argv[2]), samplerate=rate, latency_ms=43, channels=audio.shape[1], render="synth"
)
blocks = []
for start in range(0, len(audio), rate):
    blocks.append(separator.process(audio[start : start + rate]))
    pitches = [f"{hz:6.1f} Hz" if hz else "   silent" for hz in separator.voices.f0_hz]
    print(f"{start // rate + 1} s: " + "  ".join(pitches))
blocks.append(separator.flush())
stems = np.concatenate(blocks, axis=1)[:, separator.latency_samples :]
for name, stem in zip(separator.stems[:-1], stems, strict=False):  # the residual is no voice
    soundfile.write(f"guide-{name}.wav", stem, rate, subtype="FLOAT")
