"""The process that `rtsep bench` times: it runs nothing else, and prints one JSON object.

python -m rtsep.bench.hop.worker '{"voices": 4, ..., "spawned_at": seconds of the monotonic clock}'
"""

import contextlib
import json
import sys
import time

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import DEFAULT_VOICES
from rtsep.rt.separator import Separator

# Longest window is 8192 samples and shortest hop 64: after this many hops all memories hold signal.
WARM_UP_HOPS = 200
# The choir repeats after one round of its chords.
SIGNAL_S = 6.0


def main() -> int:
    """Exit code 2 and an `error` for settings that cannot be."""
    settings = json.loads(sys.argv[1])
    try:
        separator = Separator.load(
            settings["model"],
            voices=settings["voices"],
            samplerate=settings["samplerate"],
            latency_ms=settings["latency_ms"],
            channels=settings["channels"],
            backend=settings["backend"],
            stems=None if settings["stems"] is None else tuple(settings["stems"]),
            add_ons=tuple(settings["add_ons"]),
            render=settings["render"],
        )
    except RtsepError as error:
        print(json.dumps({"error": [error.problem, error.remedy]}))
        return 2
    import numpy as np

    hop = np.zeros((separator.hop, separator.channels), np.float32)
    stems = np.zeros((len(separator.stems), *hop.shape), np.float32)
    separator.process_hop(hop, stems)
    startup_s = time.monotonic() - settings["spawned_at"]

    # only now: none of this is needed on stage, so none of it belongs to the start
    from rtsep.bench.hop.break_trace import Trace
    from rtsep.bench.hop.energy import EnergyCounter
    from rtsep.bench.hop.hop_timing import measure, summarise
    from rtsep.bench.hop.machine import machine_facts, peak_resident_bytes, resident_bytes, scheduling
    from rtsep.rt.audio.test_signals import synthetic_choir
    from rtsep.rt.process.scheduling import lock_memory, raise_priority, stop_collecting

    started_bytes = resident_bytes()
    signal = synthetic_choir(
        separator.samplerate,
        min(SIGNAL_S, settings["seconds"] + 1.0),
        separator.channels,
        settings["voices"] or DEFAULT_VOICES,
    )
    raise_priority()  # as the engine on stage does; the facts tell what was granted
    lock_memory()
    facts = machine_facts() | {"scheduling": scheduling()}
    hops = max(1, round(settings["seconds"] * separator.samplerate / separator.hop))
    measure(separator, signal, WARM_UP_HOPS, paced=False)
    separator.reset()
    stop_collecting()
    energy = EnergyCounter.find()
    begin_j = energy.read_j()
    trace = Trace()
    limit_us = settings.get("break_above_us")
    limit_s = np.inf if limit_us is None else 1e-6 * limit_us
    with trace.watching() if limit_us is not None else contextlib.nullcontext():
        times = measure(separator, signal, hops, settings["paced"], limit_s)
        broke = bool(times.response_s[-1] > limit_s)
        if broke:
            trace.stop()
    spent_j = energy.since_j(begin_j)
    report = {
        "separator": {
            "stems": list(separator.stems),
            "latency_samples": separator.latency_samples,
            "hop_samples": separator.hop,
        },
        "startup_to_first_output_s": startup_s,
        "resident_after_start_bytes": started_bytes,
        "resident_bytes": resident_bytes(),
        "resident_peak_bytes": peak_resident_bytes(),
        "hops": summarise(times),
        "responses_us": (1e6 * times.response_s).round(1).tolist() if settings.get("responses") else None,
        "broke": trace.report(len(times.response_s) - 1, 1e6 * float(times.response_s[-1]))
        if broke
        else None,
        "energy": {"packages_j": spent_j, "why_not": energy.why_not},
        "machine": facts,
    }
    print(json.dumps(report, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
