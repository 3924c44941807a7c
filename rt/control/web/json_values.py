"""JSON as browsers read it: an infinite level is the word for it, as a person writes it too."""

import json
import math
from typing import Any

from rtsep.kernels.errors import RtsepError


def plain(value: Any) -> Any:
    """JSON types that every parser reads: infinite numbers as "-inf" and "inf", NaN as null.

    >>> plain({"voice-1.gain": float("-inf"), "dry": 0.5})
    {'voice-1.gain': '-inf', 'dry': 0.5}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{value:g}"
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def dumps(value: Any) -> str:
    """`plain` as text."""
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What a client sent.

    Raises:
        RtsepError: no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RtsepError(f"a request that is no JSON ({str(error)[:80]})", "send JSON") from None
