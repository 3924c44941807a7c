"""Versions, extras and models."""

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess

from rtsep.kernels.errors import RtsepError
from rtsep.models.registry import shipped_models
from rtsep.rt.doctor.finding import Finding

PACKAGES = ("rtsep", "numpy", "onnxruntime", "soundfile", "sounddevice")
# What each extra is for, and a module by which it is known.
EXTRAS = {
    "stage": ("aiohttp", "the page (--web), MIDI and rtsep mixer"),
    "score": ("partitura", "--score"),
    "openvino": ("openvino", "--backend openvino"),
    "train": ("torch", "rtsep adapt and training"),
}
NVIDIA_TIMEOUT_S = 10.0


def look_at_software() -> list[Finding]:
    """Findings about Python, packages, models and the GPU."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    found = [Finding("versions", "ok", f"python {platform.python_version()}, {versions}")]
    for extra, (module, use) in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            found.append(
                Finding(f"extra {extra}", "note", f"not installed: {use}", f"pip install 'rtsep[{extra}]'")
            )
    return [*found, *_models(), _gpu()]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _models() -> list[Finding]:
    try:
        models = shipped_models()
    except RtsepError as error:
        return [Finding("models", "fault", error.problem, error.remedy)]
    broken = []
    for name, model in models.items():
        try:
            for network in model.card.networks:
                model.read(network.onnx)
        except RtsepError as error:
            broken.append(Finding(f"model {name}", "fault", error.problem, error.remedy))
    return broken or [Finding("models", "ok", f"{', '.join(models)}: complete")]


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(
            "GPU", "note", "no NVIDIA GPU: the processor separates, one core is enough for one choir"
        )
    try:
        asked = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=NVIDIA_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("GPU", "warning", f"nvidia-smi fails ({error})", "install the driver again")
    name = told.stdout.strip().replace("\n", "; ")
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", "note", f"{name}, not used", "pip install 'rtsep[cuda]' for --backend cuda")
    return Finding("GPU", "ok", name)
