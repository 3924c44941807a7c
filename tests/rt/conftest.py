"""A JACK server for the tests marked `jack`."""

import shutil
from collections.abc import Iterator

import pytest

from rtsep.bench.jack_rig import JackServer


@pytest.fixture
def jack_server() -> Iterator[JackServer]:
    """jackd with the dummy driver: 48 kHz, blocks of 128, 2 inputs, 8 outputs."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    with JackServer() as server:
        yield server
