"""A separator in a process of its own, started by `rtsep.rt.live.engine_watch` as
`python -m rtsep.rt.live.engines.second_process` with its order on stdin.

Loading a model takes a thread hundreds of milliseconds, and a busy thread of Python beside the hop loop would
make hops late. So it happens here; the hop loop hands over hop after hop and takes the stems. Ends when stdin
closes and on SIGTERM.
"""

import json
import os
import sys

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.live.engines.engine_memory import (
    EXCHANGE_BYTES,
    MAX_STEMS,
    PLACE_AT,
    REPORT_VALUES,
    SENT_AT,
    TOLD_VALUES,
    EngineMemory,
    EngineSlot,
    write_report,
)
from rtsep.rt.live.engines.loading import load_engine
from rtsep.rt.live.engines.remote_guide import go_where_sent, write_place
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.scheduling import lock_memory, raise_priority
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.separator import Separator

LOOK_S = 0.05
SLEEPS_PER_HOP, LONGEST_SLEEP_S = 40, 2.5e-4  # a hop is handed over twice, so it is waited for more finely
HOPS_AHEAD = 8


def serve(separator: Separator, slot: EngineSlot, watch: ParentWatch, facts: dict[str, object]) -> None:
    """Hop after hop until told to end."""
    hop_samples, channels, stems = separator.hop, separator.channels, len(separator.stems)
    shape = stems, channels, hop_samples, hop_samples, HOPS_AHEAD * hop_samples
    if stems > MAX_STEMS or _core.HopExchange.bytes_needed(*shape) > EXCHANGE_BYTES:
        raise RtsepError(f"{stems} stems of {channels} channels are too many to change to", "start again")
    exchange = _core.HopExchange(*shape, slot.exchange)
    told, report = slot.lay_out()
    hop = np.zeros((hop_samples, channels), np.float32)
    out = np.zeros((stems, hop_samples, channels), np.float32)
    said, voices = np.zeros(TOLD_VALUES), np.zeros(REPORT_VALUES)
    guide, sent = separator.guide, 0.0
    lock_memory()
    slot.facts.write(facts | {"state": "ready"})
    grain_s = min(LONGEST_SLEEP_S, hop_samples / separator.samplerate / SLEEPS_PER_HOP)
    hop_index = 0
    while not watch():
        while exchange.wait_input(hop_index, LOOK_S, grain_s):
            if told.poll(said):
                separator.listen_to(said[1 : 1 + stems] != 0)
                if guide is not None:
                    sent = go_where_sent(guide, said[SENT_AT:], sent)
            exchange.read_hop(hop_index, hop)
            if said[0] == hop_index + 1:
                separator.skip_hop(hop, out)
            else:
                separator.process_hop(hop, out)
            write_report(separator.voices, voices)
            if guide is not None:
                write_place(guide, voices[PLACE_AT:])
            report.write(voices)
            exchange.deliver(hop_index, out)
            hop_index += 1
            if hop_index % HOPS_AHEAD == 0 and watch():
                return


def main() -> int:
    """argv: the descriptor of the `EngineMemory`."""
    memory = EngineMemory(SharedMemory(int(sys.argv[1])))
    watch = ParentWatch()
    order = json.loads(sys.stdin.readline())
    slot = memory.slots[order["slot"]]
    slot.facts.resume()
    facts = {"serial": order["serial"], "pid": os.getpid()}
    slot.facts.write(facts | {"state": "loading"})
    try:
        settings = LiveSettings.from_json(order["settings"])
        separator, notes = load_engine(settings, order["samplerate"])
        raise_priority()  # from here on it is an engine
        described = facts | {
            "stems": separator.stems,
            "pitched": separator.voices.stems,
            "hop": separator.hop,
            "channels": separator.channels,
            "samplerate": separator.samplerate,
            "latency_samples": separator.latency_samples,
            "hop_latency_samples": separator.hop_latency_samples,
            "pitch_delay_s": separator.preset.pitch_delay_s,
            "notes": notes,
        }
        serve(separator, slot, watch, described)
    except RtsepError as error:
        slot.facts.write(facts | {"state": "refused", "problem": error.problem, "remedy": error.remedy})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
