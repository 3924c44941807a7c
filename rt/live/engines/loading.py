"""From settings to a separator, alike in the engine and in a second process."""

from rtsep.rt.fallback import load_or_fall_back
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.separator import Separator


def load_engine(settings: LiveSettings, samplerate: int) -> tuple[Separator, list[str]]:
    """A fresh separator, and what the user should know; RtsepError as `Separator.load`."""
    return load_or_fall_back(
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
