"""Small databases of stems: tones for vocals, clicks for drums, low tones for bass, noise for the rest."""

from pathlib import Path

import numpy as np

from rtsep.training.databases.stem_folder import F32, REST, SAMPLERATE, Manifest, StemFolder, StemWriter

STEMS = ("vocals", "drums", "bass", "other")
SECONDS = 12


def sound(stem: str, seed: int, seconds: int = SECONDS) -> F32:
    """float32 [samples], the same for the same arguments."""
    rng = np.random.default_rng((len(stem), seed))
    t = np.arange(seconds * SAMPLERATE) / SAMPLERATE
    if stem == "vocals":
        out = 0.2 * np.sin(2 * np.pi * (300.0 + 10.0 * seed) * t) * (np.sin(2 * np.pi * 0.5 * t) > -0.5)
    elif stem == "drums":
        out = rng.normal(size=t.size) * 0.2 * np.exp(-30.0 * (t % 0.5))
    elif stem == "bass":
        out = 0.3 * np.sin(2 * np.pi * (60.0 + 5.0 * seed) * t)
    else:
        out = 0.1 * np.convolve(rng.normal(size=t.size), np.ones(6) / 6.0, mode="same")
    return out.astype(np.float32)


def manifest(name: str, known: tuple[str, ...], **changes: object) -> Manifest:
    """Of a test database."""
    fields: dict[str, object] = {
        "name": name, "known": known, "rest": tuple(s for s in STEMS if s not in known),
        "limit_hz": 12000.0, "licence": "CC0-1.0", "credit": "nobody", "held_out": ("held",),
    }  # fmt: skip
    return Manifest(**fields | changes)  # type: ignore[arg-type]


def whole_database(folder: Path) -> StemFolder:
    """Knows all four stems, in three songs, of which one is held out."""
    writer = StemWriter(folder, manifest("whole", STEMS))
    for seed, song in enumerate(("one", "two", "held")):
        writer.add(song, {stem: sound(stem, seed) for stem in STEMS})
    return StemFolder(folder)


def vocals_database(folder: Path, limit_hz: float = 7800.0) -> StemFolder:
    """Knows vocals only; the rest is drums and noise."""
    writer = StemWriter(folder, manifest("vocals-only", ("vocals",), limit_hz=limit_hz))
    for seed, song in enumerate(("three", "held")):
        stems = {
            "vocals": sound("vocals", seed + 5),
            REST: sound("drums", seed + 5) + sound("other", seed + 5),
        }
        writer.add(song, stems)
    return StemFolder(folder)
