"""Choir model: pitch of each voice -> levels at its partials -> soft masks."""

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.comb_masks import CombMasks
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.later_tracker import LaterTracker
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.parts.part_order import PartOrder
from rtsep.models.choir.peak_reading import OTHERS, OtherReadings
from rtsep.models.choir.peak_tracker import PitchTracker
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, Stateful, load_all, require_like
from rtsep.models.mean_power import MeanPower
from rtsep.models.voice_report import VoiceReport

# Within 35 cents of a unison or octave all partials of the higher voice fall into the lobes of the lower one.
MERGED_CENTS = 35.0


def mark_merged(f0_hz: NDArray[np.float32], merged: NDArray[np.bool_]) -> None:
    """Flags voices whose F0 is a unison or an octave (any number of them) from another sounding voice.

    Shape:
        f0_hz: float32 [V], 0 = unvoiced; merged: bool [V], written.
    """
    merged[...] = False
    sounding = [(i, 1200.0 * math.log2(f)) for i, f in enumerate(f0_hz.tolist()) if f > 0]
    for (i, higher), (j, lower) in combinations(sounding, 2):
        cents = abs(higher - lower)
        if abs(cents - 1200.0 * round(cents / 1200.0)) < MERGED_CENTS:
            merged[i] = merged[j] = True


def voice_names(voices: int) -> tuple[str, ...]:
    """voice-1, voice-2, ..., the highest first."""
    return tuple(f"voice-{i + 1}" for i in range(voices))


class ChoirModel:
    """Masks of 1..4 voices, highest first.

    Args:
        voices: how many.
        framing: the spectrum's layout.
        comb: from pitches to masks.
        pitches: what tracks them, or the pitches to follow.
        parts: names of the voices; those of the score that the tracker follows, or voice-1, ...
        order: gives tracked pitches to parts that cross; None for voices in order of pitch.
    """

    def __init__(
        self,
        voices: int,
        framing: Framing,
        comb: CombMasks,
        pitches: PitchTracker | F0Track,
        parts: tuple[str, ...] | None = None,
        order: PartOrder | None = None,
    ) -> None:
        self.guide: ScoreGuide | None = None
        self._others = OtherReadings(voices)  # none, where no network leaves any doubt
        if isinstance(pitches, NetworkTracker | LaterTracker):
            self.guide, self._others = pitches.guide, pitches.others
        if self.guide is not None:
            parts = self.guide.score.parts
        elif order is not None:
            parts = order.names
        self._supposed = np.zeros((OTHERS, voices, framing.bins), np.float32)
        self._order = order
        self._stems = parts or voice_names(voices)
        self._framing = framing
        self._comb = comb
        self._f0 = pitches if isinstance(pitches, F0Track) else None
        self._tracker = None if isinstance(pitches, F0Track) else pitches
        self._report = VoiceReport.silent(self._stems)
        self._mean_power = MeanPower(framing)
        self._power = self._mean_power.power
        self._amplitude = np.zeros(framing.bins, np.float32)
        self._f0_hz = np.zeros(voices, np.float32)
        self._confident = np.zeros(voices, np.bool_)
        self._pitch_delay_s = framing.pitch_delay_s
        self._hops = 0

    @property
    def stems(self) -> tuple[str, ...]:
        """voice-1, voice-2, ..., or names of parts."""
        return self._stems

    @property
    def comb(self) -> CombMasks:
        """From pitches to masks."""
        return self._comb

    @property
    def tracker(self) -> PitchTracker | None:
        """What tracks the pitches; None where they are given."""
        return self._tracker

    @property
    def report(self) -> VoiceReport:
        """Pitch, level and `merged` flag of every voice after the last hop."""
        return self._report

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """See `MaskModel.step`."""
        self._hops += 1
        report = self._report
        self._mean_power.read(spectrum)
        if self._tracker is not None:
            np.sqrt(self._power, out=self._amplitude)
            self._tracker.step(self._amplitude, self._f0_hz, self._confident)
            if self._order is not None:
                self._order.step(self._power, self._f0_hz, self._confident)
        elif self._f0 is not None:
            self._f0.at(self._time_s(), self._f0_hz)
            np.greater(self._f0_hz, 0, out=self._confident)
        self._mask(masks)
        report.followed_hz[...] = self._f0_hz
        np.multiply(self._f0_hz, self._confident, out=report.f0_hz)
        mark_merged(report.f0_hz, report.merged)

    def _mask(self, masks: NDArray[np.float32]) -> None:
        """The masks of these pitches; where others are nearly as likely, the mean of all by how likely each
        is."""
        others, count = self._others, self._others.count
        for f0_hz, supposed in zip(others.f0_hz[:count], self._supposed, strict=False):
            heard_hz = f0_hz if self._order is None else f0_hz[self._order.slots]
            self._comb.suppose(self._power, heard_hz, supposed)
        self._comb.step(self._power, self._f0_hz, masks, self._report.level_db)
        if count:
            masks *= others.share[0]
            for share, supposed in zip(others.share[1 : 1 + count], self._supposed, strict=False):
                supposed *= share
                masks += supposed

    def _time_s(self) -> float:
        """Stream time at which this hop's F0 is meant."""
        return self._hops * self._framing.hop / self._framing.samplerate - self._pitch_delay_s

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Voices share out the partials among each other: none can be left out."""

    def skip(self) -> None:
        """See `MaskModel.skip`."""
        self._hops += 1
        if isinstance(self._tracker, NetworkTracker):
            self._tracker.skip()

    def reset(self) -> None:
        """Back to before the first hop."""
        self._hops = 0
        self._comb.reset()
        if self._tracker is not None:
            self._tracker.reset()
        if self._order is not None:
            self._order.reset()
        self._report.clear()

    def state_dict(self) -> State:
        """Tracker, comb, the hop count and the report."""
        tracker = self._tracker.state_dict() if self._tracker is not None else {}
        order = self._order.state_dict() if self._order is not None else {}
        return {
            "hops": np.array(self._hops, np.int64),
            "f0_hz": self._report.f0_hz.copy(),
            "level_db": self._report.level_db.copy(),
            "merged": self._report.merged.copy(),
            **{f"tracker.{name}": value for name, value in tracker.items()},
            **{f"order.{name}": value for name, value in order.items()},
            **{f"comb.{name}": value for name, value in self._comb.state_dict().items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, NaN or Inf, or pitches outside the tracker's grid; nothing has
                changed then.
        """
        require_like(self.state_dict(), state, "model")
        parts: list[tuple[Stateful, State]] = [(self._comb, _of(state, "comb."))]
        if self._tracker is not None:
            parts.append((self._tracker, _of(state, "tracker.")))
        if self._order is not None:
            parts.append((self._order, _of(state, "order.")))
        load_all(parts)
        self._hops = int(state["hops"])
        self._report.f0_hz[...] = self._report.followed_hz[...] = state["f0_hz"]
        self._report.level_db[...] = state["level_db"]
        self._report.merged[...] = state["merged"]


def _of(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
