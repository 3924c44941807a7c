"""`--f0-out` and `--midi-out` of a file: dates, the way back through `--f0`, and what is refused."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import read_stems, run_command, write_audio
from helpers.sung import cents, note, sing, vibrato

from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator

RATE = 16000


@pytest.fixture
def choir_wav(tmp_path: Path) -> Path:
    path = tmp_path / "choir.wav"
    # silence first: pitches of hops that are dated before the input cannot be written
    sound = np.concatenate([np.zeros((1600, 1), np.float32), synthetic_choir(RATE, 2.0, voices=2)])
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return path


def in_doubt(sound: np.ndarray, latency_ms: int) -> np.ndarray:
    """Which samples have a frame whose masks are the mean of several hypotheses."""
    separator = Separator.load(voices=2, samplerate=RATE, latency_ms=latency_ms)
    model = separator._pipeline.model
    assert isinstance(model, ChoirModel)
    assert isinstance(model.tracker, NetworkTracker)
    doubt = np.zeros(len(sound), np.bool_)
    for end in range(separator.hop, len(sound) + 1, separator.hop):
        separator.process(sound[end - separator.hop : end])
        if model.tracker.others.count:
            doubt[max(0, end - separator.latency_samples) : end] = True
    return doubt


@pytest.mark.parametrize("latency_ms", [5, 43])
def test_round_trip_gives_the_same_stems_where_nothing_was_in_doubt(
    choir_wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], latency_ms: int
) -> None:
    base = ("--input", choir_wav, "--voices", 2, "--latency", latency_ms, "--quiet", "--offline", "off")
    for index, more in enumerate((("--f0-out", tmp_path / "f0.csv"), ("--f0", tmp_path / "f0.csv"))):
        assert run_command(capfd, *base, "--output", tmp_path / str(index), *more).code == 0
    first, again = read_stems(tmp_path / "0"), read_stems(tmp_path / "1")
    doubt = in_doubt(soundfile.read(choir_wav, dtype="float32", always_2d=True)[0], latency_ms)
    whole = len(doubt) // Preset(RATE, latency_ms).hop * Preset(RATE, latency_ms).hop
    assert 0 < doubt.mean() < 0.4
    for name in first:
        sure = ~doubt[:whole]
        np.testing.assert_allclose(first[name][:whole][sure], again[name][:whole][sure], atol=2e-5)
    assert not list(tmp_path.glob("*.part"))


def test_dates_are_those_of_the_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A voice with vibrato: the file's F0 is that of the same moment."""
    f0_hz = vibrato(64, 2.0, RATE, rate_hz=5.0, depth_cents=50)
    soundfile.write(tmp_path / "a.wav", sing(f0_hz, RATE), RATE, subtype="FLOAT")
    out = ("--output", tmp_path / "o", "--f0-out", tmp_path / "a.csv", "--midi-out", tmp_path / "a.mid")
    result = run_command(capfd, "--input", tmp_path / "a.wav", "--voices", 1, "--latency", 43, *out)
    assert result.code == 0, result.err
    track = F0Track.load(tmp_path / "a.csv", 1)
    assert 2.0 <= track.times_s[-1] < 2.0 + 0.043  # the last masks are dated behind the end
    inside = (track.times_s > 0.3) & (track.f0_hz[:, 0] > 0)
    assert np.mean(inside) > 0.7
    true_hz = np.interp(track.times_s, np.arange(len(f0_hz)) / RATE, f0_hz)
    wrong = cents(track.f0_hz[inside, 0], true_hz[inside])
    assert np.median(wrong) < 12
    assert np.median(wrong) < 0.6 * np.median(cents(track.f0_hz[inside, 0], np.roll(true_hz, 3)[inside]))

    played = mido.MidiFile(tmp_path / "a.mid")
    (track_1,) = [t for t in played.tracks if t.name == "voice-1"]
    assert [m.note for m in track_1 if m.type == "note_on"] == [64]
    tick, bent = 0, []
    for message in track_1:
        tick += message.time
        if message.type == "pitchwheel":
            semitones = 64 + message.pitch / 8192 * 48
            seconds = mido.tick2second(tick, played.ticks_per_beat, 500000)
            bent.append(
                cents(np.array([note(semitones)]), np.interp(seconds, track.times_s, track.f0_hz[:, 0]))
            )
    assert len(bent) > 50
    assert np.median(bent) < 3


def test_whatever_the_block(choir_wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A pipe, which comes in other blocks, gives the same rows."""
    sound = soundfile.read(choir_wav, dtype="float32")[0][:15000]
    soundfile.write(tmp_path / "short.wav", sound, RATE, subtype="FLOAT")
    base = ("--voices", 2, "--quiet", "--output", tmp_path / "o")
    file = ("--input", tmp_path / "short.wav", "--offline", "off")
    run_command(capfd, *file, *base, "--f0-out", tmp_path / "file.csv")
    raw = ("--input", "-", "--raw", f"f32le:{RATE}:1")
    run_command(capfd, *raw, *base, "--f0-out", tmp_path / "pipe.csv", stdin=sound.tobytes())
    assert (tmp_path / "file.csv").read_text() == (tmp_path / "pipe.csv").read_text()


def test_a_bass_below_the_numbers_of_midi_is_read_back(tmp_path: Path) -> None:
    from rtsep.rt.pitches.f0_file import F0File
    from rtsep.rt.pitches.pitch_hop import PitchHop

    file = F0File(tmp_path / "bass.csv", ("voice-1",))
    for hop in range(-2, 30):
        pitch = np.array([80.0], np.float32)
        file.add(PitchHop(0.01 * hop, pitch, pitch, np.zeros(1, np.float32)))
    assert not (tmp_path / "bass.csv").exists()
    file.finish()
    track = F0Track.load(tmp_path / "bass.csv", 1)
    assert track.times_s[0] == 0
    assert (track.f0_hz == 80).all()


def test_rows_are_the_pitches_of_the_masks(
    choir_wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_command(
        capfd, "--input", choir_wav, "--voices", 2, "--output", tmp_path / "o",
        "--f0-out", tmp_path / "f.csv", "--offline", "off",
    )  # fmt: skip
    separator = Separator.load(voices=2, samplerate=RATE)
    sound = soundfile.read(choir_wav, dtype="float32", always_2d=True)[0]
    preset, rows = Preset(RATE, 11), []
    out = np.zeros((3, preset.hop, 1), np.float32)
    for start in range(0, len(sound) - preset.hop + 1, preset.hop):
        separator.process_hop(np.ascontiguousarray(sound[start : start + preset.hop]), out)
        time_s = (start + preset.hop) / RATE - preset.framing.pitch_delay_s
        if time_s >= 0:
            rows.append([time_s, *separator.voices.followed_hz])
    table = np.loadtxt(tmp_path / "f.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[: len(rows)], rows, atol=1e-4)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--f0-out", "choir.wav"), "would overwrite"),
        (("--f0-out", "."), "is a folder"),
        (("--f0-out", "nowhere/f.csv"), "there is no folder"),
        (("--f0-out", "/dev/null"), "no regular file"),
        (("--midi-out", "synth"), "a port is for live input"),
        (("--stems", "vocals", "--f0-out", "f.csv"), "its stems have no pitch"),
    ],
)
def test_refused(
    choir_wav: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = choir_wav.read_bytes()
    result = run_command(capfd, "--input", "choir.wav", "--output", "o", *more)
    assert (result.code, words in result.err, result.err.count("\n")) == (2, True, 1), result.err
    assert choir_wav.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"choir.wav"}


def test_a_run_that_cannot_begin_leaves_older_files(
    choir_wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("f.csv", "n.mid")
    for name in names:
        (tmp_path / name).write_text("mine")
    out = ("--f0-out", tmp_path / "f.csv", "--midi-out", tmp_path / "n.mid", "--output", choir_wav)
    assert run_command(capfd, "--input", choir_wav, *out).code == 2
    assert [(tmp_path / name).read_text() for name in names] == ["mine", "mine"]
    assert {p.name for p in tmp_path.iterdir()} == {"choir.wav", *names}


def test_an_input_that_breaks_off_keeps_its_rows(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_audio(tmp_path / "a.flac", RATE, 3.0)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    result = run_command(
        capfd, "--input", tmp_path / "a.flac", "--output", tmp_path / "o", "--f0-out", tmp_path / "f.csv"
    )
    assert result.code == 2
    assert len((tmp_path / "f.csv").read_text().splitlines()) > 20
