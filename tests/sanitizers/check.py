"""`make sanitize`: ring and callback under the thread, address and undefined-behaviour sanitizers.

The threads are a C++ program of their own (threads.cpp): the thread sanitizer would see all of Python as
well. Stops at the first finding.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "sanitized"
SOURCES = ROOT / "kernels" / "src"
THREADS = ("ring.cpp", "hop_exchange.cpp", "signal.cpp", "device_callback.cpp", "value_snapshot.cpp")
# A finding ends the process: a test that only logs it would pass.
ENVIRONMENT = {
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


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


def check_jack(compiler: str) -> None:
    """jack.cpp against races: the client and the keeper of its connections, in a graph without a server."""
    program = BUILD / "jack-thread"
    sources = (*THREADS, "jack_client.cpp", "jack_library.cpp", "jack_wires.cpp", "shared_library.cpp")
    run(
        compiler, "-std=c++17", "-O1", "-g", "-pthread", f"-I{SOURCES}", "-fsanitize=thread",
        Path(__file__).with_name("jack.cpp"), *(SOURCES / name for name in sources), "-ldl", "-o", program,
    )  # fmt: skip
    run("setarch", "--addr-no-randomize", program)


def check_bridge(compiler: str) -> None:
    """bridge.cpp against races, where libsamplerate is."""
    program = BUILD / "bridge-thread"
    sources = (
        *THREADS,
        "clock_bridge.cpp",
        "rate_converter.cpp",
        "samplerate_library.cpp",
        "shared_library.cpp",
    )
    run(
        compiler, "-std=c++17", "-O1", "-g", "-pthread", f"-I{SOURCES}", "-fsanitize=thread", "-Wno-tsan",
        Path(__file__).with_name("bridge.cpp"), *(SOURCES / name for name in sources), "-ldl", "-o", program,
    )  # fmt: skip
    run("setarch", "--addr-no-randomize", program)


if __name__ == "__main__":
    BUILD.mkdir(parents=True, exist_ok=True)
    cxx = os.environ.get("CXX", "g++")
    check_threads(cxx)
    check_jack(cxx)
    check_bridge(cxx)
    print("sanitizers: nothing found")
