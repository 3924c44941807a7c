"""A network's hop on ONNX Runtime: the eager network's numbers, state that moves, resume, refusals."""

import gc
import itertools
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from helpers.tiny_network import BANDS, HIDDEN, PAST, TinyNetwork

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.export import export_onnx, load_weights, parity_error, save_weights
from rtsep.models.runtimes.onnx_step import OnnxStep

HOP_S = 256 / 48000  # of the 11 ms preset


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "tiny.onnx"
    export_onnx(TinyNetwork(), path)
    return path


def feed(step: OnnxStep, hops: int, seed: int) -> np.ndarray:
    """Outputs [hops, 2] over noise."""
    rng = np.random.default_rng(seed)
    found = np.empty((hops, 2), np.float32)
    for row in found:
        step.inputs["bands"][...] = rng.normal(size=(1, BANDS))
        step.inputs["level"][...] = rng.uniform()
        step.run()
        row[...] = step.outputs["gain"][0]
    return found


def test_a_minute_of_carried_state_equals_the_eager_network(network_file: Path) -> None:
    assert parity_error(TinyNetwork(), OnnxStep(network_file), round(60 / HOP_S)) < 1e-4


def test_parity_sees_another_network(network_file: Path) -> None:
    assert parity_error(TinyNetwork(seed=1), OnnxStep(network_file), 50) > 1e-2


def test_a_hop_that_is_taken_back_never_was(network_file: Path) -> None:
    one, twin = OnnxStep(network_file), OnnxStep(network_file)
    feed(one, 5, seed=1), feed(twin, 5, seed=1)
    for _ in range(2):
        feed(one, 1, seed=2)
        one.take_back()
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, twin.state_dict()[name])
    np.testing.assert_array_equal(feed(one, 5, seed=3), feed(twin, 5, seed=3))


def test_the_state_moves_and_is_what_the_graph_says(network_file: Path) -> None:
    step = OnnxStep(network_file)
    assert {k: v.shape for k, v in step.state_dict().items()} == {
        "h": (1, HIDDEN),
        "past": (1, PAST, BANDS),
    }
    seen = []
    for hop in range(5):
        step.inputs["bands"][...] = hop + 1
        step.run()
        seen.append(step.state_dict())
    for before, after in itertools.pairwise(seen):
        assert np.any(before["h"] != after["h"])
    np.testing.assert_array_equal(seen[-1]["past"][0, :, 0], [3, 4, 5])


def test_a_new_step_is_as_after_a_reset(network_file: Path) -> None:
    step = OnnxStep(network_file)
    arrays = (*step.inputs.values(), *step.outputs.values(), *step.state_dict().values())
    assert not any(array.any() for array in arrays)
    first = feed(step, 5, seed=3)
    step.reset()
    np.testing.assert_array_equal(feed(step, 5, seed=3), first)


def test_reset_is_a_new_beginning(network_file: Path) -> None:
    step = OnnxStep(network_file)
    first = feed(step, 7, seed=3)  # odd: the buffers have changed roles
    assert np.any(feed(step, 7, seed=3) != first)
    step.reset()
    np.testing.assert_array_equal(feed(step, 7, seed=3), first)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_resume_is_exact(network_file: Path, after: int) -> None:
    whole = OnnxStep(network_file)
    feed(whole, after, seed=1)
    state = whole.state_dict()
    expected = feed(whole, 20, seed=2)
    other = OnnxStep(network_file)
    feed(other, 6, seed=5)
    other.load_state_dict(state)
    np.testing.assert_array_equal(feed(other, 20, seed=2), expected)


def test_a_copied_state_does_not_follow(network_file: Path) -> None:
    step = OnnxStep(network_file)
    state = step.state_dict()
    feed(step, 4, seed=1)
    assert not any(value.any() for value in state.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"past": None}, "needs"),
        ({"other": np.zeros(1, np.float32)}, "needs"),
        ({"h": np.zeros((1, HIDDEN + 1), np.float32)}, "shape"),
        ({"h": np.zeros((1, HIDDEN), np.float64)}, "float64"),
        ({"h": np.full((1, HIDDEN), np.nan, np.float32)}, "NaN"),
    ],
)
def test_a_foreign_state_is_refused_whole(network_file: Path, change: dict, words: str) -> None:
    step = OnnxStep(network_file)
    feed(step, 3, seed=1)
    before = step.state_dict()
    state = {k: v for k, v in (before | change).items() if v is not None}
    with pytest.raises(ValueError, match=words):
        step.load_state_dict(state)
    for name, value in step.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_memory_does_not_grow(network_file: Path) -> None:
    step = OnnxStep(network_file)
    process = psutil.Process()
    step.inputs["bands"][...] = 0.3
    for _ in range(2000):
        step.run()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(20000):
        step.run()
    assert process.memory_info().rss - before < 1 << 20  # one kilobyte lost per hop would be 20 MB


def test_the_file_holds_no_paths_of_the_machine_that_made_it(network_file: Path) -> None:
    content = network_file.read_bytes()
    assert str(Path(__file__).parent).encode() not in content
    assert b"stack_trace" not in content


def test_export_is_reproducible(network_file: Path, tmp_path: Path) -> None:
    export_onnx(TinyNetwork(), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == network_file.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no network", bytes(range(256)) * 8])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(RtsepError, match=r"broken\.onnx is no network .*; ") as caught:
        OnnxStep(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused(network_file: Path, tmp_path: Path) -> None:
    whole = network_file.read_bytes()
    for length in (len(whole) // 3, len(whole) - 1):
        (tmp_path / "cut.onnx").write_bytes(whole[:length])
        with pytest.raises(RtsepError, match=r"cut\.onnx"):
            OnnxStep(tmp_path / "cut.onnx")


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match=r"No such file.*install rtsep again"):
        OnnxStep(tmp_path / "none.onnx")


def test_weights_come_back(tmp_path: Path) -> None:
    save_weights(TinyNetwork(seed=1), tmp_path / "w.safetensors")
    other = TinyNetwork(seed=2)
    load_weights(other, tmp_path / "w.safetensors")
    for name, value in TinyNetwork(seed=1).state_dict().items():
        assert torch.equal(other.state_dict()[name], value)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(torch.nn.Linear(2, 2), path)
    network = TinyNetwork()
    with pytest.raises(RtsepError, match=r"bias is \[2\], the network needs nothing"):
        load_weights(network, path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RtsepError, match="cannot be read"):
        load_weights(network, path)
    with pytest.raises(RtsepError, match="cannot be read"):
        load_weights(network, tmp_path / "none")
