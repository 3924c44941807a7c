"""From the peaks that were chosen for voices to the pitches they follow: a peak goes to one voice, and a
silent voice may join it. And what else could have been chosen, with how likely that is."""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ

F32 = NDArray[np.float32]

# The assignment takes pitches from log odds of about -2; below -4 not even a held one would be kept.
LEAST_LOG_ODDS = -4.0
SAME_VOICE = 0.75  # candidates: neighbours that point to the same place
REPORT_LOG_ODDS = -0.7  # from here on a pitch is reported; below, it only guides the masks
UNISON_LOG_ODDS = 0.0  # from here on a voice that is nowhere else joins its neighbour
# A voice that falls silent as near to a neighbour's pitch as this more likely sings in unison with it than
# has stopped. Half of what two sing is better for it than nothing, and costs the other little; a longer rest
# is a rest. Two seconds instead of one: 0.5 dB on a melody over a drone, 0.75 dB on long unisons (rendered
# duets, three casts), 0.00 to 0.01 dB on real quartets.
JOIN_CENTS = 230.0
JOIN_S = 2.0
# Where a score is followed, only who may sing a neighbour's pitch as far as is written joins it.
LEAST_JOIN_BIAS = -1.0
# Hypotheses beside the best one whose masks are heard too, and what share one must have: each costs what the
# masks of a hop cost.
OTHERS = 2
LEAST_SHARE = 0.02
# A score so much lower is e times less likely. Scores are sums of log odds over the last tenth of a second,
# whose hops say the same again: 0.7 to 1.5 give the same SI-SDR on a real quartet, 5 less.
SCORE_PER_E = 1.5


class PeakFinder:
    """The peaks of what the network says of all candidates.

    Attributes:
        place, log_odds: float32 [peaks], of the last peaks, as of `salience_peaks`.
    """

    def __init__(self) -> None:
        self.place, self.log_odds = (np.zeros(_core.PitchAssignment.PEAKS, np.float32) for _ in range(2))

    def find(self, salience: F32, offset: F32) -> int:
        """How many there are.

        Shape:
            salience, offset: C-contiguous float32 [CANDIDATES], as of `PitchNet`.
        """
        return _core.salience_peaks(salience, offset, LEAST_LOG_ODDS, SAME_VOICE, self.place, self.log_odds)


class PeakReading:
    """Pitch and confidence of every voice, hop by hop.

    Args:
        voices: how many.
        hop_s: between two readings.

    Attributes:
        f0_hz: float32 [voices], of the last hop, 0 where there is none.
        confident: bool [voices].
        own_hz: float32 [voices], the last pitch of each that was not a neighbour's.
        silent_s: float32 [voices], time since then.
    """

    def __init__(self, voices: int, hop_s: float) -> None:
        self._hop_s = hop_s
        self.own_hz = np.zeros(voices, np.float32)
        self.silent_s = np.zeros(voices, np.float32)
        self.f0_hz = np.zeros(voices, np.float32)
        self.confident = np.zeros(voices, np.bool_)
        self._kept = tuple(array.copy() for array in (self.own_hz, self.silent_s, self.f0_hz, self.confident))

    def read(
        self,
        place: F32,
        log_odds: F32,
        chosen: NDArray[np.int32],
        unison: F32,
        bias: F32 | None = None,
    ) -> None:
        """Takes the next hop.

        Shape:
            place, log_odds: float32 [peaks], as of `salience_peaks`; chosen: int32 [voices], a peak or
            silence; unison: float32 [CANDIDATES], log odds that two voices sing there; bias: float32
            [voices, peaks + 1], as of `PitchAssignment`, None without a score.
        """
        for voice, peak in enumerate(chosen):
            sounding = peak != _core.PitchAssignment.SILENT
            self.f0_hz[voice] = _hz(place[peak]) if sounding else 0.0
            self.confident[voice] = sounding and log_odds[peak] >= REPORT_LOG_ODDS
            if sounding:
                self.own_hz[voice], self.silent_s[voice] = self.f0_hz[voice], 0.0
            else:
                self.silent_s[voice] = min(self.silent_s[voice] + self._hop_s, 2.0 * JOIN_S)
        self._join(unison, chosen, bias)

    def suppose(
        self, place: F32, log_odds: F32, chosen: NDArray[np.int32], unison: F32, bias: F32 | None, f0_hz: F32
    ) -> None:
        """The pitches that `read` would give for other peaks; nothing is remembered of them."""
        known = self.own_hz, self.silent_s, self.f0_hz, self.confident
        for kept, array in zip(self._kept, known, strict=True):
            kept[...] = array
        self.read(place, log_odds, chosen, unison, bias)
        f0_hz[...] = self.f0_hz
        for kept, array in zip(self._kept, known, strict=True):
            array[...] = kept

    def _join(self, unison: F32, chosen: NDArray[np.int32], bias: F32 | None) -> None:
        """A silent neighbour joins a peak where the network finds two voices at one pitch, and, not
        confident, where its own last pitch was near."""
        sung_hz = self.f0_hz.tolist()
        joined = False
        for voice, own_hz in enumerate(sung_hz):
            if own_hz > 0:
                continue
            near_hz, nearest_cents = 0.0, JOIN_CENTS
            for other in (voice - 1, voice + 1):
                if not (0 <= other < len(sung_hz) and sung_hz[other] > 0):
                    continue
                if not _may_join(bias, voice, int(chosen[other])):
                    continue
                hz = sung_hz[other]
                if not joined and self.confident[other]:
                    g = int(np.clip(np.round(_candidate(hz)), 0, CANDIDATES - 1))
                    if unison[g] >= UNISON_LOG_ODDS:
                        near_hz, self.confident[voice], joined = hz, True, True
                        break
                if self.silent_s[voice] <= JOIN_S and self.own_hz[voice] > 0:
                    cents = abs(1200.0 * math.log2(hz / float(self.own_hz[voice])))
                    if cents < nearest_cents:
                        near_hz, nearest_cents = hz, cents
            self.f0_hz[voice] = near_hz

    def reset(self) -> None:
        """Nobody has sung yet."""
        self.own_hz[...] = 0
        self.silent_s[...] = 0
        self.f0_hz[...] = 0
        self.confident[...] = False


class OtherReadings:
    """What the voices sing in the likeliest other hypotheses of an assignment, hop by hop.

    Between two notes the best hypothesis is often hardly better than the next. The mean of the masks that
    follow from each, by how likely it is, has the least squared error that can be expected (the posterior
    mean), and a voice that was given to its neighbour is not lost at once.

    Args:
        voices: how many.

    Attributes:
        share: float32 [1 + OTHERS], of the best hypothesis and of these, likeliest first; their sum is 1.
        f0_hz: float32 [OTHERS, voices], 0 where there is none.
    """

    def __init__(self, voices: int) -> None:
        self.share = np.zeros(1 + OTHERS, np.float32)
        self.f0_hz = np.zeros((OTHERS, voices), np.float32)
        self.reset()

    @property
    def count(self) -> int:
        """How many there are, 0..`OTHERS`."""
        return int(np.count_nonzero(self.share[1:]))

    def reset(self) -> None:
        """Nothing to doubt yet."""
        self.share[...] = 0
        self.share[0] = 1
        self.f0_hz[...] = 0

    def read(
        self,
        reading: PeakReading,
        place: F32,
        log_odds: F32,
        hypotheses: NDArray[np.int32],
        score: F32,
        unison: F32,
        bias: F32 | None,
    ) -> None:
        """Takes the hypotheses after a hop, before `reading` takes the best one.

        Shape:
            place, log_odds, unison, bias: as of `PeakReading.read`; hypotheses: int32 [beam, voices], peaks
            as there, the best one first, no two alike; score: float32 [beam], -inf where there is none.
        """
        self.reset()
        likely = np.exp((score[: 1 + OTHERS] - score[0]) / SCORE_PER_E)
        for k in range(1, len(likely)):
            if not likely[k] >= LEAST_SHARE * likely[: k + 1].sum():  # nor is a score of NaN any
                break
            reading.suppose(place, log_odds, hypotheses[k], unison, bias, self.f0_hz[k - 1])
            self.share[k] = likely[k]
        self.share /= self.share.sum()


def _may_join(bias: F32 | None, voice: int, peak: int) -> bool:
    """Whether the score, where there is one, has a voice near the peak of another."""
    return bias is None or (peak >= 0 and bool(bias[voice, peak + 1] >= LEAST_JOIN_BIAS))


def _hz(place: float) -> float:
    return float(LOWEST_CANDIDATE_HZ * 2.0 ** (place * CANDIDATE_CENTS / 1200.0))


def _candidate(f0_hz: float) -> float:
    return float(1200.0 / CANDIDATE_CENTS * np.log2(f0_hz / LOWEST_CANDIDATE_HZ))
