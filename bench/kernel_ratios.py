"""Kernels in C++, in Numba and in NumPy: medians, measured interleaved in one run.

python -m rtsep.bench.kernel_ratios
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from rtsep.bench.kernel_cases import kernel_cases, numba_is_installed


@dataclass(frozen=True)
class KernelRatio:
    """Median times of one call, in microseconds; `numba_us` is None where there is no Numba twin.

    `ratio` is NumPy over C++, `numba_ratio` Numba over C++.
    """

    name: str
    size: str
    cpp_us: float
    numba_us: float | None
    numpy_us: float

    @property
    def ratio(self) -> float:
        return self.numpy_us / self.cpp_us

    @property
    def numba_ratio(self) -> float | None:
        return None if self.numba_us is None else self.numba_us / self.cpp_us


def _time_us(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1e6


def kernel_ratios(seconds_per_kernel: float = 1.0) -> list[KernelRatio]:
    """Times every kernel: one NumPy call, ten of C++, ten of Numba, in turn: all meet the same machine.

    Args:
        seconds_per_kernel: time spent on each; at least 20 rounds whatever it is.
    """
    ratios = []
    for case in kernel_cases():
        calls = [(case.numpy, 1), (case.cpp, 10)]
        if case.numba is not None:
            calls.append((case.numba, 10))
        for warm_up, _ in calls:  # Numba compiles here
            warm_up()
        times_us: list[list[float]] = [[] for _ in calls]
        end = perf_counter() + seconds_per_kernel
        while perf_counter() < end or len(times_us[0]) < 20:
            for (call, repeats), spent_us in zip(calls, times_us, strict=True):
                spent_us.extend(_time_us(call) for _ in range(repeats))
        numpy_us, cpp_us, *numba_us = map(median, times_us)
        ratios.append(KernelRatio(case.name, case.size, cpp_us, numba_us[0] if numba_us else None, numpy_us))
    return ratios


def ratio_table(ratios: list[KernelRatio]) -> str:
    """Plain text, one kernel a line."""
    times = f"{'C++ us':>8} {'Numba us':>9} {'NumPy us':>9}"
    lines = [f"{'kernel':18} {'size':40} {times} {'Numba/C++':>10} {'NumPy/C++':>10}"]
    for r in ratios:
        numba_us = "" if r.numba_us is None else f"{r.numba_us:.1f}"
        numba_ratio = "" if r.numba_ratio is None else f"{r.numba_ratio:.1f}"
        times = f"{r.cpp_us:8.1f} {numba_us:>9} {r.numpy_us:9.1f}"
        lines.append(f"{r.name:18} {r.size:40} {times} {numba_ratio:>10} {r.ratio:10.1f}")
    if not numba_is_installed():
        lines.append("Numba is not installed (pip install 'rtsep[numba]'): its column is empty")
    return "\n".join(lines)


if __name__ == "__main__":
    print(ratio_table(kernel_ratios()))
