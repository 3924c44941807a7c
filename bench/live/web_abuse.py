"""Who should not be there: what is to be refused by the mixer page's server, over and over.

    python -m rtsep.bench.live.web_abuse http://127.0.0.1:8080/

Every five seconds a page of a foreign origin, a message of 10 MB, a thousand commands at once, and words that
are no JSON. Runs until standard input closes, then tells what was tried and how the server answered.
"""

import asyncio
import json
import sys
from collections import Counter
from contextlib import AbstractContextManager, suppress
from typing import Any

import click

from rtsep.bench.live.teller import running

PERIOD_S = 5.0
LARGE_BYTES, COMMANDS = 10_000_000, 1000


def abusing(url: str) -> AbstractContextManager[dict[str, Any]]:
    """In a process of its own; the dict gets what it tells when it has ended."""
    return running("rtsep.bench.live.web_abuse", url)


async def _round(url: str, counts: "Counter[str]") -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}api/status", headers={"Origin": "http://evil.example"}) as answer:
            counts[f"foreign origin: {answer.status}"] += 1
        async with session.ws_connect(f"{url}api/live", max_msg_size=0) as live:
            with suppress(ConnectionError):  # the server does not read it to its end
                await live.send_str("x" * LARGE_BYTES)
            while (await live.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            counts["messages of 10 MB"] += 1
        async with session.ws_connect(f"{url}api/live", max_msg_size=0) as live:
            await live.send_str("{no JSON")
            for step in range(COMMANDS):
                await live.send_json({"type": "set", "name": "residual.gain", "value": -(step % 12)})
            counts["commands"] += COMMANDS
            with suppress(TimeoutError):
                while True:
                    message = await asyncio.wait_for(live.receive(), 0.5)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    counts["told of errors"] += json.loads(message.data)["type"] == "error"


async def _abuse(url: str, counts: "Counter[str]") -> None:
    while True:
        try:
            await _round(url, counts)
        except Exception as error:  # it is no friend, and goes on
            counts[f"failed: {type(error).__name__}"] += 1
        await asyncio.sleep(PERIOD_S)


async def _until_closed(url: str) -> None:
    counts: Counter[str] = Counter()
    task = asyncio.create_task(_abuse(url, counts))
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()
    print(json.dumps(counts))


@click.command()
@click.argument("url")
def main(url: str) -> None:
    """Abuses the server at URL until standard input closes."""
    asyncio.run(_until_closed(url))


if __name__ == "__main__":
    main()
