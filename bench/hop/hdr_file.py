"""Hop times as an HDR histogram, the file that latency plotters read."""

from collections.abc import Sequence
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy

HIGHEST_US = 60_000_000  # a minute
DIGITS = 3  # of every value


def write_hdr(file: Path, responses_us: Sequence[float], counts: Sequence[int] | None = None) -> None:
    """Writes the percentile distribution (.hgrm) of times in microseconds.

    Args:
        counts: how often each was found; once unless given.

    Raises:
        RtsepError: hdrhistogram is missing, or the file cannot be written.
    """
    try:
        from hdrh.histogram import HdrHistogram
    except ImportError as error:
        raise RtsepError(f"--hdr needs hdrhistogram ({error})", "pip install 'rtsep[test]'") from None
    histogram = HdrHistogram(1, HIGHEST_US, DIGITS)
    for value_us, count in zip(responses_us, counts or [1] * len(responses_us), strict=True):
        histogram.record_value(max(1, round(value_us)), count)
    try:
        with open(file, "wb") as out:
            histogram.output_percentile_distribution(out, 1.0)
    except OSError as error:
        raise RtsepError(f"--hdr {file} cannot be written ({reason(error)})", remedy(error)) from None
