"""Items: the same everywhere, their parts sum to them, and what is silent is silent."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtsep.training.choir.render.dataset import RenderedChoir
from rtsep.training.choir.render.f0_labels import in_order, merged_voices
from rtsep.training.choir.render.item import ChoirItem, Materials, load_materials, render_item
from rtsep.training.choir.render.mix import _path, record
from rtsep.training.choir.render.room import draw_response
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voicebank import SAMPLERATE

SHORT = ChoirConfig(item_s=6.0, voices=(0.0, 0.0, 0.0, 1.0), tutti_item=0.5, silent_item=0.0)

PRINT_HASHES = """
import hashlib, sys
from pathlib import Path
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.item import load_materials, render_item
cache, *banks = map(Path, sys.argv[1:])
config = ChoirConfig(item_s=6.0, voices=(0.0, 0.0, 0.0, 1.0), tutti_item=0.5, silent_item=0.0)
materials = load_materials(tuple(banks), None, None, cache)
for index in (2, 0):
    item = render_item(config, materials, 5, index)
    content = item.stems.tobytes() + item.noise.tobytes() + item.f0_hz.tobytes()
    print(index, hashlib.sha256(content).hexdigest())
"""


@pytest.fixture(scope="module")
def materials(bank_folders: tuple[Path, ...], bank_cache: Path) -> Materials:
    return load_materials(bank_folders, None, None, bank_cache)


@pytest.fixture(scope="module")
def items(materials: Materials) -> list[ChoirItem]:
    choir = RenderedChoir(SHORT, materials, seed=5, items=4)
    return [choir[i] for i in range(len(choir))]


def test_shapes_and_sum(items: list[ChoirItem]) -> None:
    for item in items:
        frames = round(SHORT.item_s / 0.005)
        assert item.stems.shape == (4, 6 * SAMPLERATE)
        for labels in (item.f0_hz, item.merged, item.order, item.level_db):
            assert labels.shape == (4, frames)
        assert np.array_equal(item.mixture, item.stems.sum(axis=0) + item.noise)
        assert np.isfinite(item.stems).all()
        assert 0.0 < np.abs(item.mixture).max() <= 1.0
        assert np.abs(item.stems).max() <= 1.0


def test_the_same_item_in_another_process_and_order(
    bank_folders: tuple[Path, ...], bank_cache: Path, materials: Materials
) -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", PRINT_HASHES, str(bank_cache), *map(str, bank_folders)],
            capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert printed[0] == printed[1]
    assert len(set(printed[0].split())) == 4
    once = render_item(SHORT, materials, 5, 0)
    choir = RenderedChoir(SHORT, materials, seed=5, items=3)
    assert np.array_equal(choir[2].stems, render_item(SHORT, materials, 5, 2).stems)
    assert np.array_equal(choir[0].stems, once.stems)
    assert choir[0].facts == once.facts
    assert not np.array_equal(once.stems, render_item(SHORT, materials, 6, 0).stems)
    with pytest.raises(IndexError):
        choir[3]


def test_labels_agree_with_each_other_and_the_sound(items: list[ChoirItem]) -> None:
    voiced_db, silent_db = [], []
    for item in items:
        f0_hz = item.f0_hz.astype(np.float64)
        # the flags were made before the pitches were rounded to float32
        assert np.mean(item.merged != merged_voices(f0_hz)) < 1e-3
        assert (np.sort(item.order, axis=0) == np.arange(4)[:, None]).all()
        slots = in_order(f0_hz, item.order)
        for frame in range(0, slots.shape[1], 7):
            sounding = slots[:, frame][slots[:, frame] > 0]
            # highest first, but for touching voices within the hysteresis of a crossing
            assert (1200.0 * np.diff(np.log2(sounding)) <= 60.0 + 1e-6).all()
        voiced_db.append(item.level_db[item.voiced])
        silent_db.append(item.level_db[~item.voiced])
    assert np.median(np.concatenate(voiced_db)) > np.median(np.concatenate(silent_db)) + 15.0


def test_donors_are_named(items: list[ChoirItem]) -> None:
    for item in items:
        sung = {singer["donor"] for voice in item.facts["voices"] for singer in voice}
        assert {donor["name"] for donor in item.facts["donors"]} == sung
        low = [donor for donor in item.facts["donors"] if donor["name"] == "low"]
        assert all(donor["licence"] == "CC0" and donor["credit"] == "nobody" for donor in low)


def test_silent_items_are_silent(materials: Materials) -> None:
    config = ChoirConfig(item_s=3.0, silent_item=1.0, tutti_item=0.0, entries_item=0.0)
    for index in range(4):
        item = render_item(config, materials, 1, index)
        assert not item.stems.any()
        assert not item.voiced.any()
        assert not item.merged.any()
        assert all(voice == [] for voice in item.facts["voices"])


def test_other_rates_are_the_same_choir(materials: Materials) -> None:
    native, low = (
        render_item(ChoirConfig(item_s=3.0, silent_item=0.0, samplerate=rate), materials, 3, 1)
        for rate in (SAMPLERATE, 16000)
    )
    assert low.stems.shape[1] == 3 * 16000
    assert np.array_equal(native.f0_hz, low.f0_hz)
    # the same energy below 6 kHz, at the same times
    spectra = [np.fft.rfft(i.mixture.astype(np.float64))[: 3 * 6000] for i in (native, low)]
    gain = 24000 / 16000
    assert np.abs(spectra[0] - gain * spectra[1]).max() < 1e-3 * np.abs(spectra[0]).max()


def test_silenced_voices_add_nothing_and_nothing_sounds_too_early() -> None:
    dry = np.zeros((3, 2 * SAMPLERATE), np.float32)
    dry[0, 8000:9000] = 0.1 * np.random.default_rng(0).normal(size=1000)
    dry[2, 20000:20100] = 0.1
    rng = np.random.default_rng(1)
    rooms = (draw_response(rng),)
    for seed in range(10):
        recording = record(dry, rooms, ChoirConfig(), np.random.default_rng(seed))
        assert not recording.stems[1].any()
        assert not recording.stems[0, :8000].any()
        assert not recording.stems[2, :20000].any()
        assert recording.stems[0, 8000:9000].any()
        assert len(recording.facts["gains_db"]) == 3


def test_a_room_only_adds_what_comes_later() -> None:
    for seed in range(10):
        room = draw_response(np.random.default_rng(seed))
        assert np.sum(room.taps.astype(np.float64) ** 2) == pytest.approx(1.0, rel=1e-4)
        assert not room.taps[: round(0.0025 * SAMPLERATE)].any()
        halves = np.array_split(room.taps.astype(np.float64) ** 2, 2)
        assert halves[0].sum() > 3.0 * halves[1].sum()


def test_a_voice_leaks_late_and_faint_into_two_other_microphones() -> None:
    config = ChoirConfig()
    found = []
    for seed in range(100):
        path = _path(None, -10.0, config, np.random.default_rng(seed))
        assert path[0] == 1.0
        late = np.flatnonzero(path[1:]) + 1
        assert 1 <= late.size <= 8  # two copies of four taps each, which may meet
        level_db = 10 * np.log10(4 * np.sum(path[late].astype(np.float64) ** 2))
        found.append((late.min(), late.max() - 3, level_db))
    first, last, level_db = np.array(found).T
    assert first.min() >= round(0.002 * SAMPLERATE)
    assert last.max() <= round(0.02 * SAMPLERATE)
    assert np.ptp(first) > 0.005 * SAMPLERATE
    # each copy at -40 to -25 dB
    assert np.median(level_db) == pytest.approx(-29.0, abs=3.0)
    assert level_db.max() <= -25.0 + 6.1
