"""What the runs of the grid learn from: databases that know all stems, or one stem each."""

from collections.abc import Sequence
from functools import partial

from rtsep.training.databases.stem_folder import StemFolder

FULL, DISJOINT = "full", "disjoint"
REGIMES = (FULL, DISJOINT)


def databases_of(regime: str, databases: Sequence[StemFolder], stems: Sequence[str]) -> list[StemFolder]:
    """The databases as a regime has them.

    full: coherent songs are those whose database knows all stems; every other database lends its stems, by
    themselves, to mixtures at random. Every stem of every mixture is known.

    disjoint: no database knows more than one stem, and no song teaches two: what else sounds in it is an
    unknown rest. A database that knows several stems is split. Where it has vocals, it knows the vocals; its
    songs are shared out over the other stems where it has none, all performances of a song to one stem.
    """
    if regime == FULL:
        return [
            d.as_if(known=d.manifest.known, songs=_any, coherent=set(stems) <= set(d.manifest.known))
            for d in databases
        ]
    return [part for database in databases for part in _parts(database, stems)]


def _parts(database: StemFolder, stems: Sequence[str]) -> list[StemFolder]:
    songs = (*database.songs, *database.held_out)
    known = [s for s in stems if s in database.manifest.known and any(s in song.files for song in songs)]
    coherent = database.manifest.coherent
    if "vocals" in known or len(known) < 2:
        return [database.as_if(known=known[:1], songs=_any, coherent=coherent)] if known else []
    works = sorted({work(song.name) for song in songs})
    return [
        database.as_if(known=(stem,), songs=partial(_among, works[place :: len(known)]), coherent=coherent)
        for place, stem in enumerate(known)
    ]


def work(song: str) -> str:
    """Performances of a song are named after it and numbered: `song-1`, `song-2`."""
    name, dash, number = song.rpartition("-")
    return name if dash and number.isdigit() else song


def _any(name: str) -> bool:
    return True


def _among(works: Sequence[str], name: str) -> bool:
    return work(name) in works
