"""A hop loop's beginning: what it goes on with from the one before it, that failed or lost its device."""

import os
from collections.abc import Mapping
from typing import Any

from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.live.engines.chain import Chain
from rtsep.rt.live.engines.engine_memory import CHANGING
from rtsep.rt.live.live_report import LiveReport
from rtsep.rt.live.stream_callback import changes
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.process.block import Block
from rtsep.rt.process.rights import rights_hint
from rtsep.rt.process.scheduling import REAL_TIME, lock_memory

# Of the status, from one hop loop to the next: an engine that is started again keeps what was changed.
CARRIED = ("changed_settings", "take_engine")


def kept_desk(before: Mapping[str, Any], stems: tuple[str, ...], outputs: int) -> DeskLayout | None:
    """The desk of a status, where it has changed since the start and fits; None for that of the start."""
    if "changed_settings" not in before:
        return None
    layout = DeskLayout.from_dict(before["desk"])
    return layout if layout.stems == stems and len(layout.bypass) == outputs else None


def last_change(before: Mapping[str, Any]) -> dict[str, Any]:
    """What a status tells of the last change of engines; one that was under way has come to nothing."""
    told = dict(before.get("change") or {})
    if told.get("state") in CHANGING:
        told |= {"state": "refused", "text": f"{told['text']}: the engine was started again; ask again"}
    return told


def first_report(
    block: Block, chain: Chain, choice: StreamChoice, scheduling: str, notes: list[str]
) -> LiveReport:
    """The report of a hop loop that begins; counts go on from what the block holds.

    Args:
        block: where status goes.
        chain: what plays; choice: the stream.
        scheduling: what the operating system granted.
        notes: what the user should know of the model.
    """
    before, fmt, hop = block.peek(), choice.format, chain.separator.hop
    fixed: dict[str, Any] = {
        "samplerate": fmt.samplerate,
        **chain.facts(fmt),
        "input_device": fmt.input.name,
        "output_device": fmt.output.name,
        "engine_pid": os.getpid(),
        "stream": choice.as_dict(),
        "scheduling": scheduling + (", memory locked" if lock_memory() else ""),
        "change": last_change(before),
        **{key: before[key] for key in CARRIED if key in before},
    }
    notes = [*notes, *chain.notes, *changes(before, fmt.samplerate, fixed["live_latency_samples"])]
    if not scheduling.startswith(REAL_TIME) and (hint := rights_hint()):
        notes.append(hint)
    hop_s = hop / fmt.samplerate
    return LiveReport(
        block, chain.separator, chain.callback, len(choice.inputs), chain.outputs, hop_s, fixed, notes
    )
