"""`make sanitize-kernels`: tests/kernels on a `_core` with the address and undefined-behaviour sanitizers.

Not part of CI: compiling takes minutes. Stops at the first finding, with the line of C++ and, from
`faulthandler`, the test that reached it. Arguments are passed on to pytest (default: tests/kernels).
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pybind11

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "sanitized-kernels"
SOURCES = ROOT / "kernels" / "src"
# float-cast-overflow is not part of `undefined`: an index computed from NaN would pass.
SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow"
FLAGS = (
    "-std=c++17", "-O1", "-g1", "-fPIC", "-fvisibility=hidden", "-fno-omit-frame-pointer",
    "-D_GLIBCXX_ASSERTIONS", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off",
    "-fno-sanitize-recover=all", SANITIZERS,
)  # fmt: skip
COMPILATIONS = 2  # at a time: each takes up to a gigabyte


def compile_core(compiler: list[str]) -> Path:
    """The extension; of its objects those older than their source or a header are made again."""
    include = (f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}")
    headers = max(path.stat().st_mtime for path in (*SOURCES.glob("*.hpp"), Path(__file__)))

    def compile_one(source: Path) -> Path:
        made = BUILD / f"{source.stem}.o"
        if not made.exists() or made.stat().st_mtime < max(headers, source.stat().st_mtime):
            print("+", source.name, flush=True)
            subprocess.run([*compiler, *FLAGS, *include, "-c", source, "-o", made], check=True)
        return made

    with ThreadPoolExecutor(COMPILATIONS) as pool:
        objects = list(pool.map(compile_one, sorted(SOURCES.glob("*.cpp"))))
    core = BUILD / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([*compiler, "-shared", SANITIZERS, *objects, "-ldl", "-o", core], check=True)
    return core


def preloaded(compiler: list[str]) -> str:
    """What must be loaded before Python, which is not sanitized itself: the sanitizer, and the C++ library,
    whose exceptions end the process if the sanitizer did not find it when it started.
    """
    names = ("libasan.so", "libstdc++.so")
    return " ".join(
        subprocess.check_output([*compiler, f"-print-file-name={name}"], text=True).strip() for name in names
    )


def main(arguments: list[str]) -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    core = compile_core(compiler)
    environment = os.environ | {
        "RTSEP_SANITIZED_CORE": str(core),
        "LD_PRELOAD": preloaded(compiler),
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONMALLOC": "malloc",  # Python's own pools would hide where an array ends
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter frees little when it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    # -s: a finding is printed by C, which pytest would keep for a report that never comes
    tests = ("-s", "-p", "no:cacheprovider", "-p", "sanitized_core", *(arguments or ("tests/kernels",)))
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", *tests]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
