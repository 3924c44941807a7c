"""Products in half precision: how far from the network that is, and that they are."""

import numpy as np
import onnx
import pytest

from rtsep.models.build import build_model
from rtsep.models.gpu.half_precision import PRODUCTS, half_products
from rtsep.models.registry import shipped_models
from rtsep.models.runtimes.compile import BOUNDS, ReferenceSteps, parity_error
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator

NETWORKS = [(model, network.onnx) for model in shipped_models().values() for network in model.card.networks]


@pytest.mark.parametrize(("model", "file"), NETWORKS, ids=[file for _, file in NETWORKS])
def test_products_and_nothing_else_are_halves(model, file: str) -> None:  # type: ignore[no-untyped-def]
    graph = onnx.shape_inference.infer_shapes(
        onnx.load_from_string(half_products(model.read(file))), strict_mode=True
    ).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    products = [node for node in graph.node if node.op_type in PRODUCTS]
    assert len(products) >= 5
    for node in products:
        assert {kinds[name] for name in (*node.input, *node.output)} == {onnx.TensorProto.FLOAT16}
    others = [node for node in graph.node if node.op_type not in {*PRODUCTS, "Cast"}]
    for node in others:
        assert onnx.TensorProto.FLOAT16 not in {kinds.get(name) for name in (*node.input, *node.output)}
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


@pytest.mark.parametrize("latency_ms", [11, 43])
def test_over_carried_state_they_stay_close(latency_ms: int) -> None:
    preset, reference = Preset(16000, latency_ms), ReferenceSteps()
    model = build_model("choir", voices=4, framing=preset.framing, f0=None, make_step=reference)
    Separator(model, preset, 1).process(synthetic_choir(16000, 5.0, voices=4))
    for name, network in reference.networks.items():
        error = parity_error(OnnxStep(half_products(network), name), reference.hops[name])
        assert 1e-4 < error < BOUNDS["fp16"]  # not whole floats in disguise
    assert len(reference.networks) == (2 if latency_ms == 43 else 1)
    assert np.isfinite(error)
