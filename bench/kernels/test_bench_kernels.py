"""pytest-benchmark suite: `pytest bench/kernels --benchmark-enable`, grouped so that each kernel meets its
twins."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from rtsep.bench.kernel_cases import KernelCase, kernel_cases

CASES = list(kernel_cases())


@pytest.mark.parametrize("side", ["cpp", "numba", "numpy"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bench_kernel(benchmark: BenchmarkFixture, case: KernelCase, side: str) -> None:
    call = {"cpp": case.cpp, "numba": case.numba, "numpy": case.numpy}[side]
    if call is None:
        pytest.skip("this kernel has no Numba twin")
    benchmark.group = f"{case.name}, {case.size}"
    benchmark(call)
