"""pytest plugin (`-p sanitized_core`): `rtsep.kernels._core` is the build named by RTSEP_SANITIZED_CORE."""

import importlib.util
import os
import sys

from hypothesis import settings

# A tenth of the examples: code under two sanitizers is slow, and its paths are few.
settings.register_profile("sanitized", deadline=None, max_examples=10)

NAME = "rtsep.kernels._core"

_spec = importlib.util.spec_from_file_location(NAME, os.environ["RTSEP_SANITIZED_CORE"])
assert _spec is not None
assert _spec.loader is not None
sys.modules[NAME] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[NAME])


def pytest_report_header() -> str:
    from rtsep.kernels import _core

    assert _core is sys.modules[NAME]
    return f"kernels: {_core.__file__}"
