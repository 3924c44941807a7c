"""What a client may ask of the session, the same by HTTP and by WebSocket."""

import asyncio
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.web.watcher import Watcher

ASKS = "list"  # an action that only tells is no event
LONGEST_WORDS = 500  # characters of a marker, of a scene's name


def set_values(model: CommandModel, values: object) -> dict[str, float]:
    """Many parameters at one moment; what they are now.

    Raises:
        RtsepError: no object, or as `CommandModel.update`; nothing has changed then.
    """
    if not isinstance(values, dict) or not values:
        raise RtsepError("values that are no object, or none", 'send {"voice-1.gain": -6, ...}')
    return model.update(values)


async def act(watcher: Watcher, action: str, words: object) -> Any:
    """Does something besides setting parameters; the session's answer.

    Raises:
        RtsepError: no such action, words that are no text, or what the session refuses.
    """
    if not isinstance(words, str) or len(words) > LONGEST_WORDS:
        raise RtsepError(f"words that are no text of up to {LONGEST_WORDS} characters", "send a short text")
    answer = await asyncio.to_thread(watcher.model.do, action, words)
    if words.strip() != ASKS:
        watcher.events.add("action", f"{action} {words}".strip())
    return answer
