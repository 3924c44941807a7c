"""How much one client may ask for: a bucket that fills evenly and holds a moment's worth."""

import time
from collections import OrderedDict
from collections.abc import Callable

# A fader under a finger sends 30 values a second, and two hands move several; a page loads a dozen files.
REQUESTS_PER_S, BURST = 100.0, 250.0
REMEMBERED = 1024  # clients whose bucket is kept; the one that has been quiet for longest is forgotten


class Bucket:
    """Tokens for one client.

    Args:
        rate: of tokens that come in a second.
        burst: how many it holds.
        clock: seconds that only go on.
    """

    def __init__(
        self, rate: float = REQUESTS_PER_S, burst: float = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> bool:
        """Whether there is one left; it is gone then."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + self._rate * (now - self._at))
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Buckets:
    """One for each client's address."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, client: str) -> bool:
        """Whether the client may ask for something now."""
        bucket = self._buckets.setdefault(client, Bucket())
        self._buckets.move_to_end(client)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket.take()
