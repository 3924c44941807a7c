"""Scores from files: what is read, and how each that cannot be used is refused."""

import subprocess
import sys
from pathlib import Path

import mido
import pytest

from rtsep.kernels.errors import InputRefused, RtsepError
from rtsep.rt.audio.score_file import given_score, load_score

pytest.importorskip("partitura")

HEAD = '<?xml version="1.0"?><score-partwise version="3.1"><part-list>'
NOTE = "<note>{pitch}<duration>4</duration>{tie}<type>whole</type></note>"


def midi(path: Path, parts: dict[str, list[tuple[int, int, int]]], channel: int = 0) -> Path:
    """A file of parts of (start, end, MIDI number), in quarters at 120 to the minute."""
    file = mido.MidiFile(ticks_per_beat=480)
    for name, notes in parts.items():
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        events = sorted((480 * at, on, n) for a, b, n in notes for at, on in ((a, 1), (b, 0)))
        last = 0
        for at, on, n in events:
            track.append(mido.Message("note_on", note=n, velocity=64 * on, time=at - last, channel=channel))
            last = at
        file.tracks.append(track)
    file.save(path)
    return path


def test_parts_come_highest_first_under_safe_names(tmp_path: Path) -> None:
    parts = {"Bass": [(0, 2, 48)], "Sop/rano": [(0, 1, 72), (1, 2, 74)], "Bass ": [(1, 2, 50)]}
    score = load_score(midi(tmp_path / "a.mid", parts))
    assert score.parts == ("sop-rano", "bass", "bass-2")
    assert [(round(a, 3), round(b, 3), n) for a, b, n in score.notes[0]] == [(0, 0.5, 72), (0.5, 1, 74)]
    assert score.notes[1][0][0] == pytest.approx(0.5)
    assert score.bars[0] == 1


def test_musicxml_unfolds_repeats_and_joins_ties(tmp_path: Path) -> None:
    c, d = (f"<pitch><step>{step}</step><octave>5</octave></pitch>" for step in "CD")
    first = NOTE.format(pitch=c, tie='<tie type="start"/>')
    second = NOTE.format(pitch=c, tie='<tie type="stop"/>')
    time = "<time><beats>4</beats><beat-type>4</beat-type></time>"
    time = f"<attributes><divisions>1</divisions>{time}</attributes>"
    tempo = '<direction><direction-type><words>x</words></direction-type><sound tempo="60"/></direction>'
    again = '<barline location="right"><repeat direction="backward"/></barline>'
    bars = f'<measure number="1">{time}{tempo}{first}</measure><measure number="2">{second}{again}</measure>'
    last = f'<measure number="3">{NOTE.format(pitch=d, tie="")}</measure>'
    part = (
        f'<score-part id="P1"><part-name>Alto</part-name></score-part></part-list><part id="P1">{bars}{last}'
    )
    (tmp_path / "a.musicxml").write_text(f"{HEAD}{part}</part></score-partwise>")
    score = load_score(tmp_path / "a.musicxml")
    assert score.parts == ("alto",)
    assert [(round(a), round(b), n) for a, b, n in score.notes[0]] == [(0, 8, 72), (8, 16, 72), (16, 20, 74)]
    assert score.bar_and_beat(17.2) == (3, pytest.approx(2.2))


def test_divided_parts_are_told(tmp_path: Path) -> None:
    score = load_score(midi(tmp_path / "a.mid", {"Alto": [(0, 4, 60), (0, 4, 64)]}))
    assert "alto is divided" in score.remarks[0]


@pytest.mark.parametrize(
    ("parts", "channel", "words"),
    [
        ({f"P{i}": [(0, 1, 60 + i)] for i in range(5)}, 0, "has 5 parts"),
        ({"Drums": [(0, 1, 38)]}, 9, "percussion"),
        ({"Empty": []}, 0, "no notes"),
    ],
    ids=["five", "drums", "empty"],
)
def test_refused(
    tmp_path: Path, parts: dict[str, list[tuple[int, int, int]]], channel: int, words: str
) -> None:
    with pytest.raises(InputRefused, match=words):
        load_score(midi(tmp_path / "a.mid", parts, channel))


def test_broken_missing_and_other_files(tmp_path: Path) -> None:
    for name, content, words in (
        ("a.mid", b"MThd no", "cannot be read"),
        ("a.musicxml", b"<score", "cannot be read"),
        ("a.pdf", b"", "is not a score"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputRefused, match=words):
            load_score(tmp_path / name)
    with pytest.raises(InputRefused, match="is not there"):
        load_score(tmp_path / "b.mid")
    with pytest.raises(RtsepError, match="--transpose 2 is for --score"):
        given_score(None, 2.0)


def test_a_synthesiser_beside_the_reader_fetches_nothing(tmp_path: Path) -> None:
    """partitura loads a sound font from the network when it is imported and finds pyfluidsynth."""
    (tmp_path / "fluidsynth.py").write_text("class Synth: ...\n")
    file = midi(tmp_path / "a.mid", {"Alto": [(0, 2, 65)]})
    look = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('the network was asked')\n"
        "socket.gethostbyname = socket.getaddrinfo = refuse\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from rtsep.rt.audio.score_file import load_score\n"
        f"assert load_score({str(file)!r}).parts == ('alto',)\n"
        "import fluidsynth\n"
        "assert fluidsynth.Synth, 'others find it'\n"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
