"""A small band model of random weights: networks, and the folders that a user would bring.

Graphs are written node by node: exporting them from torch would take seconds each.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtsep.models.band.features import BANDS
from rtsep.models.registry import CARD_FILE, CARD_FOLDER

CODE, SKIP, PRESETS = 24, 32, 4
STEMS = ("vocals", "drums", "bass", "other")


class Graph:
    """Nodes, constants and ports of one hop at batch 1."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        name = to or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return self.node("Gemm", x, self.constant(weight), self.constant(bias))

    def content(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        given, found = (
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
                for name, size in ports.items()
            ]
            for ports in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "hop", given, found, self.constants)
        opset = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def _weights(rng: np.random.Generator, inputs: int, outputs: int, gain: float = 1.0) -> tuple[Any, Any]:
    return gain * rng.standard_normal((inputs, outputs)) / inputs**0.5, 0.3 * rng.standard_normal(outputs)


@cache
def onnx_of(kind: str, seed: int = 0) -> bytes:
    """Content of the ONNX file of an "encoder", a "decoder", a "decoder-with-memory", or an "open-decoder",
    whose gains are 1."""
    rng = np.random.default_rng(seed)
    if kind == "encoder":
        return _encoder(rng)
    return _decoder(rng, memory=kind == "decoder-with-memory", opened=kind == "open-decoder")


def _encoder(rng: np.random.Generator) -> bytes:
    """Bands, their difference to the hop before and a slow level -> a code with memory, and a skip."""
    g = Graph()
    mean = g.node("ReduceMean", "bands", keepdims=1, noop_with_empty_axes=0)
    mean = g.node("Reshape", mean, _shape(g, (1, 1)))
    new_part = g.node("Mul", mean, g.constant(0.02))
    level = g.node("Add", g.node("Mul", "level", g.constant(0.98)), new_part, to="next.level")
    raised = g.node("Mul", g.node("Sub", "bands", level), g.constant(0.25))
    change = g.node("Sub", "bands", "before")
    seen = g.node("Concat", raised, change, "preset", axis=1)
    g.node("Tanh", g.linear(seen, *_weights(rng, 2 * BANDS + PRESETS, SKIP)), to="skip1")
    both = g.node("Concat", "skip1", "h", axis=1)
    keep = g.node("Sigmoid", g.linear(both, *_weights(rng, SKIP + CODE, CODE)))
    new = g.node("Tanh", g.linear(both, *_weights(rng, SKIP + CODE, CODE, 3.0)))
    step = g.node("Mul", g.node("Sub", g.constant(1.0), keep), new)
    g.node("Add", g.node("Mul", keep, "h"), step, to="next.h")
    g.node("Identity", "next.h", to="code")
    g.node("Identity", "bands", to="next.before")
    states = {"before": BANDS, "level": 1, "h": CODE}
    return g.content(
        {"bands": BANDS, "preset": PRESETS} | states,
        {"code": CODE, "skip1": SKIP} | {f"next.{name}": size for name, size in states.items()},
    )


def _shape(g: Graph, shape: tuple[int, ...]) -> str:
    name = f"shape{len(g.constants)}"
    g.constants.append(numpy_helper.from_array(np.asarray(shape, np.int64), name))
    return name


def _decoder(rng: np.random.Generator, memory: bool, opened: bool) -> bytes:
    """Code and skip -> gains that move; with memory through a slow average of its own."""
    g = Graph()
    both = g.node("Concat", "code", "skip1", axis=1)
    weight, bias = _weights(rng, CODE + SKIP, BANDS, 3.0)
    x = g.linear(both, 0 * weight, 0 * bias + 40) if opened else g.linear(both, weight, bias)
    states = {"slow": BANDS} if memory else {}
    if memory:
        new_part = g.node("Mul", x, g.constant(0.2))
        x = g.node("Add", g.node("Mul", "slow", g.constant(0.8)), new_part, to="next.slow")
    g.node("Sigmoid", x, to="gain")
    return g.content(
        {"code": CODE, "skip1": SKIP} | states,
        {"gain": BANDS} | {f"next.{name}": size for name, size in states.items()},
    )


def _network(role: str, stem: str | None, name: str, content: bytes, folder: Path) -> dict[str, Any]:
    """The card's entry of a network whose files are written here."""
    weights = b"weights of " + name.encode()
    (folder / f"{name}.onnx").write_bytes(content)
    (folder / f"{name}.safetensors").write_bytes(weights)
    return {
        "role": role,
        "architecture": "band-net",
        "config": {},
        "latency_presets_ms": [5, 11, 21, 43],
        "onnx": f"{name}.onnx",
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
        "weights": f"{name}.safetensors",
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": 1000,
        "seed": 1,
        "recipe": "rtsep-train band --seed 1",
        "stem": stem,
    }


def _write_card(folder: Path, changes: dict[str, Any]) -> Path:
    card = json.loads((CARD_FOLDER / "choir.json").read_text())
    card |= {"name": folder.name, "family": "band", "comb": None, "parent_sha256": None} | changes
    (folder / CARD_FILE).write_text(json.dumps({k: v for k, v in card.items() if v != "absent"}))
    return folder


def write_band(
    folder: Path, stems: tuple[str, ...] = STEMS, seed: int = 0, opened: bool = False, **changes: Any
) -> Path:
    """A band model's folder; the second stem's decoder has a memory of its own. With `opened` every stem is
    the whole input."""
    folder.mkdir(exist_ok=True)
    networks = [_network("encoder", None, "encoder", onnx_of("encoder", seed), folder)]
    for number, stem in enumerate(stems):
        kind = "open-decoder" if opened else "decoder-with-memory" if number == 1 else "decoder"
        networks.append(_network("decoder", stem, f"decoder-{stem}", onnx_of(kind, 10 + number), folder))
    return _write_card(folder, {"stems": list(stems), "networks": networks} | changes)


def write_add_on(folder: Path, base: Path, stem: str = "guitar", **changes: Any) -> Path:
    """An add-on's folder: one decoder for the encoder of the model in `base`."""
    folder.mkdir(exist_ok=True)
    networks = [_network("decoder", stem, f"decoder-{stem}", onnx_of("decoder", 77), folder)]
    own = {
        "stems": [stem],
        "networks": networks,
        "base_sha256": hashlib.sha256((base / CARD_FILE).read_bytes()).hexdigest(),
        "encoder_sha256": hashlib.sha256((base / "encoder.onnx").read_bytes()).hexdigest(),
    }
    return _write_card(folder, own | changes)
