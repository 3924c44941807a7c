"""One recording in a process of its own, started by `rtsep.rt.archive.job` as
`python -m rtsep.rt.archive.one_recording PARENT PICTURE OPTIONS...`.

It runs `rtsep OPTIONS...` and draws its pitches. It ends when its parent is gone, so that nobody separates
for a batch that was killed.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

LOOK_S = 0.5


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """argv: process id of the parent, file of the picture ("" for none), options of `rtsep`."""
    from rtsep.rt.cli.main import run

    parent, picture, *options = sys.argv[1:]
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    code = run(options)
    if code == 0 and picture:
        from rtsep.rt.archive.pitch_picture import draw_pitches

        table = Path(options[options.index("--f0-out") + 1])
        draw_pitches(table, Path(picture), Path(options[options.index("--input") + 1]).name)
    return code


if __name__ == "__main__":
    sys.exit(main())
