"""What mixtures to train on are like, and what one of them is."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

CEILING_HZ = 7800.0  # of mixtures as recorded at 16 kHz
KNOTS = 8
KNOTS_HZ = 40.0 * 2.0 ** (np.arange(KNOTS) * np.log2(12000.0 / 40.0) / (KNOTS - 1))


@dataclass(frozen=True)
class MixtureSettings:
    """What mixtures are like.

    Levels are those of real multitracks: a stem against the sum of the others, mean and spread in dB.
    """

    random_share: float = 0.5  # of rows: stems of different songs
    borrowed_vocals: float = 0.7  # of coherent songs that have no singer: one of another song
    backing_share: float = 0.15  # of vocals: a second singer, fainter
    balanced_share: float = 0.35  # of rows: all stems about equally loud
    level_vocals_db: tuple[float, float] = (-7.0, 5.0)
    level_drums_db: tuple[float, float] = (-9.0, 7.0)
    level_bass_db: tuple[float, float] = (-5.0, 3.0)
    level_other_db: tuple[float, float] = (-3.0, 6.0)
    balanced_spread_db: float = 3.0
    absent: tuple[float, float, float, float] = (0.2, 0.12, 0.12, 0.08)  # vocals, drums, bass, other
    speed: tuple[float, float] = (0.87, 1.15)  # pitch and tempo together
    speed_vocals: tuple[float, float] = (0.78, 1.2)  # moves formants too: as if by other singers
    changed_speed: float = 0.5  # of stems
    driven: tuple[float, float, float, float] = (0.25, 0.1, 0.12, 0.12)  # of stems: soft clipping
    wet: tuple[float, float, float, float] = (0.4, 0.1, 0.05, 0.2)  # of stems: in a room
    wet_db: tuple[float, float] = (-20.0, -5.0)  # of the room re the dry sound
    # Shares of stems whose lows are cut, as mixing engineers do: without it the decoders learn from low
    # notes of a piano that sound below 150 Hz can be `other`, and split a real bass between the two stems.
    low_cut: tuple[float, float, float, float] = (0.9, 0.1, 0.35, 0.9)
    low_cut_hz: tuple[float, float] = (80.0, 250.0)
    # Three of seven real basses have a tenth of their energy below 90 Hz, where rendered ones have a third.
    low_cut_bass_hz: tuple[float, float] = (60.0, 160.0)
    thin_vocals: float = 0.1  # of vocals: as through a telephone or a megaphone, a usual effect
    thin_low_cut_hz: tuple[float, float] = (300.0, 1000.0)
    thin_high_cut_hz: tuple[float, float] = (2500.0, 7000.0)
    high_cut_bass: float = 0.4  # of basses: as through a loudspeaker without a tweeter
    high_cut_bass_hz: tuple[float, float] = (700.0, 5000.0)
    equaliser_db: float = 6.0  # at most, either way, smooth over frequency
    gain_db: float = 10.0  # of the whole mixture, either way
    quietest_dbfs: float = -20.0  # of the mixture, before that gain
    low_passed: float = 0.06  # of rows: as recorded at 16 kHz


class Row(NamedTuple):
    """One mixture.

    Attributes:
        sources: float32 [stems + 1, samples]; the last is what is not told apart.
        known: bool [stems]: whether a source is exactly its stem.
        curves_db: float32 [stems + 1, KNOTS], equaliser at `KNOTS_HZ`.
        cuts_hz: float32 [stems + 1, 2], where lows and highs are cut; 0 and inf where they are not.
        limit_hz: nothing can be learnt above it.
        ceiling_hz: nothing of the mixture is above it.
    """

    sources: F32
    known: NDArray[np.bool_]
    curves_db: F32
    cuts_hz: F32
    limit_hz: float
    ceiling_hz: float
