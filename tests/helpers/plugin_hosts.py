"""What the plugin is given in hosts that are programs of others."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.embed.built_files import PLUGIN, built_file
from rtsep.rt.embed.lv2_bundle import install


def offer_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts find it, installed in `folder`; the test is skipped where none is built."""
    try:
        built_file(PLUGIN)
    except RtsepError as error:
        pytest.skip(str(error))
    install(folder)
    monkeypatch.setenv("LV2_PATH", f"{folder}:/usr/lib/lv2")


def two_tones(samples: int, samplerate: int) -> NDArray[np.float32]:
    """float32 [samples]: 220 and 330 Hz with seven partials each, that begin with a sample of 0."""
    t = np.arange(samples) / samplerate
    tones = [0.05 / k * np.sin(2 * np.pi * k * f * t) for f in (220.0, 330.0) for k in range(1, 8)]
    return np.sum(tones, axis=0).astype(np.float32)
