"""The README's numbers are those of the code."""

import re
from pathlib import Path
from types import SimpleNamespace

from click import Context

from rtsep.rt.cli.main import root
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.hop.channels import MAX_CHANNELS
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.separator import Separator

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_latency_table() -> None:
    header = re.search(r"^\| `--latency` \|(.*)\|$", README, re.MULTILINE)
    assert header
    presets = [int(cell) for cell in header[1].split("|")]
    assert presets == list(OVERLAP_AT_48K)
    rows = re.findall(r"^\| ([\d.]+) kHz \|(.*)\|$", README, re.MULTILINE)
    assert {"44.1", "48", "96"} <= {rate for rate, _ in rows}
    for rate_khz, cells in rows:
        rate = round(float(rate_khz) * 1000)
        for latency_ms, cell in zip(presets, cells.split("|"), strict=True):
            samples = Preset(rate, latency_ms).latency_samples
            assert cell.strip() == f"{samples} ({1000 * samples / rate:.2f} ms)"


def test_options_that_are_named_exist() -> None:
    commands = [root, *(root.get_command(Context(root), name) for name in root.list_commands(Context(root)))]
    params = [parameter for command in commands if command for parameter in command.params]
    known = {name for parameter in params for name in parameter.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README)) <= known


def test_channel_bound() -> None:
    assert f"up to {MAX_CHANNELS} channels" in README


def test_embedding_examples_run() -> None:
    import numpy as np

    one, live, many = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {"block": np.zeros(100, np.float32)}
    exec(one, names)
    stems = names["stems"]
    assert isinstance(stems, np.ndarray)
    assert stems.shape == (5, 100, 1)
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    layout, _ = lay_desk(Separator.load().stems, [[0]], [0, 1, 2, 3, 4], 5)
    control = Control(shared, mixer_parameters(layout))
    exec(live, {"session": SimpleNamespace(control=control, mark=str)})
    moved = {p.name for p in control.parameters if control.get(p.name) != p.default}
    assert moved == {"voice-1.gain", "voice-2.mute", "bypass"}
    hops, out = np.zeros((8, 256, 1), np.float32), np.full((8, 5, 256, 1), np.nan, np.float32)
    exec(many, {"hops": hops, "out": out, "joined": np.zeros(8, np.bool_)})
    assert not out.any()
