"""One separator is one stream's memory: not copied by accident, not used by two threads at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class OneOwner:
    """Base of what holds the memory of a stream in arrays that a compiled network knows by their address."""

    def __init__(self) -> None:
        self._free = [True]  # empty while a thread is inside

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuses a second thread while one is inside. Taking from a list is one step for Python: no lock.

        Raises:
            RuntimeError: another thread is inside.
        """
        try:
            self._free.pop()
        except IndexError:
            raise RuntimeError(
                f"two threads use one {type(self).__name__} at once: it holds the memory of one stream; "
                "give every thread an instance of its own, or take turns"
            ) from None
        try:
            yield
        finally:
            self._free.append(True)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Copies and pickles would share the network's memory, or lose it.

        Raises:
            TypeError: always, with what to do.
        """
        name = type(self).__name__
        raise TypeError(
            f"a {name} cannot be copied or pickled: load another one with {name}.load(...) and the same "
            "settings, and give it the first one's state_dict() with load_state_dict"
        )
