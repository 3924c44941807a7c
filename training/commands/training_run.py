"""What the training subcommands share: torch code imported late, and the option --minutes."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from rtsep.kernels.errors import RtsepError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from rtsep.training.loop.settings import FitSettings

    class RunConfig(DataclassInstance, Protocol):
        """Settings of a run, with those of its loop."""

        @property
        def fit(self) -> FitSettings:
            """The loop's."""
            ...


Config = TypeVar("Config", bound="RunConfig")


@contextmanager
def training_extra(work: str = "training") -> Iterator[None]:
    """Around the imports of code that needs the extra `train`, such as torch.

    Args:
        work: what needs it, first word of the message.

    Raises:
        RtsepError: a package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise RtsepError(
            f"{work} needs {error.name}, which is not installed", "run pip install 'rtsep[train]'"
        ) from None


def lasting(config: Config, minutes: float | None) -> Config:
    """A run's settings, with --minutes over theirs where it is given."""
    if minutes is None:
        return config
    return dataclasses.replace(config, fit=dataclasses.replace(config.fit, minutes=minutes))
