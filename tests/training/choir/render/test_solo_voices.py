"""Recorded solos in a choir: pitches move as the sound does, rests are silent."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import hilbert

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.item import Materials, load_materials, render_item
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.solo_voices import SPEED_SEMITONES, SoloVoice, load_solo_voices, sing_solos
from rtsep.training.choir.render.voicebank import SAMPLERATE
from rtsep.training.measures.stem_pitch import F0_HOP_S

pytest.importorskip("swift_f0", reason="pitch truth of recordings needs swift-f0 (extra `test`)")
RATE = 16000
CONFIG = ChoirConfig(item_s=8.0, voices=(0.0, 1.0))


def tone(f0_hz: float, seconds: float = 6.0) -> np.ndarray:
    """A buzz with vibrato that pauses in its middle."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0_hz * 2.0 ** (0.02 * np.sin(2 * np.pi * 5.0 * t))) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, int(7000 / f0_hz)))
    return 0.1 * sound * (np.abs(t - seconds / 2) > 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stems = tmp_path / "soloists"
    stems.mkdir()
    for name, f0_hz in (("low", 150.0), ("high", 400.0)):
        other = np.random.default_rng(0).normal(size=6 * RATE) * 0.1
        soundfile.write(stems / f"{name}.wav", np.stack([other, tone(f0_hz)], axis=1), RATE)
    (stems / "stems.toml").write_text('licence = "CC0"\ncredit = "me"\nchannel = 2\n')
    return stems


def test_recordings_are_tracked_and_levelled(folder: Path, tmp_path: Path) -> None:
    high, low = load_solo_voices(folder, tmp_path / "cache")
    assert (high.name, low.name) == ("soloists/high.wav", "soloists/low.wav")
    for voice, f0_hz in ((high, 400.0), (low, 150.0)):
        voiced = voice.f0_hz > 0
        assert voiced.mean() == pytest.approx(5.0 / 6.0, abs=0.03)  # a second of pause
        assert np.median(voice.f0_hz[voiced]) == pytest.approx(f0_hz, rel=0.006)  # swift-f0: some cents
        sounding = voice.audio[: 2 * SAMPLERATE].astype(np.float64)
        assert 10.0 * np.log10(np.mean(sounding**2)) == pytest.approx(-20.0, abs=0.5)


def sine(name: str, f0_hz: float) -> SoloVoice:
    """A voice whose pitch is known without a tracker, with vibrato of 35 cents."""
    t = np.arange(6 * SAMPLERATE) / SAMPLERATE
    curve = f0_hz * 2.0 ** (0.03 * np.sin(2 * np.pi * 5.0 * t))
    audio = 0.14 * np.sin(2 * np.pi * np.cumsum(curve) / SAMPLERATE)
    return SoloVoice(name, "CC0", "me", audio.astype(np.float32), curve[:: round(F0_HOP_S * SAMPLERATE)])


def test_pitches_move_with_the_sound() -> None:
    voices = (sine("a/low.wav", 200.0), sine("b/high.wav", 500.0))
    for seed in range(5):
        dry = sing_solos(voices, CONFIG, np.random.default_rng(seed))
        assert dry.audio.shape == (2, 8 * SAMPLERATE)
        assert [singer["donor"] for (singer,) in dry.singers] == ["b", "a"]  # highest first
        for sound, truth, (singer,) in zip(dry.audio, dry.f0_hz, dry.singers, strict=True):
            assert abs(singer["shifted_semitones"]) <= SPEED_SEMITONES
            steps = np.diff(np.unwrap(np.angle(hilbert(sound.astype(np.float64)))))
            frequency = np.convolve(steps, np.ones(120) / 120, mode="same") * SAMPLERATE / (2 * np.pi)
            frames = np.flatnonzero(truth > 0)
            cents = 1200.0 * np.log2(np.abs(frequency[frames * 120]) / truth[frames])
            assert np.median(np.abs(cents)) < 1.0
            assert np.mean(np.abs(cents) < 10.0) > 0.95  # less near joins and fades
            assert not np.any(sound.reshape(-1, 120)[2:-2][(truth == 0)[2:-2]] > 0.08)


def test_items_of_solos_alone(folder: Path, tmp_path: Path) -> None:
    materials = load_materials((), None, None, tmp_path / "cache", (folder,))
    item = render_item(CONFIG, materials, 1, 0)
    assert item.facts["donors"] == [{"name": "soloists", "licence": "CC0", "credit": "me"}]
    assert item.facts["texture"] == "recorded solos"
    assert item.voiced.any(axis=1).all()
    again = render_item(CONFIG, materials, 1, 0)
    assert np.array_equal(item.stems, again.stems)


def test_solos_take_their_share(
    folder: Path, tmp_path: Path, bank_folders: tuple[Path, ...], bank_cache: Path
) -> None:
    both = load_materials(bank_folders, None, None, bank_cache, (folder,))
    short = ChoirConfig(item_s=1.0, solo_item=0.25)
    textures = [render_item(short, both, 1, i).facts["texture"] for i in range(80)]
    assert 0.1 < np.mean([t == "recorded solos" for t in textures]) < 0.4
    # without solos the choirs of the other items are the same
    sung = next(i for i, t in enumerate(textures) if t not in ("recorded solos", "silent"))
    alone = render_item(short, Materials(both.banks), 1, sung)
    assert np.array_equal(alone.stems, render_item(short, both, 1, sung).stems)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ('use = "development"\n', "for development only"),
        ("channel = 3\n", "has 2 channels, stems.toml asks for channel 3"),
        ("channel = \n", "cannot be read"),
    ],
)
def test_folders_that_do_not_fit(folder: Path, tmp_path: Path, facts: str, message: str) -> None:
    (folder / "stems.toml").write_text(facts)
    with pytest.raises(RtsepError, match=message):
        load_solo_voices(folder, tmp_path / "cache")


def test_folders_without_a_voice(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(5 * RATE), RATE)
    with pytest.raises(RtsepError, match="holds no solo voice"):
        load_solo_voices(tmp_path, tmp_path / "cache")
    with pytest.raises(RtsepError, match="no voices to render"):
        load_materials((), None, None, tmp_path / "cache")
