"""Where files may be written."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["check_target"]


def check_target(path: Path) -> None:
    """Find out before long work that a file cannot be written.

    Raises:
        OSError: If its folder is missing or closed, or something else than a file is in its place.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it is not a plain file")
    if not path.parent.is_dir():
        raise OSError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise OSError(f"cannot write {path}: no permission to write in {path.parent}")
