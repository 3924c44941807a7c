"""Separate inside a JACK client of your own (`pip install JACK-Client`): one input port, one output port
per stem."""

import sys
import threading

import jack
import numpy as np

from rtsep import Separator


class Client:
    """A JACK client named "rtsep" with ports in, voice-1, ..., residual."""

    def __init__(self, voices: int = 2, latency_ms: int = 11) -> None:
        self.client = jack.Client("rtsep")
        self.separator = Separator.load(
            "choir", voices=voices, samplerate=self.client.samplerate, latency_ms=latency_ms
        )
        # first calls are slow: here, not in the callback
        self.separator.process(np.zeros((4096, 1), np.float32))
        self.separator.reset()
        self._input = self.client.inports.register("in")
        self._outputs = [self.client.outports.register(name) for name in self.separator.stems]
        self.client.set_process_callback(self._process)

    def _process(self, frames: int) -> None:
        stems = self.separator.process(self._input.get_array())
        for port, stem in zip(self._outputs, stems, strict=True):
            port.get_array()[:] = stem[:, 0]

    def __enter__(self) -> "Client":
        self.client.activate()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.deactivate()
        self.client.close()


def main() -> None:
    """Runs until Ctrl-C."""
    with Client() as rtsep:
        print(
            f"latency: {rtsep.separator.latency_samples} samples; connect the ports of {rtsep.client.name!r}"
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
