"""OSC messages as a desk gone mad sends them: `python -m rtsep.bench.live.osc_flood 9000 --rate 1000`.

Of ten messages eight move a fader, one goes to an address that is not there, one is no OSC. Runs until
standard input closes, then tells how many were sent and how many were answered with an error.
"""

import json
import socket
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any

import click
from pythonosc.osc_message_builder import OscMessageBuilder

from rtsep.bench.live.teller import running

OF_TEN = {"moves": 8, "unknown": 1, "broken": 1}
LONGEST_DEBT_S = 0.1  # what is not sent within it is not sent at all: a flood, never a burst of seconds


def flooding(port: int, rate: float, stems: tuple[str, ...]) -> AbstractContextManager[dict[str, Any]]:
    """Sends in a process of its own; the dict gets what it tells when it has ended."""
    return running("rtsep.bench.live.osc_flood", str(port), "--rate", str(rate), "--stems", ",".join(stems))


def packets(stems: tuple[str, ...]) -> list[bytes]:
    """One round of the flood: faders from -12 to 0 dB, and what is to be refused in between."""
    found = []
    for step in range(-120, 1):
        stem = stems[step % len(stems)]
        found += [_message(f"/rtsep/{stem}/gain", step / 10.0)] * OF_TEN["moves"]
        found += [_message(f"/rtsep/nobody-{-step}/gain", 0.0)] * OF_TEN["unknown"]
        found += [b"this is no OSC\xff"] * OF_TEN["broken"]
    return found


def _message(address: str, value: float) -> bytes:
    builder = OscMessageBuilder(address)
    builder.add_arg(float(value))
    return bytes(builder.build().dgram)


@click.command()
@click.argument("port", type=int)
@click.option("--rate", default=1000.0, show_default=True, help="Messages a second.")
@click.option("--stems", default="voice-1", show_default=True, help="Whose faders are moved.")
def main(port: int, rate: float, stems: str) -> None:
    """Sends until standard input closes."""
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    found = packets(tuple(stems.split(",")))
    sent = answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(("127.0.0.1", port))
        way.setblocking(False)
        started = due = time.monotonic()
        while not over.is_set():
            with suppress(OSError):  # nobody is there yet, or no more
                way.send(found[sent % len(found)])
            sent += 1
            with suppress(OSError):
                while way.recv(4096):
                    answered += 1
            due = max(due + 1.0 / rate, time.monotonic() - LONGEST_DEBT_S)
            time.sleep(max(0.0, due - time.monotonic()))
        seconds = time.monotonic() - started
    print(json.dumps({"sent": sent, "errors_answered": answered, "per_s": round(sent / seconds, 1)}))


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main()
