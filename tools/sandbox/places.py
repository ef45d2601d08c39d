"""Where the running interpreter lives, and the variables that a confined program gets."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["interpreter", "interpreter_places", "variables"]

_SYSTEM_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")
_THREADS = "2"  # of numeric libraries, which otherwise start as many as there are processors


def interpreter() -> str:
    """The Python that runs this, outside any virtual environment."""
    return os.path.realpath(sys.executable)


def interpreter_places() -> list[Path]:
    """Folders that Python and its packages need beside ``/usr``."""
    prefixes = {Path(prefix) for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix)}
    return sorted(p for p in prefixes if p != Path("/") and not p.resolve().is_relative_to("/usr"))


def variables(extra: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The whole environment: what programs expect to find, and ``extra``, which goes before."""
    own = os.path.dirname(sys.executable)
    return {
        "PATH": ":".join((own, *_SYSTEM_FOLDERS)),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": _THREADS,
        "OPENBLAS_NUM_THREADS": _THREADS,
        **extra,
    }
