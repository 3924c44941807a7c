"""The engine inside another program: a process that `engine_link.cpp` starts with a socket as standard input
and shared memory as descriptor 3.

It reads one line of options (JSON), answers with one line, and then separates hop after hop of what the
memory holds until the socket closes. Answers: `ready` with hop, latency, algorithmic latency and bytes of the
memory and the names of the stems, or `refused` with one line of why; fields are parted by tabs.
"""

import json
import os
import select
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.fallback import load_or_fall_back
from rtsep.rt.live.stream_callback import INPUT_RING_S, waiting_grain_s
from rtsep.rt.live.stream_choice import buffering_samples
from rtsep.rt.process.scheduling import lock_memory, raise_priority
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.separator import Separator
from rtsep.rt.warm_up import warm_up

MEMORY_FD = 3
LOOK_S = 0.05  # how often it looks whether the host is gone
LONGEST_OPTIONS = 65536


@dataclass(frozen=True)
class HostOptions:
    """What a host asks for: the fields of `rtsep_options` in rtsep.h."""

    samplerate: int
    channels: int
    model: str | None
    stems: list[str] | None
    voices: int | None
    latency_ms: int
    max_block_frames: int
    block_is_fixed: bool
    attach: bool  # the memory was laid out by an engine before this one, which failed

    def load(self) -> Separator:
        """The separator; RtsepError where it cannot be had."""
        separator, _ = load_or_fall_back(
            self.model,
            voices=self.voices,
            samplerate=self.samplerate,
            latency_ms=self.latency_ms,
            channels=self.channels,
            backend="auto",
            f0=None,
            stems=None if self.stems is None else tuple(self.stems),
            add_ons=(),
        )
        return separator

    def latency_samples(self, separator: Separator) -> int:
        """From input to output. With blocks of any length the last frame of a hop may come in any place of
        the longest one."""
        block = self.max_block_frames
        waiting = buffering_samples(block, separator.hop) if self.block_is_fixed else block - 1
        return separator.latency_samples + waiting


def exchange_of(options: HostOptions, separator: Separator, fd: int) -> tuple[_core.HopExchange, int]:
    """Lays out the memory `fd` for this separator, or takes part in it; and its bytes.

    Raises:
        RtsepError: the memory is another separator's.
    """
    offset = options.latency_samples(separator) - separator.hop_latency_samples
    input_frames = max(round(INPUT_RING_S * options.samplerate), 2 * options.max_block_frames)
    shape = (len(separator.stems), options.channels, separator.hop, offset, input_frames)
    needed = _core.HopExchange.bytes_needed(*shape)
    if options.attach:
        exchange = _core.HopExchange.attach(SharedMemory(fd).memory)
        if exchange.shape != shape:
            raise RtsepError("the memory is laid out for another model", "close and open again")
        return exchange, needed
    os.ftruncate(fd, needed)
    return _core.HopExchange(*shape, SharedMemory(fd).memory), needed


def serve(
    host: socket.socket, separator: Separator, exchange: _core.HopExchange, first_hop: int, held: int
) -> None:
    """Hop after hop until the host closes its end.

    Args:
        host: closed when it ends.
        separator: fresh.
        exchange: with the host.
        first_hop: that is read.
        held: hops that are not delivered: what they would give is of the time before the first, of which a
            separator that comes after another one knows nothing. The host plays the mixture there.
    """
    hop = np.zeros((separator.hop, separator.channels), np.float32)
    stems = np.zeros((len(separator.stems), *hop.shape), np.float32)
    grain_s = waiting_grain_s(separator.hop, separator.samplerate)
    hop_index, next_look = first_hop, 0.0
    while True:
        if exchange.wait_input(hop_index, LOOK_S, grain_s):
            lost = exchange.read_hop(hop_index, hop)
            if lost > 0 or exchange.position > exchange.first_frame(hop_index):
                separator.skip_hop(hop, stems)
            else:
                separator.process_hop(hop, stems)
            if hop_index >= first_hop + held:
                exchange.deliver(hop_index, stems)
            hop_index += 1
        exchange.beat()
        now = time.monotonic()
        if now >= next_look:
            next_look = now + LOOK_S
            if select.select([host], [], [], 0)[0] and not host.recv(1):
                return


def main() -> int:
    """Exit code 0 when the host has closed, 2 when its wishes are refused."""
    host = socket.socket(fileno=os.dup(0))
    options = HostOptions(**_read_line(host))
    try:
        scheduling = raise_priority()
        separator = options.load()
        exchange, size = exchange_of(options, separator, MEMORY_FD)
        warm_up(separator)
    except RtsepError as error:
        host.sendall(f"refused\t{error}\n".encode())
        return 2
    lock_memory()
    first_hop = exchange.catch_up() if options.attach else 0
    latency = options.latency_samples(separator)
    facts = (separator.hop, latency, separator.latency_samples, size)
    host.sendall("\t".join(["ready", *map(str, facts), scheduling, *separator.stems, "\n"]).encode())
    held = -(-separator.hop_latency_samples // separator.hop) if options.attach else 0
    serve(host, separator, exchange, first_hop, held)
    return 0


def _read_line(host: socket.socket) -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        piece = host.recv(LONGEST_OPTIONS)
        if not piece:
            sys.exit(0)  # the host is gone before it said anything
        line += piece
    values: dict[str, Any] = json.loads(line)
    return values


if __name__ == "__main__":
    sys.exit(main())
