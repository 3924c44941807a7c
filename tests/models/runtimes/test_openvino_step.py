"""A network's hop on OpenVINO: the eager network over a minute of carried state, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_network import BANDS, TinyNetwork

pytest.importorskip("openvino", reason="OpenVINO is not installed (extra `openvino`)")

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.export import export_onnx, parity_error
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.models.runtimes.openvino_step import OpenVinoStep, compile_network

HOPS = round(60 * 48000 / 256)  # a minute at 11 ms


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("network") / "tiny.onnx"
    export_onnx(TinyNetwork(), path)
    return path.read_bytes()


def test_a_minute_of_carried_state_equals_the_eager_network(network: bytes) -> None:
    assert parity_error(TinyNetwork(), OpenVinoStep(network, "tiny"), HOPS) < 1e-4


def test_an_engine_is_the_network_and_resumes_where_onnx_runtime_was(network: bytes) -> None:
    plan = OpenVinoStep(compile_network(network, "tiny"), "tiny", compiled=True)
    other = OnnxStep(network)
    rng = np.random.default_rng(0)
    for hop in range(40):
        if hop == 21:
            plan.load_state_dict(other.state_dict())
        for name, array in other.inputs.items():
            array[...] = rng.normal(size=array.shape)
            plan.inputs[name][...] = array
        before = plan.state_dict()
        plan.run()
        other.run()
        np.testing.assert_allclose(plan.outputs["gain"], other.outputs["gain"], atol=1e-5)
        assert np.any(before["h"] != plan.state_dict()["h"])
    plan.reset()
    assert not any(array.any() for array in plan.state_dict().values())
    assert other.inputs["bands"].shape == (1, BANDS)


def test_what_is_no_network_is_one_line() -> None:
    for compiled in (False, True):
        with pytest.raises(RtsepError, match="tiny is no network that OpenVINO"):
            OpenVinoStep(b"no network", "tiny", compiled)
