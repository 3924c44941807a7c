"""The server's process, started by `rtsep.rt.control.web.web_keeper` as
`python -m rtsep.rt.control.web.web_process` with its settings on stdin.

It ends with its parent. Nothing in it can reach the sound: it reads the status and writes parameters in
shared memory, and the engine waits for neither.
"""

import asyncio
import logging
import os
import socket
import sys
from collections import Counter

from aiohttp import web

from rtsep.rt.control.web.api import Api
from rtsep.rt.control.web.door import Door
from rtsep.rt.control.web.guard import LARGEST_BODY, Guard
from rtsep.rt.control.web.listening import WebSettings, is_loopback
from rtsep.rt.control.web.watcher import Watcher
from rtsep.rt.process.block import Block
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.scheduling import give_way
from rtsep.rt.process.shared_memory import SharedMemory

POLL_S = 0.1  # how soon it notices that it is to end
NICENESS = 5  # where processor time is short a page waits before anything that sounds or records
LINGER_S = 1.0  # for the rest of a request that was too big, so that the answer is still read
SHUTDOWN_S = 0.5


async def serve(
    settings: WebSettings, listening: socket.socket, watcher: Watcher, watch: ParentWatch
) -> None:
    """Until told to end, or a part of it fails."""
    counts: Counter[str] = Counter()
    local = is_loopback(listening.getsockname()[0])
    door, guard = Door(counts), Guard(settings, local, counts)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[door.middleware, guard.middleware])
    Api(watcher, counts).add_to(app)
    runner = web.AppRunner(
        app, access_log=None, lingering_time=LINGER_S, shutdown_timeout=SHUTDOWN_S, keepalive_timeout=75.0
    )
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(door.leading_to(runner.server), sock=listening)
    watching = asyncio.create_task(watcher.run())
    try:
        while not watch():
            if watching.done():
                watching.result()
            await asyncio.sleep(POLL_S)
    finally:
        watching.cancel()
        server.close()
        await runner.cleanup()


def main() -> int:
    """argv: descriptors of the status block, of the command block, of the listening socket."""
    watch = ParentWatch()
    status, commands = (SharedMemory(int(fd)) for fd in sys.argv[1:3])
    listening = socket.socket(fileno=int(sys.argv[3]))
    settings = WebSettings.from_json(sys.stdin.readline())
    give_way(NICENESS)
    logging.disable(logging.CRITICAL)  # what clients do wrong is counted; a log of it could fill a disk
    asyncio.run(serve(settings, listening, Watcher(Block(status), commands, settings.session), watch))
    return 0


if __name__ == "__main__":
    code = main()
    os._exit(code)  # a thread that still waits for the session's answer holds nobody up
