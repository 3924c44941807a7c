"""Plans on disk: what a network becomes for one device, kept with all that it depends on.

A file is one line of JSON (everything the plan was made for, and the SHA-256 of what follows) and the
plan. What does not agree in every word, or was damaged, counts as not there: it is built again, never
trusted.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from rtsep.models.cache_folder import cache_folder

FORMAT = "rtsep-plan/3"


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on.

    Attributes:
        network_sha256: of the ONNX file.
        backend: "openvino", ...
        device: name of the processor or GPU, with what it can do.
        driver: its version, "" where there is none.
        runtime: name and version of what runs the plan.
        precision: "fp32" or "fp16".
        builder: what made the plan of the network, "" where there is only one way.
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
        return hashlib.sha256(self._text()).hexdigest()[:32] + ".plan"

    def _text(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


class PlanCache:
    """A folder of plans.

    Args:
        folder: made when the first plan is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: PlanKey) -> bytes | None:
        """The plan made for exactly this key; None where there is none, or none that is whole."""
        try:
            header, _, plan = (self.folder / key.file_name()).read_bytes().partition(b"\n")
        except OSError:
            return None
        return plan if header == _header(key, plan) else None

    def put(self, key: PlanKey, plan: bytes) -> Path:
        """Keeps a plan; the file is whole or not there.

        Raises:
            OSError: the folder cannot be written, or the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / key.file_name()
        part = file.with_suffix(f".part-{os.getpid()}")
        try:
            part.write_bytes(_header(key, plan) + b"\n" + plan)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        return file


def default_folder() -> Path:
    """Where plans are kept between runs."""
    return cache_folder("plans")


def _header(key: PlanKey, plan: bytes) -> bytes:
    facts = {"format": FORMAT, "sha256": hashlib.sha256(plan).hexdigest(), **asdict(key)}
    return json.dumps(facts, sort_keys=True).encode()
