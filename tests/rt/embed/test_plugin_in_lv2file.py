"""The plugin in lv2file, which runs a file through it: the samples of the file mode, and as late."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.plugin_hosts import offer_plugin, two_tones

from rtsep.rt.embed.lv2_bundle import KINDS
from rtsep.rt.separator import Separator

pytestmark = pytest.mark.skipif(
    shutil.which("lv2file") is None, reason="needs the LV2 host lv2file: apt install lv2file"
)

RATE, BLOCK, LATENCY_MS = 48000, 1000, 43  # the preset that a plugin begins with: lv2file offers no worker


def test_a_file_through_the_plugin_is_the_file_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lv2file also gives a feature without a name, at which the plugin once ended the host."""
    offer_plugin(tmp_path, monkeypatch)
    sound = two_tones(RATE, RATE)
    given, written = tmp_path / "mixture.wav", tmp_path / "stems.wav"
    soundfile.write(given, sound, RATE, "FLOAT")
    command = ["lv2file", "-b", str(BLOCK), "-p", "freewheel:1", "-i", str(given), "-o", str(written)]
    done = subprocess.run([*command, KINDS[0].uri], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    heard = soundfile.read(written, dtype="float32")[0].T
    assert heard.shape == (3, len(sound))
    separator = Separator.load(voices=2, samplerate=RATE, latency_ms=LATENCY_MS)
    stems = separator.process(sound)[..., 0]
    later = BLOCK - 1
    np.testing.assert_array_equal(heard[:, :later], 0.0)
    np.testing.assert_array_equal(heard[:, later:], stems[:, : len(sound) - later])
