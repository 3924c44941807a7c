"""From settings to a separator that is warmed up, alike in the engine, in a spare and in a second process."""

from dataclasses import dataclass

from rtsep.rt.fallback import load_or_fall_back
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.separator import Separator
from rtsep.rt.warm_up import warm_up


@dataclass(frozen=True)
class Loaded:
    """A separator that nobody has used, what it was loaded for, and what the user should know."""

    settings: LiveSettings
    samplerate: int
    separator: Separator
    notes: list[str]


def load_engine(
    settings: LiveSettings, samplerate: int, loaded: Loaded | None = None
) -> tuple[Separator, list[str]]:
    """A fresh separator, and what the user should know; that which is `loaded`, where that is asked for.

    Raises:
        RtsepError: as `Separator.load`.
    """
    if loaded is not None and (loaded.settings, loaded.samplerate) == (settings, samplerate):
        return loaded.separator, loaded.notes
    separator, notes = load_or_fall_back(
        settings.model,
        voices=settings.voices,
        samplerate=samplerate,
        latency_ms=settings.latency_ms,
        channels=settings.channels,
        backend=settings.backend,
        f0=settings.f0,
        stems=settings.choice.stems,
        add_ons=settings.choice.add_ons,
        render=settings.render,
        score=settings.score,
        parts=settings.parts,
    )
    warm_up(separator)
    return separator, notes
