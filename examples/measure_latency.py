"""The latency is exact, and found here with a click: `python examples/measure_latency.py`."""

import numpy as np

from rtsep import Separator


def measured(separator: Separator) -> int:
    """Samples from a click at the input to the click in the sum of all stems."""
    click_at = 1000
    signal = np.zeros((click_at + 4 * separator.latency_samples, 1), np.float32)
    signal[click_at] = 0.5
    return int(np.abs(separator.process(signal).sum(0)[:, 0]).argmax()) - click_at


if __name__ == "__main__":
    for latency_ms in (5, 11, 21, 43):
        separator = Separator.load("choir", voices=2, samplerate=48000, latency_ms=latency_ms)
        print(
            f"{latency_ms} ms: declared {separator.latency_samples}, measured {measured(separator)} samples"
        )
