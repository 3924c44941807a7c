"""The plugin in Ardour, without a screen: its latency there, and an export, sample for sample the file's."""

import os
import shutil
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.plugin_hosts import offer_plugin, two_tones
from numpy.typing import NDArray

from rtsep.models.mask_model import State
from rtsep.rt.separator import Separator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ardour7-lua") is None, reason="needs Ardour 7: apt install ardour"),
]

SCRIPT = Path(__file__).parents[3] / "examples" / "ardour_stems.lua"
RATE, HOP, LATENCY, BLOCK = 48000, 1024, 2048, 1024
TICKS = 282240000 // RATE  # of Ardour's clock in a sample
SILENCE = 12000  # before the sound: Ardour fades in where it begins to play
PATIENCE_S = 300
ATTEMPTS = 5  # Ardour 7.3's export frees something twice now and then, with no plugin in the session too
HOPS, STEP = (
    (20, 40, 70, 100, 150, 200, 300, 500, 1000, 2000),
    4,
)  # of silence, looked at first
LOOK = 5 * HOP  # frames in which one beginning is told from another
F32 = NDArray[np.float32]


def separator() -> Separator:
    return Separator.load(voices=2, samplerate=RATE, latency_ms=43)


def put_on_track(session: Path, sound: Path, frames: int) -> None:
    """What an import does: a source, a region on the track from the first sample on, the session's range."""
    state = session / f"{session.name}.ardour"
    tree = ET.parse(state)
    root = tree.getroot()
    number, length = int(root.get("id-counter", "0")), f"a{frames * TICKS}"
    shutil.copy(sound, session / "interchange" / session.name / "audiofiles")
    of_source = f'name="{sound.name}" type="audio" id="{number}" channel="0" gain="1" flags="" take-id=""'
    of_region = (
        f'name="mixture" type="audio" id="{number + 1}" source-0="{number}" master-source-0="{number}" '
        f'channels="1" start="a0" length="{length}@a0" scale-amplitude="1" opaque="1" first-edit="nothing" '
        'fade-in-active="0" fade-out-active="0" default-fade-in="0" default-fade-out="0" envelope-active="0"'
    )
    of_range = f'id="{number + 2}" name="session" start="a0" end="{length}" flags="IsSessionRange"'
    for place, tag, attributes in (
        ("Sources", "Source", of_source),
        ("Playlists/Playlist", "Region", of_region),
        ("Locations", "Location", of_range),
    ):
        parent = root.find(place)
        assert parent is not None
        parent.append(ET.fromstring(f"<{tag} {attributes}/>"))
    root.set("id-counter", str(number + 3))
    tree.write(state, encoding="UTF-8", xml_declaration=True)


def beginning(stream: Separator, state: State, more: int, sound: F32, heard: F32) -> float:
    """How far what is heard is from the file mode's, that many frames of silence after a state."""
    stream.load_state_dict(state)
    stream.process(np.zeros(more, np.float32))
    stems = stream.process(sound[:LOOK])[..., 0][:, LATENCY:]
    return float(np.abs(stems - heard[:, : stems.shape[1]]).max())


def silence_before(sound: F32, heard: F32) -> int | None:
    """How many frames of silence the plugin heard before the sound, which nobody knows: Ardour runs it before
    an export too. First where it comes nearest, by hops and by place within a hop, then all around.
    """
    stream, silent = separator(), separator()
    nearest = []
    for number, hops in enumerate(HOPS):
        silent.reset()
        silent.process(np.zeros(hops * HOP, np.float32))
        state = silent.state_dict()
        nearest += [(beginning(stream, state, q, sound, heard), number, q) for q in range(0, HOP, STEP)]
    _, number, near = min(nearest)
    first, last = HOPS[max(0, number - 1)], HOPS[min(len(HOPS) - 1, number + 1)]
    silent.reset()
    silent.process(np.zeros(first * HOP, np.float32))
    for hops in range(first, last + 1):
        state = silent.state_dict()
        for q in range(near - 3 * STEP, near + 3 * STEP + 1):
            if 0 <= q < HOP and beginning(stream, state, q, sound, heard) == 0.0:
                return hops * HOP + q
        silent.process(np.zeros(HOP, np.float32))
    return None


def test_an_export_of_ardour_is_the_file_sample_for_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_plugin(tmp_path, monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    session, stems_file, mixture = tmp_path / "duet", tmp_path / "stems.wav", tmp_path / "mixture.wav"
    made = subprocess.run(
        ["ardour7-lua", str(SCRIPT), str(session), "2"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=os.environ,
    )
    assert f"latency of the plugin: {LATENCY + BLOCK - 1} samples" in made.stdout, made.stderr
    sound = two_tones(2 * RATE, RATE)
    quiet = np.zeros(SILENCE, np.float32)
    given = np.concatenate([quiet, sound, quiet])
    soundfile.write(mixture, given, RATE, "FLOAT")
    put_on_track(session, mixture, len(given))
    export = ["ardour7-export", "-b", "float", "-o", str(stems_file), str(session), session.name]
    for _ in range(ATTEMPTS):
        done = subprocess.run(export, capture_output=True, timeout=PATIENCE_S)
        if done.returncode != -signal.SIGABRT:
            break
    assert done.returncode == 0, done.stderr
    heard = soundfile.read(stems_file, dtype="float32")[0].T
    assert heard.shape == (3, len(given))  # aligned: Ardour has taken the latency off
    np.testing.assert_allclose(heard.sum(axis=0), given, atol=1e-5)
    after = given[SILENCE:]
    silence = silence_before(after, heard[:, SILENCE:])
    assert silence is not None
    file = separator()
    file.process(np.zeros(silence, np.float32))
    expected = file.process(np.concatenate([after, np.zeros(LATENCY, np.float32)]))[..., 0][:, LATENCY:]
    np.testing.assert_array_equal(heard[:, SILENCE:], expected)
