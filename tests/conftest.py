"""Property tests never fail for being slow: the machine may be busy, and time is measured under bench/."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
