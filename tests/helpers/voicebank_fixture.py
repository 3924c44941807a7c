"""A voicebank made of arithmetic: harmonic vowels after a hiss; the tests need no recordings."""

import csv
from pathlib import Path

import numpy as np
import soundfile

from rtsep.training.choir.render.voicebank import SAMPLERATE

CONSONANT_S, VOWEL_S, REST_S = 0.08, 0.4, 0.1
# two formants each: something like ah, ee, oo
VOWELS_HZ = {"a": (800.0, 1200.0), "i": (300.0, 2300.0), "u": (320.0, 900.0)}


def write_voicebank(folder: Path, f0_hz: float, extra: str = "") -> Path:
    """One file with three syllables; `extra` goes into voicebank.toml."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(round(f0_hz))
    audio, rows, start_s = [np.zeros(round(REST_S * SAMPLERATE))], [], REST_S
    for alias, formants_hz in VOWELS_HZ.items():
        hiss = 0.02 * rng.normal(size=round(CONSONANT_S * SAMPLERATE))
        t = np.arange(round(VOWEL_S * SAMPLERATE)) / SAMPLERATE
        vowel = np.zeros_like(t)
        for k in range(1, int(10000 / f0_hz)):
            hz = k * f0_hz
            level = sum(np.exp(-0.5 * ((hz - f) / 150.0) ** 2) for f in formants_hz) + 0.02 / k
            vowel += level * np.sin(2 * np.pi * hz * t + k)
        vowel *= 0.2 / np.sqrt(np.mean(vowel**2))
        audio += [hiss, vowel, np.zeros(round(REST_S * SAMPLERATE))]
        vowel_s = start_s + CONSONANT_S
        rows.append(("all.wav", alias, start_s, vowel_s, vowel_s + VOWEL_S, f0_hz))
        start_s = vowel_s + VOWEL_S + REST_S
    soundfile.write(folder / "all.wav", np.concatenate(audio), SAMPLERATE, subtype="FLOAT")
    with (folder / "syllables.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "alias", "start_s", "vowel_start_s", "end_s", "nominal_f0_hz"))
        table.writerows(rows)
    if extra:
        (folder / "voicebank.toml").write_text(extra)
    return folder
