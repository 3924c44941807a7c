"""A separator that runs in a second process, as the hop loop sees it."""

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.score.score import Score
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.live.engines.engine_memory import (
    PLACE_AT,
    REPORT_VALUES,
    SENT_AT,
    TOLD_VALUES,
    EngineSlot,
    read_report,
)
from rtsep.rt.live.engines.remote_guide import RemoteGuide

GRAIN_S = 1e-4
ALIVE_S = 0.02  # while it is waited for, it is looked whether it lives
BESIDE_S = 2e-4  # and whether another engine has a hop to hand over


class EngineGoneError(RuntimeError):
    """The second process has died: an engine that fails is started again."""


class RemoteSeparator:
    """Hops go out and stems come back in order, one hop under way at a time.

    Args:
        slot: where the second process is ready.
        facts: what it says of itself.
        score: that it follows.

    Attributes:
        guide: its follower of the score; None without one.
        stems, samplerate, hop, channels, latency_samples, hop_latency_samples: as of `Separator`.
        pitch_delay_s: of its preset, see `Framing`.
        pid: of the second process.
        meanwhile: called again and again while a hop is waited for; None for nothing.
    """

    gpu_lost = ""
    meanwhile: Callable[[], None] | None = None

    def __init__(self, slot: EngineSlot, facts: Mapping[str, Any], score: Score | None = None) -> None:
        self.stems: tuple[str, ...] = tuple(facts["stems"])
        self.samplerate, self.hop, self.channels = (
            int(facts[name]) for name in ("samplerate", "hop", "channels")
        )
        self.latency_samples = int(facts["latency_samples"])
        self.hop_latency_samples = int(facts["hop_latency_samples"])
        self.pitch_delay_s = float(facts["pitch_delay_s"])
        self.pid = int(facts["pid"])
        self._pitched = tuple(facts["pitched"])
        self._exchange = _core.HopExchange.attach(slot.exchange)
        self._told, self._report = slot.attach()
        self._values = np.zeros(TOLD_VALUES)
        self._values[1:SENT_AT] = 1.0
        self._voices = np.zeros(REPORT_VALUES)
        self._next = 0  # hop to hand over
        self.guide = None if score is None else RemoteGuide(score, self._send, self._place)

    @property
    def voices(self) -> VoiceReport:
        """What the last hop told of stems with a pitch."""
        self._report.poll(self._voices)
        return read_report(self._pitched, self._voices)

    def _send(self, sent: NDArray[np.float64]) -> None:
        self._values[SENT_AT:] = sent
        self._told.write(self._values)

    def _place(self) -> NDArray[np.float64]:
        self._report.poll(self._voices)
        return self._voices[PLACE_AT:]

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return True
        return False

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """As `Separator.listen_to`."""
        self._values[1 : 1 + len(heard)] = heard
        self._told.write(self._values)

    def post(self, hop: NDArray[np.float32], *, skip: bool = False) -> None:
        """Hands a hop over, float32 [H, channels], and returns at once."""
        if skip:
            self._values[0] = self._next + 1
            self._told.write(self._values)
        self._exchange.push_input(hop)
        self._next += 1

    def collect(self, out: NDArray[np.float32], timeout_s: float = 0.0) -> bool:
        """Stems of the last hop posted, float32 [stems, H, channels]; False when not here in time."""
        return self._exchange.take_hop(self._next - 1, out, timeout_s, GRAIN_S)

    def process_hop(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """As `Separator.process_hop`.

        Raises:
            EngineGoneError: the process has died.
        """
        self.post(hop)
        self.await_hop(out)

    def skip_hop(self, hop: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """As `Separator.skip_hop`; raises as `process_hop`."""
        self.post(hop, skip=True)
        self.await_hop(out)

    def await_hop(self, out: NDArray[np.float32]) -> None:
        """Stems of the hop posted last; raises as `process_hop`."""
        while not self.collect(out, ALIVE_S if self.meanwhile is None else BESIDE_S):
            if self.meanwhile is not None:
                self.meanwhile()
            if not self.alive:
                raise EngineGoneError("the process of the engine that was changed to has ended")
