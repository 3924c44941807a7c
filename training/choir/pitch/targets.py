"""What the pitch network should say: from the F0 of every voice to salience, offset and unison targets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.model import MERGED_CENTS
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ

F32 = NDArray[np.float32]

# A voice so far below the loudest, or so near silence, is no reason to call silence right or wrong.
AUDIBLE_BELOW_LOUDEST_DB = -36.0
AUDIBLE_DBFS = -78.0
# Where exactly a note ends no two labels agree. What rings on in the room after that is not sung: taken for a
# voice, it would push every voice below into its neighbour's place while the singer is already elsewhere.
TAIL_S = 0.1
TAIL_DB = -30.0


@dataclass(frozen=True)
class PitchTargets:
    """Targets of consecutive frames.

    Attributes:
        salience: float32 [frames, CANDIDATES]: 1 within half a candidate of a voice, falling to 0 at one.
        weight: float32 [frames, CANDIDATES]: 0 where nothing can be said.
        offset: float32 [frames, CANDIDATES]: to the nearest voice, in candidates; meant where salience > 0.
        unison: float32 [frames, CANDIDATES]: 1 where two voices are within `MERGED_CENTS` of each other.
    """

    salience: F32
    weight: F32
    offset: F32
    unison: F32


def position(f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place on the axis of candidates; 0 Hz is far below it."""
    return np.asarray(1200.0 / CANDIDATE_CENTS * np.log2(np.maximum(f0_hz, 1e-3) / LOWEST_CANDIDATE_HZ))


def pitch_targets(f0_hz: NDArray[np.float64], tail_hz: NDArray[np.float64], level_db: F32) -> PitchTargets:
    """Targets for one stream.

    Shape:
        f0_hz: [voices, frames], 0 = unvoiced; tail_hz: [voices, frames], the pitch that rings on there, 0 =
        none; level_db: [voices, frames] in dBFS, of the voice in the mixture.
    """
    grid = np.arange(CANDIDATES)
    frames = f0_hz.shape[1]
    salience, offset = np.zeros((frames, CANDIDATES)), np.zeros((frames, CANDIDATES))
    weight, unison = np.ones((frames, CANDIDATES)), np.zeros((frames, CANDIDATES))
    nearest = np.full((frames, CANDIDATES), np.inf)
    loudest = level_db.max(axis=0, initial=-200.0)
    audible = (level_db > AUDIBLE_DBFS) & (level_db > loudest + AUDIBLE_BELOW_LOUDEST_DB)
    places = position(f0_hz)
    for voice, place in enumerate(places):
        away = place[:, None] - grid
        near = np.clip(2.0 * (1.0 - np.abs(away)), 0.0, 1.0)
        sounding = audible[voice][:, None]
        weight[(near > 0) & ~sounding] = 0.0
        salience = np.maximum(salience, np.where(sounding, near, 0.0))
        closer = np.abs(away) < nearest
        offset = np.where(closer, away, offset)
        nearest = np.minimum(np.abs(away), nearest)
        for other in range(voice):
            apart_cents = CANDIDATE_CENTS * np.abs(place - places[other])
            together = (f0_hz[voice] > 0) & (f0_hz[other] > 0) & (apart_cents < MERGED_CENTS)
            both = together & audible[voice] & audible[other]
            unison = np.maximum(unison, np.where(both[:, None], near, 0.0))
    for place in position(tail_hz):
        ringing = np.abs(place[:, None] - grid) < 1.5
        weight[ringing & (salience == 0)] = 0.0
    kind = np.float32
    return PitchTargets(
        salience.astype(kind),
        weight.astype(kind),
        np.clip(offset, -1.0, 1.0).astype(kind),
        unison.astype(kind),
    )


def tails(f0_hz: NDArray[np.float32], level_db: F32, frame_s: float) -> NDArray[np.float64]:
    """The pitch of a voice that has just ended: [voices, frames], 0 = none.

    Shape:
        f0_hz, level_db: [voices, frames] every `frame_s`.
    """
    voices, frames = f0_hz.shape
    ringing = np.zeros((voices, frames))
    index = np.arange(frames)
    for voice in range(voices):
        voiced = f0_hz[voice] > 0
        if not voiced.any():
            continue
        usual_db = float(np.median(level_db[voice][voiced]))
        last = np.maximum.accumulate(np.where(voiced, index, -1))
        recent = (last >= 0) & (index - last <= round(TAIL_S / frame_s)) & ~voiced
        loud = level_db[voice] > usual_db + TAIL_DB
        ringing[voice] = np.where(recent & loud, f0_hz[voice][np.maximum(last, 0)], 0.0)
    return ringing
