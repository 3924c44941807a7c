"""What a user may hand over, damaged at random: a good run, or one line and exit code 2; never a traceback.

Always the same examples, so that a change is judged by itself; RTSEP_FUZZ_EXAMPLES=N draws N new ones.
"""

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.models.registry import shipped_models
from rtsep.rt.cli.main import run

WANTED = os.environ.get("RTSEP_FUZZ_EXAMPLES")
fuzzed = settings(max_examples=int(WANTED or 60), derandomize=WANTED is None, deadline=None, database=None)

RATE = 16000
TONE = (0.1 * np.sin(2 * np.pi * 220 * np.arange(RATE // 10) / RATE)).astype(np.float32)
RUN = ("--voices", "1", "--model", "choir-comb", "--latency", "43")
# Numbers at which sizes wrap, signs turn and shifts overflow.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)


def ends_well(*arguments: str) -> int:
    """Runs the command line in this process.

    Returns:
        The exit code: 0, or 2 with the one line that an error is.
    """
    told, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(errors):
        code = run(list(arguments))
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("rtsep: error:")]
    assert code in (0, 2), (code, errors.getvalue())
    assert len(lines) == (code == 2), errors.getvalue()
    return code


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """One for every example: what one leaves behind, the next must not meet."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def audio_file(path: Path, subtype: str, channels: int = 1) -> Path:
    soundfile.write(path, np.tile(TONE[:, None], channels), RATE, subtype)
    return path


def base_files() -> dict[str, bytes]:
    """Small files of every header that a recorder writes."""
    files = {}
    with folder() as made:
        for name, subtype in (("pcm16.wav", "PCM_16"), ("float.wav", "FLOAT"), ("pcm24.wav", "PCM_24")):
            files[name] = audio_file(made / name, subtype).read_bytes()
        soundfile.write(made / "x.wav", np.tile(TONE[:, None], 3), RATE, "PCM_16", format="WAVEX")
        files["extensible.wav"] = (made / "x.wav").read_bytes()
        soundfile.write(made / "y.wav", TONE, RATE, "PCM_16", format="RF64")
        files["rf64.wav"] = (made / "y.wav").read_bytes()
        files["a.flac"] = audio_file(made / "a.flac", "PCM_16").read_bytes()
    return files


BASE = base_files()
HEADER_BYTES = 96
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), st.integers(0, HEADER_BYTES), st.integers(0, 255)),
        st.tuples(st.just("word"), st.integers(0, HEADER_BYTES), st.sampled_from(EDGES)),
        st.tuples(st.just("half"), st.integers(0, HEADER_BYTES), st.sampled_from(EDGES)),
        st.tuples(st.just("cut"), st.integers(0, 4000), st.just(0)),
        st.tuples(st.just("drop"), st.integers(0, HEADER_BYTES), st.integers(1, 12)),
        st.tuples(st.just("twice"), st.integers(0, HEADER_BYTES), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=4,
)


def edited(content: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(content)
    for kind, place, value in edits:
        if kind == "byte" and place < len(data):
            data[place] = value
        elif kind in ("word", "half"):
            width = 4 if kind == "word" else 2
            data[place : place + width] = (value % 256**width).to_bytes(width, "little")
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + value]
        elif kind == "twice":
            data[place:place] = data[place : place + value]
    return bytes(data)


@fuzzed
@given(name=st.sampled_from(sorted(BASE)), edits=EDITS)
def test_headers_of_files(name: str, edits: list[tuple[str, int, int]]) -> None:
    with folder() as here:
        (here / name).write_bytes(edited(BASE[name], edits))
        ends_well("--input", str(here / name), "--output", str(here / "stems"), *RUN)


@contextlib.contextmanager
def standard_input(content: bytes) -> Iterator[None]:
    """A pipe that holds `content` and ends."""
    reading, writing = os.pipe()
    os.write(writing, content)  # fits: a pipe holds 64 KiB
    os.close(writing)
    kept = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@fuzzed
@given(name=st.sampled_from([name for name in sorted(BASE) if name.endswith(".wav")]), edits=EDITS)
def test_headers_of_pipes(name: str, edits: list[tuple[str, int, int]]) -> None:
    with folder() as here, standard_input(edited(BASE[name], edits)):
        ends_well("--input", "-", "--output", str(here / "stems"), *RUN)


RAW_PARTS = st.sampled_from(["99999999999", " ", ":", "\u0661", "\x1b[31m", "9" * 400]) | st.sampled_from(
    [
        "s16le",
        "s24le",
        "f32le",
        "f64le",
        "F32LE",
        "u8",
        "16000",
        "48000",
        "1",
        "2",
        "0",
        "-1",
        "1e3",
        "nan",
        "",
    ]
)


@fuzzed
@given(
    form=st.one_of(
        st.lists(RAW_PARTS, max_size=4).map(":".join),
        st.builds(
            "{}:16000:{}".format, st.sampled_from(["s16le", "s24le", "f32le", "f64le"]), st.integers(1, 3)
        ),
    ),
    content=st.one_of(
        st.binary(max_size=200), st.binary(min_size=1, max_size=12).map(lambda part: part * 900)
    ),
)
def test_raw_pipes(form: str, content: bytes) -> None:
    with folder() as here, standard_input(content):
        ends_well("--input", "-", "--raw", form, "--output", str(here / "stems"), *RUN)


CELLS = st.one_of(
    st.sampled_from(
        ["0", "0.0", "220", "440.5", "nan", "inf", "-inf", "-1", "1e400", "1e-400", "69", "0x10"]
    ),
    st.sampled_from(["1_0", "time_s", "#", "1,5", "0.005", "0.01"]),
    st.sampled_from(["", '"220"', '"', "\u0664\u0664\u0660", "\x00", "\x1b[2J", "\ufeff", "9" * 5000]),
    st.floats().map(repr),
)
ROWS = st.lists(st.lists(CELLS, max_size=4), max_size=6)


@fuzzed
@given(
    rows=ROWS,
    separator=st.sampled_from([",", ";", "\t", " "]),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\u2028"]),
    tail=st.one_of(st.just(b""), st.binary(max_size=8)),
)
def test_pitches_from_text(rows: list[list[str]], separator: str, newline: str, tail: bytes) -> None:
    with folder() as here:
        text = newline.join(separator.join(row) for row in rows)
        (here / "f0.csv").write_bytes(text.encode() + tail)
        audio_file(here / "tone.wav", "PCM_16")
        pitches = ("--f0", str(here / "f0.csv"))
        ends_well("--input", str(here / "tone.wav"), *pitches, "--output", str(here / "stems"), *RUN)


def paths_of(value: object, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    if prefix:
        yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_of(inner, (*prefix, key))


CARDS = {
    name: json.loads(json.dumps(asdict(shipped_models()[name].card))) for name in ("choir", "choir-comb")
}
ODD_TEXTS = ["", "../x", "choir", "voice-1", "/etc/passwd", "\x1b[0m", "\x00", "\ud800", "a" * 3000]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 10**30), st.integers(0, 96000), st.floats(),
    st.sampled_from(ODD_TEXTS),
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "role", "stems", "config"]), inner, max_size=2),
    ),
    max_leaves=4,
)


@fuzzed
@given(name=st.sampled_from(sorted(CARDS)), data=st.data())
def test_cards_of_models(name: str, data: st.DataObject) -> None:
    card = json.loads(json.dumps(CARDS[name]))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(paths_of(card))))
        holder = card
        for key in place[:-1]:
            holder = holder[key]
        if data.draw(st.booleans()):
            holder[place[-1]] = data.draw(ANYTHING)
        else:
            del holder[place[-1]]
    judge(json.dumps(card).encode())


@fuzzed
@given(
    content=st.one_of(
        st.binary(max_size=40),
        st.builds(
            lambda n, part: part * n, st.integers(1, 30000), st.sampled_from([b"[", b'{"a":', b"1", b"["])
        ),
        EDITS.map(lambda edits: edited(json.dumps(CARDS["choir-comb"]).encode(), edits)),
    )
)
def test_cards_that_are_no_json(content: bytes) -> None:
    judge(content)


def judge(card: bytes) -> None:
    """A folder with this card, listed and run."""
    with folder() as here:
        (here / "model").mkdir()
        (here / "model" / "card.json").write_bytes(card)
        audio_file(here / "tone.wav", "PCM_16")
        ends_well("models", str(here / "model"))
        model = ("--model", str(here / "model"), "--voices", "1", "--latency", "43")
        ends_well("--input", str(here / "tone.wav"), "--output", str(here / "stems"), *model)
