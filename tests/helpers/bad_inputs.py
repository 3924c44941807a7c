"""The table of mistakes that `test_bad_input.py` runs."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from helpers.cli_helpers import write_audio
from helpers.model_folder import write_model

Make = Callable[[Path], list[object]]
LONG = "n" * 300  # file systems take 255 bytes


def wav_header(channels: int = 1, rate: int = 48000, bits: int = 16, data_bytes: int = 8) -> bytes:
    """A PCM WAV header with the numbers as they are given, sensible or not."""
    width = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 1, channels, rate, (rate * width) % 2**32, width % 65536, bits)
    return (
        b"RIFF" + struct.pack("<I", (36 + data_bytes) % 2**32) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
        + b"data" + struct.pack("<I", data_bytes)
    )  # fmt: skip


def file_of(data: bytes, name: str = "bad.wav") -> Make:
    """Input is a file with these bytes."""

    def make(folder: Path) -> list[object]:
        (folder / name).write_bytes(data)
        return ["--input", name, "--output", "stems"]

    return make


def f0_of(text: str, voices: int = 2) -> Make:
    """A good input with this F0 file."""

    def make(folder: Path) -> list[object]:
        (folder / "f0.csv").write_text(text)
        return ["--input", "good.wav", "--output", "stems", "--voices", voices, "--f0", "f0.csv"]

    return make


def good(*options: object) -> Make:
    """A good input file and output folder with these options."""
    return lambda folder: ["--input", "good.wav", "--output", "stems", *options]


def plain(*options: object) -> Make:
    """These options alone."""
    return lambda folder: list(options)


def input_is_an_output(folder: Path) -> list[object]:
    write_audio(folder / "stems" / "residual.wav")
    return ["--input", "stems/residual.wav", "--output", "stems"]


def rate_of(rate: int) -> Make:
    def make(folder: Path) -> list[object]:
        write_audio(folder / "rate.wav", samplerate=rate)
        return ["--input", "rate.wav", "--output", "stems"]

    return make


def links_in_a_circle(folder: Path) -> list[object]:
    (folder / "loop.wav").symlink_to("loop.wav")
    return ["--input", "loop.wav", "--output", "stems"]


def many_channels(folder: Path) -> list[object]:
    soundfile.write(folder / "many.wav", np.zeros((100, 65), np.float32), 48000)
    return ["--input", "many.wav", "--output", "stems"]


def stem_is_a_folder(folder: Path) -> list[object]:
    (folder / "taken" / "voice-1.wav").mkdir(parents=True)
    return ["--input", "good.wav", "--output", "taken"]


def model_of(content: bytes | None, *, command: bool = False, **card: object) -> Make:
    """A model folder whose network file holds `content` (None: is missing); the card describes b"network"."""

    def make(folder: Path) -> list[object]:
        network = write_model(folder / "mine", [("tracker", "t", b"network")], **card) / "t.onnx"
        network.unlink()
        if content is not None:
            network.write_bytes(content)
        if command:
            return ["models", "mine"]
        return ["--input", "good.wav", "--output", "stems", "--model", "mine"]

    return make


# id, arguments, what the line must name: the value met, the bound or choice it breaks, the remedy
CASES: list[tuple[str, Make, tuple[str, ...]]] = [
    # input
    ("no input", plain("--voices", 3), ("--input is missing", "--input mic")),
    ("empty name", plain("--input", "", "--output", "stems"), ("--input is empty", "mic")),
    ("missing file", plain("--input", "none.wav", "--output", "stems"), ("none.wav does not exist", "check")),
    (
        "almost right name",
        plain("--input", "god.wav", "--output", "stems"),
        ("god.wav", "did you mean good.wav?"),
    ),
    (
        "missing folder",
        plain("--input", "takes/a", "--output", "s"),
        ("takes/a does not exist", "no folder takes"),
    ),
    (
        "folder as input",
        plain("--input", "stems", "--output", "s"),
        ("stems is a folder", "one audio file", "voice-1.wav"),
    ),
    (
        "home of nobody",
        plain("--input", "~nosuch/x.wav", "--output", "s"),
        ("~nosuch/x.wav does not exist", "no folder ~nosuch"),
    ),
    (
        "input name too long",
        plain("--input", f"{LONG}.wav", "--output", "s"),
        (f"{LONG}.wav", "File name too long", "check the path"),
    ),
    (
        "input path too long",
        plain("--input", "x/" * 2100, "--output", "s"),
        ("File name too long", "check the path"),
    ),
    ("device name too long", plain("--input", LONG), ("input device",)),
    (
        "input name that would clear the screen",
        plain("--input", "a\x1b[2Jb\nc\x9b.wav", "--output", "s"),
        ("a\\x1b[2Jb", "\\x9b.wav does not exist"),
    ),
    ("links in a circle", links_in_a_circle, ("loop.wav", "symbolic links", "check the path")),
    ("empty file", file_of(b""), ("bad.wav is empty", "0 bytes", "give a file")),
    ("cut header", file_of(wav_header()[:20]), ("bad.wav", "libsndfile", "ffmpeg")),
    (
        "text named wav",
        file_of(b"Freude, schoener Goetterfunken\n" * 50),
        ("bad.wav is not an audio file", "ffmpeg"),
    ),
    (
        "unknown format",
        file_of(b"\x00\x00\x00\x20ftypM4A " + bytes(100), "song.m4a"),
        ("song.m4a", "libsndfile", "ffmpeg"),
    ),
    ("no frames", file_of(wav_header(data_bytes=0)), ("bad.wav has 0 frames", "at least 1", "give a file")),
    ("no channels", file_of(wav_header(channels=0) + bytes(8)), ("bad.wav", "ffmpeg")),
    ("absurd channel count", file_of(wav_header(channels=5000) + bytes(20000)), ("bad.wav", "ffmpeg")),
    ("65 channels", many_channels, ("many.wav has 65 channels", "1..64", "--input-channels")),
    ("no sample rate", file_of(wav_header(rate=0) + bytes(8)), ("bad.wav", "libsndfile", "ffmpeg")),
    ("rate too low", rate_of(4000), ("rate.wav", "4000 Hz", "8000..192000 Hz", "ffmpeg")),
    ("rate too high", rate_of(1_000_000), ("rate.wav", "1000000 Hz", "8000..192000 Hz", "ffmpeg")),
    ("channel not there", good("--input-channels", "2"), ("--input-channels 2", "1..1", "good.wav")),
    ("channel 0", good("--input-channels", "0"), ("'0'", "1..1024", "count from 1")),
    ("channels as words", good("--input-channels", "left"), ("'left'", "1..1024", "1,2")),
    ("channels backwards", good("--input-channels", "4-1"), ("'4-1'", "1..1024", "1-4")),
    ("channel twice", good("--input-channels", "1,1"), ("1,1", "twice", "once")),
    # numbers and names
    ("no voices", good("--voices", 0), ("--voices 0", "1..4", "--voices 4")),
    ("five voices", good("--voices", 5), ("--voices 5", "1..4", "--voices 4")),
    ("negative voices", good("--voices", -1), ("--voices -1", "1..4", "--voices 4")),
    ("voices as a word", good("--voices", "four"), ("'four'", "1..4", "--voices 4")),
    ("unknown latency", good("--latency", 7), ("--latency '7'", "5, 11, 21, 43", "choose")),
    ("unknown model", good("--model", "chior"), ("'chior'", "choir", "rtsep models")),
    ("model without card", good("--model", "."), ("card.json", "No such file", "check the folder")),
    ("model cut short", model_of(b"netw"), ("mine/t.onnx", "4 bytes", "SHA-256", "copy the model's folder")),
    ("model changed", model_of(b"netw0rk"), ("mine/t.onnx", "SHA-256", "copy the model's folder again")),
    ("model without network", model_of(None), ("mine/t.onnx", "No such file", "copy the model's folder")),
    ("model of tomorrow", model_of(b"network"), ("mine", "'tiny'", "install a newer rtsep")),
    ("model of nothing", model_of(b"network", comb=None), ("card.json", "comb", "levels network")),
    ("models damaged", model_of(b"", command=True), ("mine/t.onnx", "SHA-256", "copy the model's folder")),
    ("models unknown", plain("models", "none"), ("'none'", "choir", "card.json", "rtsep models")),
    ("unknown backend", good("--backend", "tpu"), ("'tpu'", "auto, cpu", "--backend auto")),
    ("unknown option", good("--voice", 4), ("--voice", "--voices", "rtsep --help")),
    ("option without value", plain("--input"), ("--input", "requires an argument", "rtsep --help")),
    ("unknown command", plain("device"), ("'device'", "rtsep --help")),
    ("options before a command", plain("--voices", 3, "models"), ("--voices", "models", "--help")),
    # raw pipes
    (
        "raw without rate",
        plain("--input", "-", "--raw", "f32le", "--output", "s"),
        ("'f32le'", "FORMAT:RATE:CHANNELS", "f32le:48000:1"),
    ),
    (
        "unknown raw format",
        plain("--input", "-", "--raw", "f16le:48000:1", "--output", "s"),
        ("'f16le'", "s16le, s24le", "f32le:48000:1"),
    ),
    (
        "raw rate as a word",
        plain("--input", "-", "--raw", "f32le:48k:1", "--output", "s"),
        ("'48k'", "whole number", "f32le:48000:1"),
    ),
    (
        "raw rate too low",
        plain("--input", "-", "--raw", "f32le:100:1", "--output", "s"),
        ("100 Hz", "8000..192000", "resample"),
    ),
    (
        "raw without channels",
        plain("--input", "-", "--raw", "f32le:48000:0", "--output", "s"),
        ("count 0", "1..64", "f32le:48000:1"),
    ),
    (
        "raw channels negative",
        plain("--input", "-", "--raw", "f32le:48000:-2", "--output", "s"),
        ("'-2'", "whole number", "f32le:48000:1"),
    ),
    ("raw with a file", good("--raw", "f32le:48000:1"), ("--raw f32le:48000:1", "good.wav", "--input -")),
    (
        "nothing on standard input",
        plain("--input", "-", "--raw", "f32le:48000:1", "--output", "s"),
        ("0 frames", "at least 1", "check"),
    ),
    (
        "no audio on standard input",
        plain("--input", "-", "--output", "s"),
        ("standard input", "--raw f32le:48000:1"),
    ),
    # pitches
    ("missing F0 file", good("--f0", "none.csv"), ("none.csv", "--f0")),
    ("F0 name too long", good("--f0", f"{LONG}.csv"), ("File name too long", "--f0")),
    ("model name too long", good("--model", LONG), ("model 'nnn", "is not one of band", "rtsep models")),
    ("F0 file is a folder", good("--f0", "stems"), ("stems", "--f0")),
    ("F0 file is audio", good("--f0", "good.wav"), ("good.wav", "not text", "CSV")),
    ("F0 file empty", f0_of(""), ("f0.csv", "no rows", "at least 1", "write lines")),
    (
        "F0 after the end",
        f0_of("900,220,110\n900.01,220,110\n"),
        ("begin at 900 s", "audio ends at", "seconds"),
    ),
    ("F0 by frame number", f0_of("".join(f"{n},220,110\n" for n in range(20))), ("f0.csv", "frame numbers")),
    ("F0 as MIDI numbers", f0_of("0,69,57\n0.01,69,57\n"), ("f0.csv", "MIDI numbers", "write Hz")),
    ("F0 columns missing", f0_of("0,220\n"), ("line 1", "2 columns", "needs 3", "one F0 per voice")),
    ("F0 columns too many", f0_of("t,a,b,c\n0,1,2,3\n"), ("line 1", "4 columns", "needs 3")),
    ("F0 as a word", f0_of("0,220,330\n0.01,A3,330\n"), ("line 2", "'A3'", "write Hz")),
    ("F0 time as a word", f0_of("0,220,330\nlater,220,330\n"), ("line 2", "'later'", "seconds")),
    ("F0 times fall", f0_of("0.02,220,330\n0.01,220,330\n"), ("line 2", "0.01 s", "0.02 s", "sort")),
    ("F0 time below 0", f0_of("-1,220,330\n"), ("line 1", "-1 s", "below 0", "start of the audio")),
    ("F0 too high", f0_of("0,220,9000\n"), ("line 1", "9000 Hz", "32..2100 Hz", "0 for unvoiced")),
    ("F0 negative", f0_of("0,220,-330\n"), ("line 1", "-330 Hz", "32..2100 Hz", "0 for unvoiced")),
    ("F0 endless", f0_of("0,220,inf\n"), ("line 1", "inf Hz", "32..2100 Hz")),
    # output
    ("empty output", plain("--input", "good.wav", "--output", ""), ("--output is empty", "stems/")),
    (
        "output name too long",
        plain("--input", "good.wav", "--output", LONG),
        (LONG, "File name too long", "choose a shorter name"),
    ),
    ("no output", plain("--input", "good.wav"), ("good.wav needs --output", "--output FOLDER")),
    (
        "output is a file",
        plain("--input", "good.wav", "--output", "keep.txt"),
        ("keep.txt is a file", "folder"),
    ),
    (
        "output below a file",
        plain("--input", "good.wav", "--output", "keep.txt/stems"),
        ("keep.txt/stems", "may write"),
    ),
    (
        "output where nobody may write",
        plain("--input", "good.wav", "--output", "/proc/stems"),
        ("/proc/stems", "may write"),
    ),
    ("input is an output", input_is_an_output, ("stems/residual.wav", "overwritten", "another --output")),
    ("a stem's name is a folder", stem_is_a_folder, ("taken/voice-1.wav is a folder", "another --output")),
    # conflicts
    ("record a file", good("--record", "take"), ("--record take", "live", "good.wav", "--output")),
    ("device for a file", good("--output-device", "USB"), ("--output-device USB", "live", "leave out")),
    ("block size for a file", good("--blocksize", 64), ("--blocksize 64", "live", "leave out")),
    ("sample rate for a file", good("--samplerate", 48000), ("--samplerate 48000", "live", "leave out")),
    ("outputs for a file", good("--output-channels", "1,2"), ("--output-channels 1,2", "live", "leave out")),
    ("pre-roll of nothing", plain("--input", "mic", "--pre-roll"), ("--pre-roll", "--record")),
    (
        "record format",
        plain("--input", "mic", "--record", "takes", "--record-format", "mp3"),
        ("--record-format", "mp3", "wav", "flac"),
    ),
    (
        "folder for a microphone",
        plain("--input", "mic", "--output", "s"),
        ("--output s", "'mic'", "--record"),
    ),
    (
        "latency of a microphone",
        plain("--input", "mic", "--keep-latency"),
        ("--keep-latency", "'mic'", "leave it out"),
    ),
    ("raw microphone", plain("--input", "mic", "--raw", "f32le:48000:1"), ("--raw", "mic", "--input -")),
    ("unknown device", plain("--input", "No Such Mic"), ("input device",)),
    ("device index not there", plain("--input", 9999), ("device",)),
    ("live block of 0", plain("--input", "mic", "--blocksize", 0), ("--blocksize 0", "1..", "leave")),
    (
        "live rate as a word",
        plain("--input", "mic", "--samplerate", "48k"),
        ("'48k'", "whole number", "leave"),
    ),
]
