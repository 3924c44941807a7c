"""A live run beside a bare client: who was late is read from the server's log."""

import shutil

import numpy as np
import pytest

from rtsep.bench.jack_rig import JackServer
from rtsep.bench.live.beside import BARE_PROGRAM, SAMPLERATE, late_clients, run_beside

LOG = """JACK server starting in realtime mode with priority 10
JackEngine::XRun: client = rig-player was not finished, state = Running
JackAudioDriver::ProcessGraphAsyncMaster: Process error
JackEngine::XRun: client = PortAudio was not finished, state = Triggered
JackEngine::XRun: client = PortAudio was not finished, state = Running
JackTimedDriver::Process XRun = 2128 usec
"""


def test_clients_that_were_late_are_named() -> None:
    assert late_clients(LOG) == {"rig-player": 1, "PortAudio": 2, "server": 1}


@pytest.mark.jack
def test_the_log_of_a_server_is_read_while_it_runs() -> None:
    with JackServer() as server:
        assert "JACK server starting" in server.log()
        before = server.log()
        assert server.log().startswith(before)


@pytest.mark.jack
@pytest.mark.parametrize("with_rtsep", [True, False])
@pytest.mark.slow
def test_a_short_run_counts_what_it_says(with_rtsep: bool) -> None:
    """Whether anything is late is the machine's business; what is counted, and of whom, is not."""
    if shutil.which(BARE_PROGRAM) is None:
        pytest.skip(f"{BARE_PROGRAM} is not installed")
    music = 0.1 * np.random.default_rng(0).standard_normal(3 * SAMPLERATE).astype(np.float32)
    found = run_beside(music, ("vocals", "drums"), 43, 256, with_rtsep)
    assert (found.period, found.seconds, found.with_rtsep) == (256, 3.0, with_rtsep)
    assert min(found.rig_xruns, found.xruns, found.late_hops, found.fallback_samples) >= 0
    if with_rtsep:
        assert 0.0 < found.hop_time_p50 <= found.hop_time_max
        assert 50.0 < found.resident_mib < 400.0
    else:
        assert found.hop_time_max == found.resident_mib == found.late_hops == 0
