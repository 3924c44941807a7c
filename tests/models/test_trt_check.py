"""Every shipped network becomes one TensorRT engine: TensorRT-RTX builds them without a GPU."""

import pytest

from rtsep.models.registry import shipped_models

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed (extra `trt-check`)")

NETWORKS = [(model, network.onnx) for model in shipped_models().values() for network in model.card.networks]


@pytest.mark.parametrize(("model", "file"), NETWORKS, ids=[file for _, file in NETWORKS])
def test_every_network_becomes_one_engine(model, file: str) -> None:  # type: ignore[no-untyped-def]
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    read = parser.parse(model.read(file))
    assert read, [str(parser.get_error(i)) for i in range(parser.num_errors)]
    # a loop is what a recurrent layer becomes that is not written out
    kinds = {network.get_layer(i).type for i in range(network.num_layers)}
    assert not kinds & {trt.LayerType.RECURRENCE, trt.LayerType.TRIP_LIMIT, trt.LayerType.LOOP_OUTPUT}
    engine = builder.build_serialized_network(network, builder.create_builder_config())
    assert engine is not None
    assert engine.nbytes > 0
