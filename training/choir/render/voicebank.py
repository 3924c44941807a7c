"""Voicebanks: recorded syllables, taken apart once into envelopes that can be sung at any pitch.

A voicebank is a folder with audio files and `syllables.csv`:

    file,alias,start_s,vowel_start_s,end_s[,preutterance_s][,nominal_f0_hz]

One line a syllable, recorded at any constant pitch: `start_s` where its consonant begins, `vowel_start_s`
where the steady vowel begins, `end_s` where it ends, `preutterance_s` how long after `start_s` the beat falls
(default: at the vowel), `nominal_f0_hz` about where the pitch is (default: searched for). Other columns are
left alone. Optional `voicebank.toml`: `licence`, `credit`, and `use = "training"` or `"development"`; a bank
for development is refused where models are trained.

The analysis is WORLD's (Morise et al. 2016; DIO + StoneMask, CheapTrick, D4C), kept in a cache under the hash
of the folder's content.
"""

import csv
import hashlib
import importlib.metadata
import io
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.cache_folder import cache_folder
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.files.atomic_write import place

# Donors hold little above 12 kHz, and WORLD's transforms are no longer than at 16 kHz: nothing lost, cheap.
SAMPLERATE = 24000
FRAME_S = LABEL_S  # one frame of a donor's voice per label
COEFFICIENTS = 60  # of the coded envelope: formants and tilt without the donor's partials
FFT_SAMPLES = 1024  # pyworld's choice at 24 kHz for F0 down to 71 Hz
CACHE_FORMAT = 2
QUIETEST_SHARE = 0.1  # of syllables dropped: mumbled or cut recordings, whose envelope is noise
LONGEST_LEAD_S = 0.15  # of the consonant
SHORTEST_VOWEL_S = 0.06  # walked back and forth it would buzz
VOICED_SHARE = 0.8  # of a vowel, or it was whispered

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Syllable:
    """Frames of its bank: the consonant from `first`, the beat at `onset`, steady from `vowel` to `stop`.

    level_db is the mean power of the vowel, f0_hz its median pitch.
    """

    alias: str
    first: int
    onset: int
    vowel: int
    stop: int
    level_db: float
    f0_hz: float


@dataclass(frozen=True)
class Voicebank:
    """One donor.

    Attributes:
        envelope: float32 [frames, 60], coded log power spectrum.
        aperiodicity_db: float32 [frames, bands].
        voiced: bool [frames].
    """

    name: str
    licence: str
    credit: str
    use: str
    digest: str
    envelope: Frames
    aperiodicity_db: Frames
    voiced: NDArray[np.bool_]
    syllables: tuple[Syllable, ...]

    @property
    def f0_hz(self) -> float:
        """Median pitch of its syllables: which voices it suits."""
        return float(np.median([s.f0_hz for s in self.syllables]))


def default_cache() -> Path:
    """Where analyses are kept between runs."""
    return cache_folder("voicebanks")


def load_voicebank(folder: Path, cache: Path) -> Voicebank:
    """Reads a bank, analysing it the first time.

    Raises:
        RtsepError: no such folder, a malformed table, unreadable audio, or no syllable that can be sung.
    """
    rows = _read_table(folder)
    facts = _read_facts(folder)
    digest = _digest(folder, rows)
    file = cache / f"{digest}.npz"
    if not file.exists():
        _write_cache(file, _analyse(folder, rows))
    with np.load(file) as stored:
        arrays = {key: stored[key] for key in stored.files}
    syllables = [Syllable(*entry) for entry in json.loads(str(arrays["syllables"]))]
    if not syllables:
        raise RtsepError(
            f"{folder} holds no syllable with a steady voiced vowel of {SHORTEST_VOWEL_S} s",
            "check the times in syllables.csv",
        )
    floor_db = np.quantile([s.level_db for s in syllables], QUIETEST_SHARE)
    kept = tuple(s for s in syllables if s.level_db >= floor_db)
    return Voicebank(
        name=folder.name,
        licence=str(facts.get("licence", "not stated")),
        credit=str(facts.get("credit", "not stated")),
        use=str(facts.get("use", "training")),
        digest=digest,
        envelope=arrays["envelope"],
        aperiodicity_db=arrays["aperiodicity_db"],
        voiced=arrays["voiced"],
        syllables=kept,
    )


def _read_table(folder: Path) -> list[dict[str, str]]:
    table = folder / "syllables.csv"
    needed = ("file", "alias", "start_s", "vowel_start_s", "end_s")
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise RtsepError(
            f"{table} cannot be read ({error})", "give a voicebank: audio files and a syllables.csv"
        ) from None
    missing = [name for name in needed if rows and rows[0].get(name) is None]
    if not rows or missing:
        raise RtsepError(
            f"{table} lacks {', '.join(missing) or 'syllables'}", f"give the columns {','.join(needed)}"
        )
    return rows


def _read_facts(folder: Path) -> dict[str, Any]:
    file = folder / "voicebank.toml"
    if not file.exists():
        return {}
    try:
        facts = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "write licence, credit and use") from None
    if facts.get("use", "training") not in ("training", "development"):
        raise RtsepError(f"{file}: use = {facts['use']!r}", 'write "training" or "development"')
    return facts


def _digest(folder: Path, rows: list[dict[str, str]]) -> str:
    digest = hashlib.sha256(f"{CACHE_FORMAT} {SAMPLERATE} {FRAME_S} {COEFFICIENTS}".encode())
    digest.update(importlib.metadata.version("pyworld-prebuilt").encode())
    digest.update((folder / "syllables.csv").read_bytes())
    for name in sorted({row["file"] for row in rows}):
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise RtsepError(
                f"{folder / name} cannot be read ({error.strerror})", "syllables.csv names it: add it"
            ) from None
    return digest.hexdigest()[:32]


def _analyse(folder: Path, rows: list[dict[str, str]]) -> dict[str, NDArray[Any]]:
    """All files of a bank one after another."""
    envelopes, bands, voicing, syllables, start = [], [], [], [], 0
    for name in sorted({row["file"] for row in rows}):
        here = [row for row in rows if row["file"] == name]
        f0_hz, envelope, aperiodicity_db, power_db = _analyse_file(folder / name, here)
        try:
            syllables += [s for row in here if (s := _syllable(row, f0_hz, power_db, start)) is not None]
        except (ValueError, TypeError) as error:
            raise RtsepError(
                f"{folder / 'syllables.csv'}: a line of {name} is malformed ({error})",
                "write times in seconds and pitches in Hz",
            ) from None
        envelopes.append(envelope)
        bands.append(aperiodicity_db)
        voicing.append(f0_hz > 0)
        start += len(f0_hz)
    return {
        "envelope": np.concatenate(envelopes).astype(np.float32),
        "aperiodicity_db": np.concatenate(bands).astype(np.float32),
        "voiced": np.concatenate(voicing),
        "syllables": np.array(json.dumps([list(vars(s).values()) for s in syllables])),
    }


def _analyse_file(file: Path, rows: list[dict[str, str]]) -> tuple[NDArray[np.float64], ...]:
    """f0_hz [frames], coded envelope, coded aperiodicity, power_db [frames]."""
    import pyworld

    try:
        audio, rate = soundfile.read(file, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "give audio that libsndfile reads") from None
    mono = audio.mean(axis=1)
    if rate != SAMPLERATE:
        mono = soxr.resample(mono, rate, SAMPLERATE, quality="VHQ")
    mono = np.ascontiguousarray(mono)
    nominal = [float(row["nominal_f0_hz"]) for row in rows if row.get("nominal_f0_hz")]
    # a fifth around the pitch that was sung leaves no room for octave errors
    low, high = (min(nominal) / 1.5, max(nominal) * 1.5) if nominal else (60.0, 1000.0)
    coarse, times_s = pyworld.dio(mono, SAMPLERATE, f0_floor=low, f0_ceil=high, frame_period=1000 * FRAME_S)
    f0_hz = pyworld.stonemask(mono, coarse, times_s, SAMPLERATE)
    spectrum = pyworld.cheaptrick(mono, f0_hz, times_s, SAMPLERATE, fft_size=FFT_SAMPLES)
    aperiodicity = pyworld.d4c(mono, f0_hz, times_s, SAMPLERATE, fft_size=FFT_SAMPLES)
    coded = pyworld.code_spectral_envelope(spectrum, SAMPLERATE, COEFFICIENTS)
    power_db = 10.0 * np.log10(spectrum.mean(axis=1) + 1e-20)
    return f0_hz, coded, pyworld.code_aperiodicity(aperiodicity, SAMPLERATE), power_db


def _syllable(
    row: dict[str, str], f0_hz: NDArray[np.float64], power_db: NDArray[np.float64], start: int
) -> Syllable | None:
    """None where the vowel is too short or not voiced."""
    begin_s, vowel_s, end_s = float(row["start_s"]), float(row["vowel_start_s"]), float(row["end_s"])
    beat_s = begin_s + float(row["preutterance_s"]) if row.get("preutterance_s") else vowel_s
    beat_s = min(beat_s, vowel_s)
    first, onset, vowel, stop = (
        round(t / FRAME_S) for t in (max(begin_s, beat_s - LONGEST_LEAD_S), beat_s, vowel_s, end_s)
    )
    stop = min(stop, len(f0_hz) - 1)
    if not 0 <= first <= onset <= vowel or (stop - vowel) * FRAME_S < SHORTEST_VOWEL_S:
        return None
    if first < onset and f0_hz[first] > 0:
        # recorded after another vowel: what is sung after a rest begins where that one has died away
        first += int(np.argmin(power_db[first:onset]))
    voiced = f0_hz[vowel:stop] > 0
    if voiced.mean() < VOICED_SHARE:
        return None
    level_db = 10.0 * np.log10(np.mean(10.0 ** (power_db[vowel:stop] / 10.0)))
    pitch = float(np.median(f0_hz[vowel:stop][voiced]))
    return Syllable(
        row["alias"], start + first, start + onset, start + vowel, start + stop, float(level_db), pitch
    )


def _write_cache(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """A killed run leaves no half-written cache."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        place(file, content.getvalue())
    except OSError as error:
        raise RtsepError(
            f"the voicebank cache {file.parent} cannot be written ({error.strerror})",
            "give --cache a writable folder",
        ) from None
