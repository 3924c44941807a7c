"""A pytest plugin that puts the `_core` of RTSEP_SANITIZED_CORE in place of the installed one."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


class SanitizedCore(MetaPathFinder):
    """Finds one module, ahead of the editable install's finder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "rtsep.kernels._core":
            return None
        return spec_from_file_location(fullname, os.environ["RTSEP_SANITIZED_CORE"])


sys.meta_path.insert(0, SanitizedCore())
