"""Property tests never fail for being slow: the machine may be busy, and time is measured under bench/."""

import os

from hypothesis import settings

# Networks of tests are small: on a busy machine two threads of torch waiting for each other take a hundred
# times as long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
