"""First calls are slow: they happen before the sound, on noise that leaves no trace."""

import numpy as np

from rtsep.rt.process.scheduling import stop_collecting
from rtsep.rt.separator import Separator

WARM_UP_HOPS = 24  # past every first call: FFT plans, page faults, branch predictors


def warm_up(separator: Separator) -> None:
    """Runs a separator that has not begun, and resets it. Then the garbage collector goes."""
    hop = np.random.default_rng(0).normal(0, 0.1, (separator.hop, separator.channels)).astype(np.float32)
    stems = np.zeros((len(separator.stems), *hop.shape), np.float32)
    for _ in range(WARM_UP_HOPS):
        separator.process_hop(hop, stems)
        separator.skip_hop(hop, stems)
    separator.reset()
    stop_collecting()
