"""The one exception of the house, at its lowest floor so that every folder may raise it."""


class RtsepError(Exception):
    """A user's mistake or broken input, in one line: the value met, the bound it breaks, the remedy.

    The command line prints it without a traceback and exits with code 2.

    Example:
        >>> from rtsep import RtsepError, Separator
        >>> try:
        ...     Separator.load("choir", voices=9)
        ... except RtsepError as error:
        ...     print(error.remedy)
        ask for --voices 1 to 4
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")

    def __reduce__(self) -> tuple[type["RtsepError"], tuple[str, str]]:
        """Crosses from a worker process to its parent whole."""
        return type(self), (self.problem, self.remedy)


class InputRefused(RtsepError):  # noqa: N818 - says what happened, as the others do
    """Audio, a file, a pipe or given pitches that cannot be used as they are."""


class DeviceRefused(RtsepError):  # noqa: N818
    """An audio device that is not there, does not start, or came back as another one."""


class ModelRefused(RtsepError):  # noqa: N818
    """A model that is unknown, damaged, or does not promise what was asked of it."""


class GpuMissing(RtsepError):  # noqa: N818
    """There is no GPU that can run a hop: the processor can do the same, so this need not be the end."""


KINDS: dict[str, type[RtsepError]] = {
    kind.__name__: kind for kind in (RtsepError, InputRefused, DeviceRefused, ModelRefused, GpuMissing)
}


def of_kind(kind: str, problem: str, remedy: str) -> RtsepError:
    """The error that another process reported by the name of its class, problem and remedy."""
    return KINDS.get(kind, RtsepError)(problem, remedy)
