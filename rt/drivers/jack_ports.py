"""The ports of rtsep in a JACK graph, and what they are connected to at the start."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers.devices import DEFAULT_INPUT, DeviceSpec
from rtsep.rt.drivers.jack_options import Wire
from rtsep.rt.drivers.jack_server import GraphPort


@dataclass(frozen=True)
class JackPlan:
    """A JACK client to be opened.

    Attributes:
        name: asked for.
        inputs, outputs: short port names.
        wires: wanted connections, made as soon as both ports are there.
        remembered_ports: ports whose connections the file of this client knows, those of now included.
        folder: of that file; "" keeps none.
        one_rate: why no other sample rate than the first will do, "" where another one will.
        asked_blocksize: the only period that will do; None for any.
        spare: outputs without a port yet, for stems to come.
        targets: where outputs go by turns that nobody has connected otherwise.
        restores: connections of the file are made again.
    """

    name: str
    inputs: list[str]
    outputs: list[str]
    wires: list[Wire] = field(default_factory=list)
    remembered_ports: list[str] = field(default_factory=list)
    folder: str = ""
    one_rate: str = ""
    asked_blocksize: int | None = None
    spare: int = 0
    targets: list[str] = field(default_factory=list)
    restores: bool = True

    def wires_of_new(
        self, names: Sequence[str], known_ports: Sequence[str], known: Sequence[Wire]
    ) -> list[Wire]:
        """Wanted connections of outputs that come last among `outputs`: as they were when they ran last
        (`known`), else as usual.

        >>> plan = JackPlan("rtsep", [], ["voice-1", "residual", "voice-2"], targets=["a:1", "a:2"])
        >>> plan.wires_of_new(["voice-2"], [], [])
        [('voice-2', 'a:1')]
        >>> plan.wires_of_new(["voice-2"], ["voice-2"], [("voice-2", "b:1"), ("voice-1", "b:1")])
        [('voice-2', 'b:1')]
        """
        usual = [name for name in names if name not in known_ports and self.targets]
        return [
            *(wire for wire in known if wire[0] in names),
            *((name, self.targets[self.outputs.index(name) % len(self.targets)]) for name in usual),
        ]


def input_names(channels: int) -> list[str]:
    """
    >>> input_names(2)
    ['in_1', 'in_2']
    """
    return [f"in_{channel + 1}" for channel in range(channels)]


def stem_port_names(stems: Sequence[str], channels: int) -> list[str]:
    """One port for each channel of each stem, named after the stem; a colon would end a client's name.

    >>> stem_port_names(("voice-1", "residual"), 1)
    ['voice-1', 'residual']
    >>> stem_port_names(("vocals", "residual"), 2)
    ['vocals_1', 'vocals_2', 'residual_1', 'residual_2']
    """
    names = [stem.replace(":", "-") for stem in stems]
    if channels == 1:
        return names
    return [f"{name}_{channel + 1}" for name in names for channel in range(channels)]


def check_wires(wires: Sequence[Wire], plan: JackPlan, ports: Sequence[GraphPort]) -> None:
    """Whether connections that a user asked for can be made, now or once a client comes.

    Raises:
        DeviceRefused: a port that rtsep or a running client does not have, or one of the wrong direction.
    """
    for wire in wires:
        source, target = wire
        own, other, own_side = (target, source, "input") if ":" in source else (source, target, "output")
        words = f"connection {source}>{target}"
        mine = plan.inputs if own_side == "input" else plan.outputs
        if own not in mine:
            raise DeviceRefused(f"{words}: rtsep has no {own_side} port {own!r}", _near(own, mine))
        found = next((port for port in ports if port.name == other), None)
        client = [port for port in ports if port.client == other.partition(":")[0]]
        usable = [port.name for port in client if port.is_output == (own_side == "input")]
        if found is None and client:  # a client that is not there may come
            raise DeviceRefused(f"{words}: there is no port {other!r}", _near(other, usable))
        if found is not None and found.name not in usable:
            side = "an input" if own_side == "input" else "an output"
            raise DeviceRefused(f"{words}: {other!r} is {side} itself", _near(other, usable))


def _near(name: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, choices, n=3) or list(choices[:8])
    return f"choose one of {', '.join(near)}" if near else "see `rtsep devices`"


def may_feed_back(wires: Sequence[Wire], ports: Sequence[GraphPort]) -> bool:
    """Whether one device has both a microphone and loudspeakers among these connections.

    >>> mic, speaker = GraphPort("system:c", True, True), GraphPort("system:p", False, True)
    >>> may_feed_back([("system:c", "in_1"), ("voice-1", "system:p")], [mic, speaker])
    True
    >>> may_feed_back([("system:c", "in_1"), ("voice-1", "mixer:in")], [mic, speaker])
    False
    """
    devices = {port.name: port.client for port in ports if port.is_physical}
    sources = {devices[source] for source, _ in wires if source in devices}
    return not sources.isdisjoint(devices[target] for _, target in wires if target in devices)


def default_wires(
    plan: JackPlan,
    ports: Sequence[GraphPort],
    source: DeviceSpec,
    target: DeviceSpec,
    input_channels: Sequence[int],
    output_channels: Sequence[int] | None,
) -> list[Wire]:
    """Inputs from the ports of `source` with the numbers given, counted from 1; outputs to those of `target`
    in order, by turns where they are fewer. None where nobody has such ports.

    Raises:
        DeviceRefused: no such client, or no port of such a number.
    """
    wires = []
    sources = _ports_of(source, ports, outputs=True)
    if sources:
        chosen = _numbered(sources, input_channels, "input")
        wires += list(zip(chosen, plan.inputs, strict=True))
    targets = output_targets(ports, target, output_channels)
    if targets:
        wires += [(own, targets[i % len(targets)]) for i, own in enumerate(plan.outputs)]
    return wires


def output_targets(
    ports: Sequence[GraphPort], target: DeviceSpec, output_channels: Sequence[int] | None
) -> list[str]:
    """Ports that outputs go to; raises as `default_wires`."""
    targets = _ports_of(target, ports, outputs=False)
    return (
        _numbered(targets, output_channels, "output") if targets and output_channels is not None else targets
    )


def _ports_of(spec: DeviceSpec, ports: Sequence[GraphPort], *, outputs: bool) -> list[str]:
    sided = [port for port in ports if port.is_output == outputs]
    if spec is None or spec == DEFAULT_INPUT:
        return [port.name for port in sided if port.is_physical]
    clients = sorted({port.client for port in sided})
    matches = [name for name in clients if str(spec).lower() in name.lower()]
    exact = [name for name in clients if name == spec]
    if len(exact or matches) != 1:
        kind = "input" if outputs else "output"
        what = f"names {len(matches)} JACK clients" if matches else "is in no JACK client's name"
        remedy = f"choose one of {', '.join(matches or clients)}" if clients else f"start the {kind} first"
        raise DeviceRefused(f"{kind} {spec!r} {what}", remedy)
    return [port.name for port in sided if port.client == (exact or matches)[0]]


def _numbered(names: Sequence[str], numbers: Sequence[int], kind: str) -> list[str]:
    for number in numbers:
        if not 1 <= number <= len(names):
            client = names[0].partition(":")[0]
            raise DeviceRefused(
                f"{kind} channel {number} is outside 1..{len(names)} of the JACK client {client!r}",
                f"use a channel of 1..{len(names)}, or connect ports by name with --connect",
            )
    return [names[number - 1] for number in numbers]
