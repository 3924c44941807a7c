"""Times of single hops, taken at the pace of a device, and what they would have meant on stage."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.separator import Separator

PERCENTILES = (50.0, 95.0, 99.0, 99.9, 100.0)
# Shares of a hop at which the histogram cuts, finer where a healthy machine is.
HISTOGRAM_EDGES = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0, np.inf)
BAR_COLUMNS = 40


@dataclass(frozen=True)
class HopTimes:
    """Every hop of a run, in seconds.

    Attributes:
        hop_s: H / fs, the time a hop may take.
        hop_samples: H.
        compute_s: float64 [hops], time inside `Separator.process_hop`.
        response_s: float64 [hops], from the moment the hop's last sample was there to its stems: waking up
            and waiting for earlier hops included. In a run without pacing it is the compute time.
        paced: whether hops fell due by the clock.
    """

    hop_s: float
    hop_samples: int
    compute_s: NDArray[np.float64]
    response_s: NDArray[np.float64]
    paced: bool

    @property
    def late(self) -> NDArray[np.bool_]:
        """Hops whose stems came after the next hop fell due: by then the device has played their place."""
        return self.response_s > self.hop_s


def measure(
    separator: Separator,
    signal: NDArray[np.float32],
    hops: int,
    paced: bool = True,
    break_above_s: float = np.inf,
) -> HopTimes:
    """Runs `hops` hops of `signal`, over and over; ends after the first whose response takes longer than
    `break_above_s`.

    Paced, hop i falls due (i + 1) H / fs after the start by a monotonic clock, and is not looked at earlier:
    caches grow cold and clocks sink between hops as they do on stage, which back-to-back loops hide.

    Shape:
        signal: float32 [frames, channels], at least one hop.
    """
    hop, hop_s = separator.hop, separator.hop / separator.samplerate
    stems = np.zeros((len(separator.stems), hop, separator.channels), np.float32)
    pieces = [np.ascontiguousarray(signal[i : i + hop]) for i in range(0, len(signal) - hop + 1, hop)]
    compute_s, response_s = np.zeros(hops), np.zeros(hops)
    clock = time.perf_counter
    begin = clock()
    for i in range(hops):
        piece = pieces[i % len(pieces)]
        due = begin + (i + 1) * hop_s
        if paced and (wait_s := due - clock()) > 0:
            time.sleep(wait_s)
        started = clock()
        separator.process_hop(piece, stems)
        ended = clock()
        compute_s[i] = ended - started
        response_s[i] = ended - due if paced else ended - started
        if response_s[i] > break_above_s:
            return HopTimes(hop_s, hop, compute_s[: i + 1], response_s[: i + 1], paced)
    return HopTimes(hop_s, hop, compute_s, response_s, paced)


def summarise(times: HopTimes) -> dict[str, Any]:
    """JSON-ready: percentiles in microseconds and as share of the hop, misses, histogram of compute times."""
    late = int(np.count_nonzero(times.late))
    counts, _ = np.histogram(times.compute_s / times.hop_s, HISTOGRAM_EDGES)
    return {
        "hops": len(times.compute_s),
        "hop_samples": times.hop_samples,
        "hop_us": 1e6 * times.hop_s,
        "paced": times.paced,
        "compute": _percentiles(times.compute_s, times.hop_s),
        "response": _percentiles(times.response_s, times.hop_s),
        "lateness_max_us": 1e6 * max(0.0, float(np.max(times.response_s) - times.hop_s)),
        "late_hops": late,
        "fallback_samples": late * times.hop_samples,
        "real_time_factor": float(np.mean(times.compute_s) / times.hop_s),
        "histogram": [
            {"from_share": low, "to_share": None if np.isinf(high) else high, "hops": int(count)}
            for low, high, count in zip(HISTOGRAM_EDGES, HISTOGRAM_EDGES[1:], counts, strict=False)
        ],
    }


def _percentiles(seconds: NDArray[np.float64], hop_s: float) -> dict[str, dict[str, float]]:
    values = np.percentile(seconds, PERCENTILES)
    names = ["max" if p == 100.0 else f"p{p:g}" for p in PERCENTILES]
    return {
        name: {"us": 1e6 * float(value), "share": float(value) / hop_s}
        for name, value in zip(names, values, strict=True)
    }


def histogram_lines(summary: dict[str, Any]) -> list[str]:
    """The histogram as text; every bin that holds a hop shows at least a dot."""
    bins = summary["histogram"]
    filled = [i for i, entry in enumerate(bins) if entry["hops"]]
    most = max(entry["hops"] for entry in bins)
    lines = []
    for entry in bins[: filled[-1] + 1]:
        high = "  over" if entry["to_share"] is None else f"{100 * entry['to_share']:5.1f} %"
        bar = "█" * round(BAR_COLUMNS * entry["hops"] / most) or ("·" if entry["hops"] else "")
        lines.append(f"{100 * entry['from_share']:5.1f} .. {high:>7} {entry['hops']:8d} {bar}")
    return lines
