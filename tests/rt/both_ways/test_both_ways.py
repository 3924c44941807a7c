"""A file from both ends: sums, places, both directions alike, no growth, and when it cannot be."""

import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import run_command, write_audio
from helpers.sung import note, sing, vibrato

import rtsep
from rtsep.models.build import ModelChoice, build_file_model
from rtsep.models.choir.both_ways import date_shift
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.both_ways import separator as passes
from rtsep.rt.both_ways.separator import BothWays
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.rt.pitches.pitch_hop import PitchHop

F32 = np.ndarray
Capture = pytest.CaptureFixture[str]


def engine(
    samplerate: int = 16000, latency_ms: int = 43, channels: int = 1, f0: rtsep.F0Track | None = None
) -> BothWays:
    preset = Preset(samplerate, latency_ms)
    built = build_file_model(ModelChoice("choir", 2), framing=preset.framing, f0=f0)
    return BothWays(built, preset, channels)


def whole(separator: BothWays, sound: F32, block: int = 1 << 30) -> F32:
    for start in range(0, len(sound), block):
        assert not separator.process(sound[start : start + block]).size
    return separator.flush()


class Pitches(list[PitchHop]):
    """Takes pitches."""

    add = list.append

    def finish(self) -> None:
        raise AssertionError("whoever opened it finishes it")

    discard = finish


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
@pytest.mark.parametrize("samplerate", [8000, 44100, 192000])
def test_stems_sum_to_the_input_in_their_place(samplerate: int, latency_ms: int) -> None:
    sound = synthetic_choir(samplerate, 0.1, channels=2, voices=2)
    stems = whole(engine(samplerate, latency_ms, channels=2), sound, block=1009)
    assert stems.shape == (3, *sound.shape)
    np.testing.assert_allclose(stems.sum(axis=0), sound, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 170, 171, 682, 5000])
def test_any_length_gives_as_many_frames(frames: int) -> None:
    sound = synthetic_choir(16000, 1.0, channels=1, voices=2)[:frames]
    np.testing.assert_allclose(whole(engine(), sound).sum(axis=0), sound, atol=1e-5)


def test_each_voice_is_in_its_place() -> None:
    """As good as hop by hop at least, which stems that are a hop late, or pitches of another time, are not;
    sound that begins and ends at full level is the hardest for a comb."""
    voices = np.stack([sing(vibrato(midi, 1.5, 16000), 16000, seed=midi) for midi in (71, 52)])
    sound = voices.sum(axis=0).astype(np.float32)

    def error_db(offline: str, latency_ms: int) -> float:
        stems = rtsep.separate(sound, 16000, voices=2, latency_ms=latency_ms, offline=offline)
        error = np.stack([stems["voice-1"], stems["voice-2"]]) - voices
        return float(10 * np.log10(np.square(error).sum() / np.square(voices).sum()))

    for latency_ms in OVERLAP_AT_48K:
        assert error_db("on", latency_ms) < error_db("off", latency_ms) + 0.3


def test_a_file_played_backwards_gives_the_stems_backwards_where_pitches_are_given() -> None:
    """Both directions are alike: what one does at a time the other does at the same time. A glide tells dates
    that are wrong by a hop."""
    samplerate, hop = 16000, Preset(16000, 43).hop
    seconds = 60 * hop / samplerate
    times_s = np.arange(0, seconds + 0.004, 0.005)
    f0_hz = note(60) * 2.0 ** (np.stack([times_s, 1 + 0.5 * times_s], axis=1))
    at = np.arange(60 * hop) / samplerate
    sung = [sing(np.interp(at, times_s, row), samplerate, seed=seed) for seed, row in enumerate(f0_hz.T)]
    sound = np.sum(sung, axis=0).astype(np.float32)[:, None]
    forward = whole(engine(f0=rtsep.F0Track(times_s, f0_hz)), sound)
    turned = rtsep.F0Track(seconds - times_s[::-1], f0_hz[::-1])
    backward = whole(engine(f0=turned), np.ascontiguousarray(sound[::-1]))
    np.testing.assert_allclose(backward[:, ::-1], forward, atol=2e-3)


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
def test_both_directions_date_a_pitch_alike(latency_ms: int) -> None:
    """Frame j backwards begins where frame j forwards does; half a hop is what rounding may leave."""
    framing = Preset(48000, latency_ms).framing
    delay = framing.pitch_delay_s * framing.samplerate
    forward, backward = framing.hop - delay, -framing.hop + delay
    assert abs(forward + date_shift(framing) * framing.hop - backward) <= 0.5 * framing.hop


def test_pieces_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the decision looks ahead far enough, there are no seams: not one sample differs."""
    sound = synthetic_choir(16000, 6.0, channels=1, voices=2)
    pitches = Pitches()
    one = engine()
    one.pass_pitches_to([pitches])
    expected = whole(one, sound)
    assert any(hop.f0_hz.all() for hop in pitches)
    monkeypatch.setattr(passes, "CHUNK", 7)
    monkeypatch.setattr(passes, "LOOK_S", 1.5)
    np.testing.assert_array_equal(whole(engine(), sound, block=4001), expected)


def test_pitches_are_told_in_their_time() -> None:
    """A step from one note to another is told at the time of the step, decided from both ends."""
    f0_hz = np.repeat([note(60), note(67)], 24000)
    sound = sing(f0_hz, 16000).astype(np.float32)[:, None]
    preset = Preset(16000, 43)
    built = build_file_model(ModelChoice("choir", 1), framing=preset.framing, f0=None)
    separator, told = BothWays(built, preset, 1), Pitches()
    separator.pass_pitches_to([told])
    whole(separator, sound)
    times_s = np.array([hop.time_s for hop in told])
    np.testing.assert_allclose(np.diff(times_s), preset.hop / 16000)
    found = np.array([hop.f0_hz[0] for hop in told])
    high = times_s[found > note(64)]
    assert 1.5 <= high.min() <= 1.5 + 2 * preset.hop / 16000
    inside = (times_s > 0.2) & (times_s < 1.4)
    np.testing.assert_allclose(found[inside], note(60), rtol=0.01)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the other end waits on the disk; a look ahead of a second makes the test short."""
    monkeypatch.setattr(passes, "LOOK_S", 1.0)
    sound = synthetic_choir(8000, 2.0, channels=1, voices=2)

    def peak_bytes(times: int) -> int:
        preset = Preset(8000, 43)
        built = build_file_model(ModelChoice("choir", 2), framing=preset.framing, f0=None)
        separator = BothWays(built, preset, 1)
        separator.folder = tmp_path
        tracemalloc.start()
        for _ in range(times):
            separator.process(sound)
        frames = sum(stems.shape[1] for stems in separator.rest())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert frames == times * len(sound)
        return peak

    assert peak_bytes(6) < 1.05 * peak_bytes(3)
    assert not list(tmp_path.iterdir()), "what waited is gone"


def test_nan_is_counted_once_and_silent() -> None:
    sound = synthetic_choir(16000, 0.5, channels=1, voices=2)
    sound[4000] = np.nan
    separator = engine()
    stems = whole(separator, sound)
    assert separator.nonfinite_samples == 1
    assert np.isfinite(stems).all()


def test_the_command_says_how_a_file_was_decided(capfd: Capture, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav")
    base = ("--input", tmp_path / "in.wav", "--voices", 2)
    said = run_command(capfd, *base, "--output", tmp_path / "auto")
    assert said.code == 0
    assert "decided from both ends of the file: no latency" in said.out
    report = json.loads(
        run_command(capfd, *base, "--output", tmp_path / "on", "--offline", "on", "--json").out
    )
    assert report["both_ways"] is True
    assert report["latency_samples"] == 0
    report = json.loads(
        run_command(capfd, *base, "--output", tmp_path / "off", "--offline", "off", "--json").out
    )
    assert report["both_ways"] is False
    assert report["latency_samples"] == 512
    for stem in ("voice-1", "voice-2", "residual"):
        auto, on, off = (soundfile.read(tmp_path / run / f"{stem}.wav")[0] for run in ("auto", "on", "off"))
        np.testing.assert_array_equal(auto, on)
        assert np.abs(auto - off).max() > 1e-4


def test_off_gives_the_samples_of_a_live_run(capfd: Capture, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav")
    run_command(
        capfd, "--input", tmp_path / "in.wav", "--voices", 2, "--output", tmp_path / "out", "--offline", "off"
    )
    sound, samplerate = soundfile.read(tmp_path / "in.wav", dtype="float32", always_2d=True)
    live = rtsep.Separator.load(voices=2, samplerate=samplerate, channels=sound.shape[1])
    late = live.latency_samples
    stems = np.concatenate([live.process(sound), live.flush()], axis=1)[:, late:]
    for name, stem in zip(live.stems, stems, strict=True):
        written = soundfile.read(tmp_path / "out" / f"{name}.wav", dtype="float32", always_2d=True)[0]
        np.testing.assert_array_equal(written, stem)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--stems", "vocals"), "only a choir is heard from both ends"),
        (("--model", "choir-comb"), "has no network for pitches"),
    ],
)
def test_what_cannot_runs_hop_by_hop_and_says_why(
    options: tuple[str, ...], why: str, capfd: Capture, tmp_path: Path
) -> None:
    write_audio(tmp_path / "in.wav")
    base = ("--input", tmp_path / "in.wav", "--output", tmp_path / "out", *options)
    said = run_command(capfd, *base)
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("decided hop by hop, as live: ")]
    assert why in line
    refused = run_command(capfd, *base, "--offline", "on")
    assert refused.code == 2
    assert refused.err.startswith("rtsep: error: --offline on cannot be: ")
    assert why in refused.err
    assert refused.err.count("\n") == 1


def test_given_pitches_need_no_network(capfd: Capture, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav")
    (tmp_path / "f0.csv").write_text("0,330,220\n1,330,220\n")
    said = run_command(
        capfd, "--input", tmp_path / "in.wav", "--output", tmp_path / "out", "--model", "choir-comb",
        "--voices", 2, "--f0", tmp_path / "f0.csv", "--offline", "on",
    )  # fmt: skip
    assert said.code == 0
    assert "decided from both ends" in said.out


@pytest.mark.parametrize("wish", ["auto", "on", "off"])
def test_live_input_has_no_other_end(wish: str, capfd: Capture) -> None:
    refused = run_command(capfd, "--input", "mic", "--offline", wish)
    assert refused.code == 2
    assert f"--offline {wish} does not go with the live input" in refused.err


def test_pipes_stay_live(capfd: Capture, tmp_path: Path) -> None:
    raw = ("--input", "-", "--raw", "f32le:16000:1", "--voices", 1)
    sound = synthetic_choir(16000, 0.2, channels=1, voices=1).tobytes()
    said = run_command(capfd, *raw, "--output", tmp_path / "out", "--json", stdin=sound)
    assert json.loads(said.out)["both_ways"] is False
    refused = run_command(capfd, *raw, "--output", tmp_path / "out", "--offline", "on", stdin=sound)
    assert refused.code == 2
    assert "standard input is a pipe, which may never end" in refused.err
    write_audio(tmp_path / "in.wav")
    kept = ("--input", tmp_path / "in.wav", "--voices", 1, "--output", tmp_path / "kept", "--keep-latency")
    assert json.loads(run_command(capfd, *kept, "--json").out)["both_ways"] is False
    assert run_command(capfd, *kept, "--offline", "on").code == 2


def test_ctrl_c_leaves_valid_files(tmp_path: Path) -> None:
    """Stopped in the last pass: what was put out is there, in every stem as much."""
    soundfile.write(tmp_path / "in.wav", synthetic_choir(16000, 6.0, channels=1, voices=2), 16000)
    script = (
        "import os, signal, sys\n"
        "from rtsep.rt.both_ways.separator import BothWays\n"
        "from rtsep.rt.cli.main import run\n"
        "real = BothWays._separate_forward\n"
        "def stopping(self, *args):\n"
        "    for count, stems in enumerate(real(self, *args)):\n"
        "        if count == 1:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        yield stems\n"
        "BothWays._separate_forward = stopping\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--input", "in.wav", "--voices", "2", "--output", "out"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    frames = {file.name: soundfile.info(file).frames for file in (tmp_path / "out").iterdir()}
    assert set(frames) == {"voice-1.wav", "voice-2.wav", "residual.wav"}
    (count,) = set(frames.values())
    assert 0 < count < 6 * 16000
    assert f"the output holds the first {count / 16000:.2f} s" in done.stderr


@pytest.mark.parametrize("killed_by", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_the_last_pass_leaves_what_was_there(tmp_path: Path, killed_by: int) -> None:
    """No stem is ready: none is written, stems of the run before are as they were, and that is said."""
    soundfile.write(tmp_path / "in.wav", synthetic_choir(16000, 2.0, channels=1, voices=2), 16000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "voice-1.wav").write_bytes(b"of the run before")
    script = (
        "import os, sys\n"
        "from rtsep.rt.both_ways.separator import BothWays\n"
        "from rtsep.rt.cli.main import run\n"
        "real = BothWays._decide_from\n"
        "def stopping(self, *args):\n"
        f"    os.kill(os.getpid(), {int(killed_by)})\n"
        "    return real(self, *args)\n"
        "BothWays._decide_from = stopping\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--input", "in.wav", "--voices", "2", "--output", "out"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 128 + killed_by, done.stderr
    assert "before the last pass, which gives the stems: none was written" in done.stderr
    assert "dBFS" not in done.stdout
    (left,) = (tmp_path / "out").iterdir()
    assert left.read_bytes() == b"of the run before"


def test_a_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    separator = engine()
    separator.folder = tmp_path
    separator.process(synthetic_choir(16000, 1.0, channels=1, voices=2))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("rtsep.rt.both_ways.spool.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(rtsep.RtsepError, match=r"needs room in .*are needed.*--offline off"):
        separator.flush()


def test_an_array_is_decided_from_both_ends_unless_it_shall_not_be() -> None:
    sound = synthetic_choir(16000, 0.5, channels=1, voices=2)[:, 0]
    auto, on, off = (
        np.stack(list(rtsep.separate(sound, 16000, voices=2, offline=wish).values()))
        for wish in ("auto", "on", "off")
    )
    np.testing.assert_array_equal(auto, on)
    assert np.abs(auto - off).max() > 1e-4
    with pytest.raises(rtsep.RtsepError, match="'both' is not one of auto, on, off"):
        rtsep.separate(sound, 16000, voices=2, offline="both")
    with pytest.raises(rtsep.RtsepError, match="--offline on cannot be"):
        rtsep.separate(sound, 16000, model="choir-comb", voices=2, offline="on")


def test_voices_sung_anew_follow_both_ends(tmp_path: Path, capfd: Capture) -> None:
    write_audio(tmp_path / "in.wav")
    said = run_command(
        capfd, "--input", tmp_path / "in.wav", "--voices", 2, "--output", tmp_path / "out",
        "--render", "synth", "--f0-out", tmp_path / "f0.csv", "--json",
    )  # fmt: skip
    assert json.loads(said.out)["both_ways"] is True
    assert rtsep.F0Track.load(tmp_path / "f0.csv", 2).f0_hz.shape[1] == 2
