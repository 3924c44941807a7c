"""C++ kernels against their NumPy references: ratios of medians, measured interleaved in one run.

python -m rtsep.bench.kernel_ratios
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from rtsep.bench.kernel_cases import kernel_cases


@dataclass(frozen=True)
class KernelRatio:
    """Median times of one call, in microseconds; `ratio` is NumPy over C++."""

    name: str
    size: str
    numpy_us: float
    cpp_us: float

    @property
    def ratio(self) -> float:
        return self.numpy_us / self.cpp_us


def _time_us(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1e6


def kernel_ratios(seconds_per_kernel: float = 1.0) -> list[KernelRatio]:
    """Times every kernel: one NumPy call, then ten of C++, in turn, so that both meet the same machine.

    Args:
        seconds_per_kernel: time spent on each; at least 20 rounds whatever it is.
    """
    ratios = []
    for case in kernel_cases():
        for warm_up in (case.numpy, case.cpp):
            warm_up()
        numpy_us: list[float] = []
        cpp_us: list[float] = []
        end = perf_counter() + seconds_per_kernel
        while perf_counter() < end or len(numpy_us) < 20:
            numpy_us.append(_time_us(case.numpy))
            cpp_us.extend(_time_us(case.cpp) for _ in range(10))
        ratios.append(KernelRatio(case.name, case.size, median(numpy_us), median(cpp_us)))
    return ratios


def ratio_table(ratios: list[KernelRatio]) -> str:
    """Plain text, one kernel a line."""
    lines = [f"{'kernel':18} {'size':40} {'NumPy us':>9} {'C++ us':>8} {'ratio':>6}"]
    lines += [f"{r.name:18} {r.size:40} {r.numpy_us:9.1f} {r.cpp_us:8.1f} {r.ratio:6.1f}" for r in ratios]
    return "\n".join(lines)


if __name__ == "__main__":
    print(ratio_table(kernel_ratios()))
