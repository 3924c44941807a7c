"""A GPU where there is one, else the processor: `python examples/gpu_or_processor.py`.

The reason why a GPU cannot be had is told before any sound: no driver, no torch, a wrong result of its check.
"""

from rtsep import GpuMissing, Separator


def load(voices: int = 4) -> tuple[Separator, str]:
    """A separator, and where it runs."""
    try:
        return Separator.load("choir", voices=voices, backend="cuda"), "GPU"
    except GpuMissing as missing:
        return Separator.load("choir", voices=voices), f"processor ({missing})"


if __name__ == "__main__":
    separator, where = load()
    print(f"{', '.join(separator.stems)}: on the {where}")
