"""Another set of stems on a desk that is in use: what stays where it is, and where new stems go."""

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import MAX_VALUES, Control
from rtsep.rt.control.desk_layout import DeskLayout, lay_desk
from rtsep.rt.control.parameters import Parameter, mixer_parameters, plain_value, strip_of, value_count
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory


@dataclass(frozen=True)
class DeskChange:
    """What another set of stems means.

    Attributes:
        layout: of the desk then.
        opened: of the spare outputs, those that are used from now on, in order, each with its stem's name and
            the channel of it.
        notes: what the user should know.
    """

    layout: DeskLayout
    opened: tuple[tuple[int, str, int], ...]
    notes: tuple[str, ...]


def change_desk(
    shared: SharedMemory, before: DeskLayout, stems: Sequence[str], wanted: Mapping[str, object]
) -> DeskChange:
    """The desk for other stems. What plays on keeps its strip with all that is set, and its outputs; a stem
    that played earlier in this session finds its strip as it was left. A new one has a strip of its own
    behind all others, with defaults, and the next outputs that are free: spare ones first, then those that
    nobody is sent to, then those of stems that go. Where there are none it goes where it would at a start.

    Values of new strips are in the shared block when this returns; nobody reads them before the desk is used.

    Args:
        shared: where parameters are set.
        before: the desk in use.
        stems: names, the residual last.
        wanted: values by name that new strips begin with, where they are named.

    Raises:
        RtsepError: more strips in one session than there is room for.
    """
    old = tuple(mixer_parameters(_all_strips(before)))
    control = Control(shared, old)
    control.update({})  # where nothing was set yet, what the desk began with stands from now on
    values = control.values()
    # `old` knows no sends of strips that rest, and `before` those of an untouched desk
    sent = {
        strip: tuple(o for o in range(len(before.bypass)) if values.get(f"{strip}.to-{o + 1}") == 1.0)
        for strip in before.strips
    }
    outputs = list(before.outputs)
    usual, _ = lay_desk(stems, before.inputs, outputs, len(before.bypass), spare=len(before.spare))
    free = _Free(before, sent, stems)
    sends, pans, notes = [], [], []
    for at, stem in enumerate(stems):
        if stem in before.strips:
            sends.append(sent[stem])
            pans.append(values[f"{stem}.pan"])
            continue
        own = free.take(stem, before.channels)
        sends.append(own or usual.sends[at])
        pans.append(0.0 if own else usual.pans[at])
        if not own:
            notes.append(_shared_note(stem, sends[-1]))
    layout = replace(
        before,
        stems=tuple(stems),
        sends=tuple(sends),
        pans=tuple(pans),
        outputs=(*before.outputs, *(o for o, _, _ in free.opened)),
        strips=(*before.strips, *(stem for stem in stems if stem not in before.strips)),
        spare=tuple(o for o in before.spare if o not in {opened for opened, _, _ in free.opened}),
    )
    if value_count(layout) > MAX_VALUES:
        raise RtsepError(
            f"{len(layout.strips)} strips in one session are more than there is room for", "start it again"
        )
    added = {strip for strip in layout.strips if strip not in before.strips}
    new = [p for p in mixer_parameters(layout) if strip_of(p.name) in added]
    Control(shared, new).update({parameter.name: _first(parameter, wanted) for parameter in new})
    return DeskChange(layout, tuple(free.opened), tuple(notes))


def set_resting(shared: SharedMemory, layout: DeskLayout, values: Mapping[str, float]) -> None:
    """Values by name of stems that have gone, which come back with them; all others are left alone."""
    resting = set(layout.strips) - set(layout.stems)
    parameters = tuple(mixer_parameters(_all_strips(layout)))
    known = {parameter.name for parameter in parameters}
    held = {n: v for n, v in values.items() if n in known and strip_of(n) in resting}
    if held:
        Control(shared, parameters).update(held)


class _Free:
    """Outputs that a new stem may have."""

    def __init__(self, before: DeskLayout, sent: Mapping[str, Sequence[int]], stems: Sequence[str]) -> None:
        ever = {o for places in sent.values() for o in places}
        playing = {o for stem, places in sent.items() if stem in stems for o in places}
        never = [o for o in before.outputs if o not in ever]
        self._spare = list(before.spare)
        self._others = [*never, *(o for o in before.outputs if o in ever - playing)]
        self.opened: list[tuple[int, str, int]] = []

    def take(self, stem: str, channels: int) -> tuple[int, ...]:
        """One for each channel, or none."""
        if len(self._spare) >= channels:
            own, self._spare = tuple(self._spare[:channels]), self._spare[channels:]
            self.opened += [(o, stem, channel) for channel, o in enumerate(own)]
            return own
        if len(self._others) >= channels:
            own, self._others = tuple(self._others[:channels]), self._others[channels:]
            return own
        return ()


def _all_strips(before: DeskLayout) -> DeskLayout:
    """With strips that rest, and all outputs, as if they were in use."""
    at = {stem: i for i, stem in enumerate(before.stems)}
    return replace(
        before,
        stems=before.strips,
        sends=tuple(before.sends[at[strip]] if strip in at else () for strip in before.strips),
        pans=tuple(before.pans[at[strip]] if strip in at else 0.0 for strip in before.strips),
        outputs=(*before.outputs, *before.spare),
        spare=(),
    )


def _shared_note(stem: str, sends: Sequence[int]) -> str:
    if not sends:
        return f"{stem} has no output: set {stem}.to-N"
    shared = " and ".join(str(o + 1) for o in sends)
    return f"no output is free for {stem}: it shares {shared}"


def _first(parameter: Parameter, wanted: Mapping[str, object]) -> float:
    with contextlib.suppress(RtsepError):
        if parameter.name in wanted:
            return parameter.checked(plain_value(parameter, wanted[parameter.name]))
    return parameter.default


class DeskNews:
    """The desk of a running session, looked at whenever the engine has published.

    Args:
        block: its status.
        layout: known already.
    """

    def __init__(self, block: Block, layout: DeskLayout) -> None:
        self._block, self._desk = block, layout.as_dict()
        self._looked = -1
        self._lock = threading.Lock()

    def parameters(self) -> tuple[Parameter, ...] | None:
        """Those of another desk than at the last call; None while it is the same."""
        with self._lock:
            try:
                if self._block.written == self._looked:
                    return None
                self._looked = self._block.written
                desk = self._block.peek().get("desk")
            except ValueError:  # the session has ended, and its memory is closed
                return None
            if desk is None:
                return None
            layout = DeskLayout.from_dict(desk)
            if layout.as_dict() == self._desk:
                return None
            self._desk = layout.as_dict()
            return mixer_parameters(layout)
