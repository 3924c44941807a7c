"""How much of a hop's time the separation takes on this machine: `python examples/hop_budget.py`.

A hop must be done before the next one is there. Quote the 99th percentile, not the mean: one late hop is
heard. `rtsep bench` measures the same at a device's pace.
"""

import time

import numpy as np

from rtsep import Separator

HOPS = 400

if __name__ == "__main__":
    rng = np.random.default_rng(1)
    for latency_ms in (5, 11, 21, 43):
        separator = Separator.load("choir", voices=4, samplerate=48000, latency_ms=latency_ms)
        hop = rng.uniform(-0.1, 0.1, (separator.hop, 1)).astype(np.float32)
        out = np.empty((len(separator.stems), separator.hop, 1), np.float32)
        took_s = []
        for _ in range(HOPS):
            began = time.perf_counter()
            separator.process_hop(hop, out)
            took_s.append(time.perf_counter() - began)
        share = (
            np.percentile(took_s[20:], [50, 99]) * separator.samplerate / separator.hop
        )  # the first warm up
        print(f"{latency_ms} ms: median {share[0]:.0%}, 99th percentile {share[1]:.0%} of a hop")
