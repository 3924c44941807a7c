"""Property tests never fail for being slow: the machine may be busy, and time is measured under bench/.
A JACK server for the tests marked `jack`."""

import os
import shutil
from collections.abc import Iterator

# Networks of tests are small: on a busy machine two threads of torch waiting for each other take a hundred
# times as long as one. Libraries read this when they load; two threads round otherwise than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from rtsep.bench.jack_rig import JackServer

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def jack_server() -> Iterator[JackServer]:
    """jackd with the dummy driver: 48 kHz, blocks of 128, 2 inputs, 8 outputs."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    with JackServer() as server:
        yield server
