"""An engine in waiting, started by `rtsep.rt.live.engines.spare_keeper` as
`python -m rtsep.rt.live.engines.spare_process` with what to load on stdin.

On a busy machine most of the silence after an engine that failed is what a process needs to import libraries
and to load and warm up a model. This one has done it, and plays when a second line comes. PortAudio is not
started before: it lists devices when it starts.
"""

import json
import signal
import sys

from rtsep.kernels.errors import RtsepError
from rtsep.rt.live.engine_process import EngineProcess, play
from rtsep.rt.live.engines.loading import Loaded, load_engine
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.process.child_process import run_and_leave


def main() -> int:
    """argv: the descriptors of `EngineProcess`; stdin: settings and rate in Hz, then any line to play."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in an engine
    asked = json.loads(sys.stdin.readline())
    settings, samplerate = LiveSettings.from_json(asked["settings"]), asked["samplerate"]
    try:
        loaded = Loaded(settings, samplerate, *load_engine(settings, samplerate))
    except RtsepError:
        return 1  # an engine that is asked to load it says why it cannot
    if not sys.stdin.readline():
        return 0
    return play(EngineProcess([int(fd) for fd in sys.argv[1:5]], loaded), settings)


if __name__ == "__main__":
    run_and_leave(main)
