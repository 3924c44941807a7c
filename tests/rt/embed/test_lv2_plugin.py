"""The LV2 plugins in a host: ports, latency, an offline export, another preset, an engine that is killed."""

import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers.embedded import PluginHost

from rtsep.kernels.errors import RtsepError
from rtsep.rt.embed.built_files import PLUGIN, built_file
from rtsep.rt.embed.lv2_bundle import KINDS, PluginKind, install, symbol
from rtsep.rt.separator import Separator

RATE, UNKNOWN_BLOCK = 48000, 8192


def _built() -> bool:
    try:
        return built_file(PLUGIN).exists()
    except RtsepError:
        return False


pytestmark = pytest.mark.skipif(not _built(), reason="built without LV2's headers: apt install lv2-dev")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("lv2"))


def host(
    bundle: Path, kind: PluginKind, latency_ms: float, freewheel: float = 1.0, at_once: bool = False
) -> PluginHost:
    controls = [latency_ms, 1.0, freewheel, *[0.0] * len(kind.stems), -1.0, -1.0, -1.0]
    outputs = len(kind.stems) * kind.channels
    return PluginHost(bundle, kind.uri, RATE, kind.channels, outputs, controls, at_once=at_once)


def duet() -> PluginKind:
    return KINDS[0]


def chord(seconds: float, channels: int = 1) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    tone = sum(0.05 / k * np.sin(2 * np.pi * k * f * t) for f in (220.0, 330.0) for k in range(1, 8))
    return np.tile(tone, (channels, 1)).astype(np.float32)


def stems_of(sound: np.ndarray, latency_ms: int) -> tuple[np.ndarray, int]:
    separator = Separator.load(voices=2, samplerate=RATE, latency_ms=latency_ms)
    return separator.process(sound[0])[..., 0], separator.latency_samples


@pytest.mark.parametrize("kind", KINDS, ids=[kind.uri.split(":")[-1] for kind in KINDS])
def test_every_plugin_has_the_stems_of_its_model(bundle: Path, kind: PluginKind) -> None:
    plugin = host(bundle, kind, 43.0)
    try:
        plugin.run(chord(0.01, kind.channels))
        latency, engine, _ = plugin.controls[-3:]
        assert engine == 1  # an engine runs, with as many stems as the plugin has
        assert latency == 2048 + UNKNOWN_BLOCK - 1
    finally:
        plugin.close()


def test_an_offline_export_is_the_file_sample_for_sample(bundle: Path) -> None:
    plugin = host(bundle, duet(), 11.0)
    sound, played, at = chord(0.6), [], 0
    rng = np.random.default_rng(0)
    try:
        while at < sound.shape[1]:
            frames = int(rng.integers(1, 700))
            played.append(plugin.run(sound[:, at : at + frames]))
            at += frames
        heard, latency = np.concatenate(played, axis=1), int(plugin.controls[-3])
        stems, own = stems_of(sound, 11)
        later = latency - own
        assert plugin.controls[-1] == 0  # late hops
        np.testing.assert_array_equal(heard[:, later:], stems[:, : sound.shape[1] - later])
    finally:
        plugin.close()


def usual(bundle: Path, freewheel: float) -> PluginHost:
    """A host as Ardour is one: blocks of up to 8192 frames, 1024 as a rule."""
    controls = [11.0, 1.0, freewheel, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0]
    blocks = {"minBlockLength": 1, "maxBlockLength": 8192, "nominalBlockLength": 1024}
    return PluginHost(bundle, duet().uri, RATE, 1, 3, controls, blocks)


def test_latency_is_that_of_the_usual_block_and_an_export_of_longer_ones_is_the_file(bundle: Path) -> None:
    plugin = usual(bundle, 1.0)
    sound = chord(0.6)
    try:
        pieces = (sound[:, :8192], sound[:, 8192:8200], sound[:, 8200:16392], sound[:, 16392:])
        heard = np.concatenate([plugin.run(piece) for piece in pieces], axis=1)
        later = int(plugin.controls[-3]) - 512
        assert later == 1023
        assert plugin.controls[-1] == 0  # late hops
        stems, _ = stems_of(sound, 11)
        np.testing.assert_array_equal(heard[:, later:], stems[:, : sound.shape[1] - later])
    finally:
        plugin.close()


def test_longer_blocks_than_the_usual_ones_get_an_engine_for_them(bundle: Path) -> None:
    plugin = usual(bundle, 0.0)
    try:
        for _ in range(3):
            plugin.run(chord(1024 / RATE))
        assert plugin.controls[-3] == 512 + 1023
        for frames in (2048, 2048, 1024, 1024):
            plugin.run(chord(frames / RATE))
        assert plugin.controls[-3] == 512 + 2047
        assert plugin.controls[-2] == 1  # an engine runs
        plugin.activate_again()
        plugin.run(chord(1024 / RATE))
        assert plugin.controls[-3] == 512 + 2047
    finally:
        plugin.close()


def test_another_preset_is_another_engine_without_a_click(bundle: Path) -> None:
    plugin = host(bundle, duet(), 11.0)
    sound = chord(0.8)
    try:
        played = []
        for number, at in enumerate(range(0, sound.shape[1], 480)):
            if number == 40:
                plugin.controls[0] = 5.0
            played.append(plugin.run(sound[:, at : at + 480]))
        assert plugin.controls[-3] == 256 + UNKNOWN_BLOCK - 1
        steps = np.abs(np.diff(np.concatenate(played, axis=1), axis=1)).max()
        assert steps < 2.0 * np.abs(np.diff(sound, axis=1)).max()
    finally:
        plugin.close()


def test_a_host_that_works_at_once_gets_one_preset_after_another(bundle: Path) -> None:
    """Its answer is there before the plugin's request has returned, as in an export of some hosts."""
    plugin = host(bundle, duet(), 43.0, at_once=True)
    try:
        for latency_ms, latency_samples in ((11.0, 512), (21.0, 1024), (5.0, 256)):
            plugin.controls[0] = latency_ms
            for _ in range(3):
                plugin.run(chord(0.01))
            assert plugin.controls[-3] == latency_samples + UNKNOWN_BLOCK - 1
    finally:
        plugin.close()


def test_a_gain_of_minus_60_db_is_off_and_bypass_is_the_mixture(bundle: Path) -> None:
    plugin = host(bundle, duet(), 11.0)
    try:
        plugin.controls[3] = -60.0
        sound = chord(0.5)
        heard = np.concatenate([plugin.run(part) for part in np.split(sound, 10, axis=1)], axis=1)
        assert not heard[0, -2400:].any()
        assert heard[1, -2400:].any()
        plugin.controls[1] = 0.0  # not enabled
        heard = np.concatenate([plugin.run(part) for part in np.split(sound, 10, axis=1)], axis=1)
        latency = int(plugin.controls[-3])
        assert not heard[:2, -2400:].any()
        np.testing.assert_allclose(heard[2, -2400:], sound[0, -2400 - latency : -latency], atol=1e-6)
    finally:
        plugin.close()


def test_an_engine_killed_under_the_host_leaves_the_mixture(bundle: Path) -> None:
    plugin = host(bundle, duet(), 11.0, freewheel=0.0)
    sound = chord(0.5)
    try:
        played = []
        for number, part in enumerate(np.split(sound, 50, axis=1)):
            if number == 20:
                (engine,) = [p for p in psutil.Process().children() if "hop_server" in " ".join(p.cmdline())]
                engine.send_signal(signal.SIGKILL)
            played.append(plugin.run(part))
        heard, latency = np.concatenate(played, axis=1), int(plugin.controls[-3])
        np.testing.assert_allclose(heard.sum(0)[latency:], sound[0, : len(sound[0]) - latency], atol=1e-6)
    finally:
        plugin.close()


def test_turtle_names_every_port_once(bundle: Path) -> None:
    text = (bundle / "rtsep.ttl").read_text()
    for kind in KINDS:
        part = text.split(f"<{kind.uri}>\n")[1].split("\n<")[0]
        ports = part.count("lv2:index ")
        assert ports == kind.channels * (1 + len(kind.stems)) + 3 + len(kind.stems) + 3
        for stem in kind.stems:
            assert part.count(f'"{symbol(stem)}_gain"') == 1


@pytest.mark.skipif(
    shutil.which("sord_validate") is None, reason="needs sord_validate: apt install sordi lv2-dev"
)
def test_turtle_is_valid(bundle: Path) -> None:
    schemas = [str(file) for file in Path("/usr/lib/lv2").glob("*.lv2/*.ttl")]
    if not schemas:
        pytest.skip("needs LV2's schemas: apt install lv2-dev")
    files = [str(bundle / name) for name in ("manifest.ttl", "rtsep.ttl")]
    told = subprocess.run(["sord_validate", *schemas, *files], capture_output=True, text=True, check=False)
    assert "rtsep" not in told.stdout + told.stderr
    assert told.returncode == 0 or "0 errors" in told.stdout + told.stderr


def test_somebody_elses_bundle_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "rtsep.lv2" / "manifest.ttl"
    other.parent.mkdir()
    other.write_text("# mine\n")
    with pytest.raises(RtsepError, match="is not rtsep's"):
        install(tmp_path)
    assert other.read_text() == "# mine\n"
