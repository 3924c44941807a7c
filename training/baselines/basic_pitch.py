"""basic-pitch as an offline multi-pitch reference (Bittner et al. 2022), by its own ONNX file.

The package pulls in TensorFlow, of which nothing is needed: only the file `nmp.onnx` of an installation
without dependencies (`pip install --no-deps basic-pitch`) is read. It was trained on instruments and voices
of many kinds, knows no voices and looks ahead by up to a second.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio

MODEL = Path("saved_models", "icassp_2022", "nmp.onnx")
# The model's own numbers: audio rate, window, hop, and three pitch bins a semitone of which A0 is the second.
RATE = 22050
WINDOW_SAMPLES = 43844
HOP = 256
FRAMES = 172
BINS_PER_OCTAVE = 36
LOWEST_HZ = 27.5 * 2.0 ** (-1.0 / BINS_PER_OCTAVE)
# Windows overlap by 30 frames, of which each gives half to its neighbour: edges see only half their context.
OVERLAP_FRAMES = 30
# Of the highest multi-pitch accuracy on one real quartet: 0.67 against 0.63 at 0.15 and 0.64 at 0.25.
THRESHOLD = 0.2
MIN_F0_HZ, MAX_F0_HZ = 65.0, 1050.0


def model_file() -> Path | None:
    """The installed model, None where there is none."""
    spec = importlib.util.find_spec("basic_pitch")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        if (Path(folder) / MODEL).exists():
            return Path(folder) / MODEL
    return None


@cache
def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def pitches(mixture: Audio, voices: int, file: Path) -> Contours:
    """The strongest pitches of every frame.

    Shape:
        mixture: float32 [samples] at 16 kHz.
        returns f0_hz [frames, voices], highest first, 0 for those that are missing: which voice is whose is
            not known.
    """
    salience = _salience(mixture, file)
    times_s = HOP / RATE * np.arange(len(salience), dtype=np.float64)
    return Contours(times_s, strongest(salience, voices))


def _salience(mixture: Audio, file: Path) -> NDArray[np.float32]:
    """How much every pitch bin sounds, float32 [frames, 264], 0..1."""
    session = _session(file)
    audio = soxr.resample(mixture, SAMPLERATE, RATE, quality="VHQ").astype(np.float32)
    half = OVERLAP_FRAMES // 2
    step = (FRAMES - OVERLAP_FRAMES) * HOP
    padded = np.concatenate([np.zeros(half * HOP, np.float32), audio, np.zeros(WINDOW_SAMPLES, np.float32)])
    parts = []
    for start in range(0, len(audio), step):
        window = padded[start : start + WINDOW_SAMPLES][None, :, None]
        # outputs: onsets, notes, contours; only contours have more than a bin a semitone
        found = session.run(None, {session.get_inputs()[0].name: window})
        contours = next(out[0] for out in found if out.shape[-1] == 264)
        parts.append(contours[half : FRAMES - half])
    return np.concatenate(parts)[: len(audio) // HOP + 1]


def strongest(salience: NDArray[np.float32], voices: int) -> NDArray[np.float64]:
    """The `voices` highest peaks above the threshold of every frame, between bins by a parabola.

    Shape:
        salience: float32 [frames, bins]; returns Hz, float64 [frames, voices], descending, 0 where missing.
    """
    left, middle, right = salience[:, :-2], salience[:, 1:-1], salience[:, 2:]
    bins = np.arange(1, salience.shape[1] - 1)
    bend = left - 2.0 * middle + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
    f0_hz = LOWEST_HZ * 2.0 ** ((bins + np.clip(offset, -0.5, 0.5)) / BINS_PER_OCTAVE)
    is_peak = (middle > left) & (middle >= right) & (middle >= THRESHOLD)
    height = np.where(is_peak & (f0_hz >= MIN_F0_HZ) & (f0_hz <= MAX_F0_HZ), middle, 0.0)
    order = np.argsort(-height, axis=1, kind="stable")[:, :voices]
    chosen = np.take_along_axis(f0_hz, order, axis=1) * (np.take_along_axis(height, order, axis=1) > 0)
    return np.asarray(-np.sort(-chosen, axis=1), np.float64)
