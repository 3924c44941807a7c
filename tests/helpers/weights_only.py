"""Trained networks without their ONNX files, whose export takes seconds: for tests that look at weights."""

from pathlib import Path

import pytest
from torch import nn

from rtsep.training.files import model_files


def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on an ONNX file holds a word instead of a network."""

    def export(module: nn.Module, path: Path) -> None:
        path.write_bytes(b"not exported")

    monkeypatch.setattr(model_files, "export_onnx", export)
