"""The one exception of the house, at its lowest floor so that every folder may raise it."""


class RtsepError(Exception):
    """A user's mistake or broken input, in one line: the value met, the bound it breaks, the remedy.

    The command line prints it without a traceback and exits with code 2.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")

    def __reduce__(self) -> tuple[type["RtsepError"], tuple[str, str]]:
        """Crosses from a worker process to its parent whole."""
        return type(self), (self.problem, self.remedy)
