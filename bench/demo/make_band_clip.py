"""Makes the band of the demo anew, from notes written here:

    python -m rtsep.bench.demo.make_band_clip --font FluidR3_GM.sf2 --voicebank yuki/

Drums, bass and other are played by a General MIDI soundfont (shipped: FluidR3 by Frank Wen, MIT licence), the
tune is sung by the renderer of choirs (shipped: syllables of yuki, in the public domain).
"""

from pathlib import Path

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.bench.demo.band import FOLDER, STEMS
from rtsep.training.band.render.notes import DRUM_CHANNEL, Note, Part
from rtsep.training.band.render.soundfont import play_parts
from rtsep.training.choir.render.arrangement import SungNote
from rtsep.training.choir.render.performance import Singer, perform
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voice_render import render_voice
from rtsep.training.choir.render.voicebank import FRAME_S, Voicebank, default_cache, load_voicebank
from rtsep.training.databases.stem_folder import SAMPLERATE, active_level_dbfs
from rtsep.training.seeds import generator

F32 = NDArray[np.float32]

BEAT_S = 0.6  # 100 beats a minute
BARS = ((57, 60, 64), (53, 57, 60), (60, 64, 67), (55, 59, 62))  # A minor, F, C, G: MIDI numbers
SECONDS = 4 * len(BARS) * BEAT_S + 0.6  # the last chord rings
KICK, SNARE, CLOSED_HAT, CRASH = 36, 38, 42, 49  # General MIDI
BASS_PROGRAM, GUITAR_PROGRAM, PIANO_PROGRAM = 33, 25, 4  # fingered bass, steel strings, electric piano
# (beat, beats, MIDI number), about the pitch at which the donor spoke its syllables
TUNE = (
    (0.0, 1.0, 64), (1.0, 0.5, 67), (1.5, 1.5, 65), (3.0, 0.8, 64),
    (4.0, 1.5, 60), (5.5, 0.5, 62), (6.0, 1.6, 65),
    (8.0, 1.0, 64), (9.0, 0.5, 65), (9.5, 1.5, 67), (11.0, 0.8, 64),
    (12.0, 1.5, 67), (13.5, 0.5, 65), (14.0, 1.8, 62),
)  # fmt: skip
SEED = 1  # of how it is sung
# Levels while they sound, as in the mean of real multitracks: the voice in front, drums behind.
LEVELS_DBFS = {"vocals": -25.0, "drums": -28.0, "bass": -26.0, "other": -26.0}


def _note(beat: float, beats: float, pitch: int, velocity: int) -> Note:
    return Note(beat * BEAT_S, (beat + beats) * BEAT_S, pitch, velocity)


def drums() -> list[Part]:
    """Kick on one and three, snare on two and four, hats on every eighth."""
    notes = [_note(0.0, 1.0, CRASH, 90)]
    for bar in range(len(BARS)):
        first = 4.0 * bar
        notes += [_note(first + b, 0.4, KICK, 112) for b in (0.0, 2.0, 2.5)]
        notes += [_note(first + b, 0.4, SNARE, 104) for b in (1.0, 3.0)]
        notes += [_note(first + b / 2, 0.3, CLOSED_HAT, 88 if b % 2 == 0 else 62) for b in range(8)]
    return [Part(DRUM_CHANNEL, 0, tuple(sorted(notes)), ())]


def bass() -> list[Part]:
    """The root in eighths, an octave leap before each change."""
    notes = []
    for bar, (root, *_) in enumerate(BARS):
        low = root - 24 if root >= 57 else root - 12
        pitches = (low,) * 7 + (low + 12,)
        notes += [_note(4.0 * bar + e / 2, 0.45, pitch, 96 - 14 * (e % 2)) for e, pitch in enumerate(pitches)]
    return [Part(0, BASS_PROGRAM, tuple(notes), ())]


def other() -> list[Part]:
    """Strummed guitar chords and an electric piano above them."""
    guitar, piano = [], []
    for bar, chord in enumerate(BARS):
        for beat in (0.0, 1.5, 2.0, 3.5):
            strings = (chord[0] - 12, *chord, chord[0] + 12)
            guitar += [_note(4.0 * bar + beat + 0.02 * i, 1.2, p, 84) for i, p in enumerate(strings)]
        piano += [_note(4.0 * bar, 3.8, pitch + 12, 70) for pitch in chord]
    return [Part(1, GUITAR_PROGRAM, tuple(sorted(guitar)), ()), Part(2, PIANO_PROGRAM, tuple(piano), ())]


def vocals(bank: Voicebank) -> F32:
    """The tune as one singer sings it, float32 [frames]; a breath before every rest."""
    starts = [beat for beat, _, _ in TUNE[1:]] + [np.inf]
    notes = tuple(
        SungNote(beat * BEAT_S, beats * BEAT_S, pitch, last=beat + beats < following)
        for (beat, beats, pitch), following in zip(TUNE, starts, strict=True)
    )
    singer = Singer(bank=0, warp=1.0, tilt_db_per_octave=0.0, vibrato_hz=5.5, vibrato_cents=30.0)
    rng = generator(SEED, "demo")
    return render_voice(
        perform(notes, singer, bank, ChoirConfig(), round(SECONDS / FRAME_S), rng), singer, bank, 0
    )


def render(font: Path, bank: Voicebank) -> dict[str, F32]:
    """Stems by name, float32 [frames] at `SAMPLERATE`.

    Raises:
        RtsepError: fluidsynth is not installed, or refuses the font.
    """
    frames = round(SECONDS * SAMPLERATE)
    found = {"vocals": vocals(bank)}
    for name, parts in (("drums", drums()), ("bass", bass()), ("other", other())):
        programs = {part.channel: part.program for part in parts}
        found[name] = play_parts(parts, font, programs=programs, reverb=name != "bass")
    stems = {}
    for name in STEMS:
        cut = np.pad(found[name], (0, max(0, frames - len(found[name]))))[:frames]
        cut *= np.float32(10.0 ** ((LEVELS_DBFS[name] - active_level_dbfs(cut)) / 20.0))
        cut[-SAMPLERATE // 5 :] *= np.linspace(1.0, 0.0, SAMPLERATE // 5, dtype=np.float32)
        stems[name] = cut
    return stems


@click.command()
@click.option("--font", type=click.Path(exists=True, path_type=Path), required=True, help="Soundfont.")
@click.option(
    "--voicebank", type=click.Path(exists=True, path_type=Path), required=True, help="Of the singer."
)
def main(font: Path, voicebank: Path) -> None:
    """Writes the demo's band as Ogg, a file per stem."""
    FOLDER.mkdir(exist_ok=True)
    for name, audio in render(font, load_voicebank(voicebank, default_cache())).items():
        # second by second: libsndfile crashes on long arrays of Vorbis
        with soundfile.SoundFile(FOLDER / f"{name}.ogg", "w", SAMPLERATE, 1, format="OGG") as file:
            for start in range(0, len(audio), SAMPLERATE):
                file.write(audio[start : start + SAMPLERATE])
        click.echo(f"{FOLDER / f'{name}.ogg'}: {(FOLDER / f'{name}.ogg').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
