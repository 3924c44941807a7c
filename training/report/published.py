"""Published numbers that the tables show for scale, each with how it is known.

All are offline systems under the protocol of `rtsep.training.measures.protocol` on the Choral Singing Dataset
(three songs, one singer per part), so they compare with an evaluation on that dataset only, and loosely with
one on a single song of it.
"""

from dataclasses import dataclass

PAPER = "Schulze-Forster et al. 2022"
SUCCESSOR = "Richard et al. 2024"


@dataclass(frozen=True)
class Published:
    """One number.

    Attributes:
        system: what it is.
        voices: of the mixtures, 2 or 4.
        songs: what it was measured on.
        mean_db, median_db: SI-SDR over all 1 s frames of all voices; None where not given.
        known_by: "log" (result files published with the code), "quoted" (in a later paper's table) or
            "plot" (read off a figure, within 0.2 dB).
    """

    system: str
    voices: int
    songs: str
    mean_db: float
    median_db: float | None
    known_by: str


ALL = "all three songs"
SONG = "Niño Dios, singer 4"

PUBLISHED = (
    Published(f"{PAPER}, estimated F0", 4, ALL, 6.91, 7.60, "quoted"),
    Published(f"{PAPER}, F0 from stems", 4, ALL, 8.4, None, "plot"),
    Published(f"{PAPER}, solo-trained, estimated F0", 4, ALL, 6.85, 7.88, "log"),
    Published("U-Net after Petermann et al. 2020, estimated F0", 4, ALL, 4.44, 5.71, "quoted"),
    Published(f"{SUCCESSOR}, F0 learnt in the model", 4, ALL, 6.20, 6.91, "log"),
    Published(f"{PAPER}, F0 from stems", 4, SONG, 5.9, None, "plot"),
    Published(f"{PAPER}, solo-trained, estimated F0", 4, SONG, 5.1, None, "plot"),
    Published(f"{SUCCESSOR}, F0 learnt in the model", 4, SONG, 4.1, None, "plot"),
    Published(f"{PAPER}, estimated F0", 2, ALL, 14.7, None, "plot"),
    Published(f"{PAPER}, trained on one song, estimated F0", 2, ALL, 13.4, None, "plot"),
    Published(f"{PAPER}, solo-trained, estimated F0", 2, ALL, 13.69, 14.03, "log"),
    Published("U-Net after Petermann et al. 2020, estimated F0", 2, ALL, 13.4, None, "plot"),
    Published(f"{PAPER}, solo-trained, estimated F0", 2, SONG, 11.2, None, "plot"),
)


def published(voices: int) -> list[Published]:
    """What is known of mixtures of so many voices."""
    return [row for row in PUBLISHED if row.voices == voices]
