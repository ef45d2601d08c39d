"""What a confined program leaves in its folder that could harm whoever looks at it afterwards."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["remove_traps", "traps"]


def traps(folder: Path) -> set[tuple[str, str]]:
    """Links out of a folder, and what blocks or answers whoever opens it (pipes, sockets, devices).

    Each as its path and, of a link, where it points.
    """
    return set(_traps(str(folder), os.path.realpath(folder)))


def _traps(place: str, folder: str) -> Iterator[tuple[str, str]]:
    try:
        entries = list(os.scandir(place))
    except OSError:  # not to be looked into by us either
        return
    for entry in entries:
        if entry.is_symlink():
            if not _within(os.path.realpath(entry.path), folder):
                yield entry.path, os.readlink(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _traps(entry.path, folder)
        elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            yield entry.path, ""


def _within(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def remove_traps(folder: Path, known: set[tuple[str, str]]) -> None:
    """Remove the traps that were not there before. Nothing may run in the folder any more."""
    for path, _ in traps(folder) - known:
        os.unlink(path)
