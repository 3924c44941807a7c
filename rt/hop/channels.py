"""How many channels a stream may have."""

from rtsep.kernels.errors import RtsepError

MAX_CHANNELS = 64  # more than any interface on a stage; a bound on memory, not a property of the method


def require_channels(channels: int) -> None:
    """Raises RtsepError for a number of channels that no stream may have."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise RtsepError(f"{channels} channels is outside 1..{MAX_CHANNELS}", "select fewer input channels")
