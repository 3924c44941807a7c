"""The plugin in a real host on an audio server: the samples of a file, at the latency the graph is told."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.lateness import attempts
from helpers.plugin_hosts import offer_plugin, two_tones
from numpy.typing import NDArray

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.embed.lv2_bundle import KINDS
from rtsep.rt.separator import Separator

pytestmark = [
    pytest.mark.jack,
    pytest.mark.skipif(shutil.which("jalv") is None, reason="needs the LV2 host jalv: apt install jalv"),
]

CLIENT = "rtsep-in-jalv"
RATE, PERIOD, LATENCY = 48000, 128, 512
FIRST = 8 * 256  # frames by which one beginning is told from another
F32 = NDArray[np.float32]


def separator() -> Separator:
    return Separator.load(voices=2, samplerate=RATE, latency_ms=11)


def file_stems(sound: F32, heard: F32, longest_silence_s: float) -> F32 | None:
    """What a file gives that begins with as much silence as the plugin heard before the sound, which nobody
    knows: the one whose first frames are those heard; None where no silence of whole periods gives them.
    """
    for phase in range(0, 256, PERIOD):
        silent, trial = separator(), separator()
        silent.process(np.zeros(phase, np.float32))
        for _ in range(round(longest_silence_s * RATE / 256)):
            trial.load_state_dict(silent.state_dict())
            if np.array_equal(trial.process(sound[:FIRST])[..., 0], heard[:, :FIRST]):
                return np.concatenate([heard[:, :FIRST], trial.process(sound[FIRST:])[..., 0]], axis=1)
            silent.process(np.zeros(256, np.float32))
    return None


def late_frames(sound: F32, heard: F32) -> int:
    """Where the residual alone was heard, and a file has voices: there the mixture stood in."""
    voices = separator().process(sound)[:-1, :, 0].any(axis=0)
    return int(np.count_nonzero(voices & ~heard[:-1].any(axis=0)))


@contextlib.contextmanager
def jalv() -> Iterator[float]:
    """The time at which it was started."""
    command = ["jalv", "-i", "-x", "-n", CLIENT, "-c", "latency_ms=11", KINDS[0].uri]
    host = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield time.monotonic()
    finally:
        host.terminate()
        host.wait()


def test_jalv_plays_the_samples_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_plugin(tmp_path, monkeypatch)
    sound, wrong = two_tones(RATE, RATE // 2), 0
    with JackServer(samplerate=RATE, period=PERIOD):
        for attempt in attempts(8):
            with jalv() as started, Rig(3, 4.0, CLIENT) as rig:
                rig.connect(30.0)
                silence_s = time.monotonic() - started + 1.5
                rig.wait(RATE // 2)  # the plugin's engine starts
                attempt.watch_graph(rig)
                rig.play(sound, settle_s=0.0)
                told = subprocess.run(["jack_lsp", "-l", CLIENT], capture_output=True, text=True, check=True)
            begun = attempt.judge_graph(rig, sound[1:]) - 1  # the first sample of a sine is 0
            heard = rig.recording[begun : begun + len(sound), 1:].T
            if attempt.disturbances:
                continue
            np.testing.assert_allclose(heard.sum(axis=0)[LATENCY:], sound[:-LATENCY], atol=1e-5)
            assert told.stdout.count(f"[ {LATENCY} {LATENCY} ]") == 4  # the input, two voices, the residual
            if late := late_frames(sound, heard):
                attempt.disturbances.append(f"{late} frames in which the mixture stood in")
                continue
            stems = file_stems(sound, heard, silence_s)
            if stems is None or not np.array_equal(heard, stems):
                wrong += (
                    1  # perhaps a hop was skipped before the first that has voices, which leaves no trace
                )
                assert wrong < 3, "not the samples of a file, and nothing disturbed them"
                attempt.disturbances.append("not the samples of a file")
