"""Matrix products of a network in half precision, everything else in single.

Products are all that a GPU does faster in half precision. What surrounds them here is more than it can hold:
powers from -100 dBFS up (1e-10, below its smallest number), their logarithms, phases, sums over bands. With
their products in half, networks stay 60 dB and more from the truth.
"""

import onnx
from onnx import TensorProto, helper

PRODUCTS = frozenset({"MatMul", "Gemm", "Conv"})


def half_products(network: bytes) -> bytes:
    """The same hop with float16 products: inputs, outputs and states stay float32.

    Args:
        network: content of an ONNX file.
    """
    model = onnx.load_from_string(network)
    graph = model.graph
    nodes: list[onnx.NodeProto] = []
    halves: dict[str, str] = {}

    def half(name: str) -> str:
        """Of a value that several products may use."""
        if name not in halves:
            halves[name] = f"{name}.half"
            nodes.append(helper.make_node("Cast", [name], [halves[name]], to=TensorProto.FLOAT16))
        return halves[name]

    for node in graph.node:
        if node.op_type not in PRODUCTS:
            nodes.append(node)
            continue
        given = [half(name) if name else name for name in node.input]
        (found,) = node.output
        product = helper.make_node(node.op_type, given, [f"{found}.half"], name=node.name)
        product.attribute.extend(node.attribute)
        nodes += [product, helper.make_node("Cast", [f"{found}.half"], [found], to=TensorProto.FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # of types before
    onnx.checker.check_model(model)
    converted: bytes = model.SerializeToString(deterministic=True)
    return converted
