"""Engines on disk: what a network becomes for one device, kept with all that it depends on.

A file is one line of JSON (everything the engine was made for, and the SHA-256 of what follows) and the
engine. What does not agree in every word, or was damaged, counts as not there: it is built again, never
trusted.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = "rtsep-engine/2"


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on.

    Attributes:
        network_sha256: of the ONNX file.
        backend: "openvino", ...
        device: name of the processor or GPU, with what it can do.
        driver: its version, "" where there is none.
        runtime: name and version of what runs the engine.
        precision: "fp32" or "fp16".
        builder: what made the engine of the network, "" where there is only one way.
        shape: of the step; all of today's are one hop of one stream.
    """

    network_sha256: str
    backend: str
    device: str
    driver: str
    runtime: str
    precision: str
    builder: str = ""
    shape: str = "1 hop x 1 stream"

    def file_name(self) -> str:
        """One name per key."""
        return hashlib.sha256(self._text()).hexdigest()[:32] + ".engine"

    def _text(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


class EngineCache:
    """A folder of engines.

    Args:
        folder: made when the first engine is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: EngineKey) -> bytes | None:
        """The engine made for exactly this key; None where there is none, or none that is whole."""
        try:
            header, _, engine = (self.folder / key.file_name()).read_bytes().partition(b"\n")
        except OSError:
            return None
        return engine if header == _header(key, engine) else None

    def put(self, key: EngineKey, engine: bytes) -> Path:
        """Keeps an engine; the file is whole or not there.

        Raises:
            OSError: the folder cannot be written, or the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / key.file_name()
        part = file.with_suffix(f".part-{os.getpid()}")
        try:
            part.write_bytes(_header(key, engine) + b"\n" + engine)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        return file


def default_folder() -> Path:
    """Where engines are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rtsep" / "engines"


def _header(key: EngineKey, engine: bytes) -> bytes:
    facts = {"format": FORMAT, "sha256": hashlib.sha256(engine).hexdigest(), **asdict(key)}
    return json.dumps(facts, sort_keys=True).encode()
