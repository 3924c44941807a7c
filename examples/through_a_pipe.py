"""Use `rtsep` as a filter from any language: `python examples/through_a_pipe.py choir.wav`.

Raw samples in, stems out: the command writes, frame by frame, one float32 per stem (and channel). Nothing of
rtsep is imported here: the same two pipes work from C, Rust or a shell.
"""

import subprocess
import sys

import numpy as np
import soundfile

VOICES = 2

if __name__ == "__main__":
    audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    mono = audio.mean(1)
    command = [sys.executable, "-m", "rtsep", "--input", "-", "--raw", f"f32le:{rate}:1"]
    command += ["--voices", str(VOICES), "--output", "-"]
    run = subprocess.run(
        command, input=mono.tobytes(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    frames = np.frombuffer(run.stdout, np.float32).reshape(-1, VOICES + 1)
    for stem, name in enumerate([*(f"voice-{i + 1}" for i in range(VOICES)), "residual"]):
        print(f"{name}: {len(frames)} frames, RMS {np.sqrt(np.mean(frames[:, stem] ** 2)):.4f}")
