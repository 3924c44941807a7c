"""`make sanitize`: ring and callback under the thread, address and undefined-behaviour sanitizers, kernels
under the last two. Stops at the first finding.

The threads are a C++ program of their own (threads.cpp): the thread sanitizer would see all of Python as
well. The kernels are the extension module, built once more by CMake, under the kernels' own tests.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "sanitized"
SOURCES = ROOT / "kernels" / "src"
THREADS = ("ring.cpp", "device_callback.cpp", "value_snapshot.cpp")
# A finding ends the process: a test that only logs it would pass.
ENVIRONMENT = {
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "ASAN_OPTIONS": "detect_leaks=0",  # of Python, which frees little at its end
}
KERNEL_TESTS = (
    "tests/kernels",
    "--ignore=tests/kernels/test_numba_twins.py",
    "--hypothesis-profile=sanitized",
)


def run(*command: str | Path, **more: str) -> None:
    """A step, in the root, with its command shown; ends this process where it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | ENVIRONMENT | more, check=False)
    if done.returncode:
        sys.exit(f"sanitizers: the step above failed ({done.returncode})")


def check_threads(compiler: str) -> None:
    """threads.cpp, once against races and once against wrong addresses."""
    for sanitizers in ("thread", "address,undefined"):
        program = BUILD / ("threads-" + sanitizers.partition(",")[0])
        flags = ("-std=c++17", "-O1", "-g", "-pthread", "-fno-sanitize-recover=all", f"-I{SOURCES}")
        sources = (Path(__file__).with_name("threads.cpp"), *(SOURCES / name for name in THREADS))
        run(compiler, *flags, f"-fsanitize={sanitizers}", *sources, "-o", program)
        # GCC 12's thread sanitizer finds no room for its tables in some random layouts of memory
        run("setarch", "--addr-no-randomize", program)


def check_kernels(compiler: str) -> None:
    """The kernels' tests on a build with the address and undefined-behaviour sanitizers."""
    import pybind11

    binaries = Path(sys.executable).parent
    run(
        binaries / "cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "--log-level=WARNING",
        "-DRTSEP_SANITIZE=ON", "-DPYBIND11_FINDPYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}", f"-DCMAKE_MAKE_PROGRAM={binaries / 'ninja'}",
        CXX=compiler,
    )  # fmt: skip
    run(binaries / "cmake", "--build", BUILD)
    module = BUILD / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    library = subprocess.run(
        (compiler, "-print-file-name=libasan.so"), capture_output=True, text=True, check=True
    ).stdout.strip()
    run(
        sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "sanitized_core",
        "--hypothesis-profile=sanitized", *KERNEL_TESTS,
        LD_PRELOAD=library, RTSEP_SANITIZED_CORE=str(module), PYTHONPATH=str(Path(__file__).parent),
        PYTHONMALLOC="malloc", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip


if __name__ == "__main__":
    BUILD.mkdir(parents=True, exist_ok=True)
    cxx = os.environ.get("CXX", "g++")
    check_threads(cxx)
    check_kernels(cxx)
    print("sanitizers: nothing found")
