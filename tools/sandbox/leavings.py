"""What a confined program leaves in its folder that could harm whoever looks at it afterwards."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["DEEPEST", "remove_traps", "traps"]

DEEPEST = 100  # folders within folders: far more than programs make, far less than Python can delete


def traps(folder: Path) -> set[tuple[str, str]]:
    """Links out of a folder, what blocks or answers whoever opens it (pipes, sockets), too deep folders.

    Each as its path and, of a link, where it points.
    """
    top, found, waiting = os.path.realpath(folder), set(), [(str(folder), 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > DEEPEST:
            found.add((place, ""))
            continue
        with suppress(OSError):  # not to be looked into by us either
            for entry in os.scandir(place):
                if entry.is_symlink():
                    if os.path.commonpath((os.path.realpath(entry.path), top)) != top:
                        found.add((entry.path, os.readlink(entry.path)))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))
                elif not entry.is_file(follow_symlinks=False):
                    found.add((entry.path, ""))
    return found


def remove_traps(folder: Path, known: set[tuple[str, str]]) -> None:
    """Remove the traps that were not there before. Nothing may run in the folder any more."""
    for path, _ in traps(folder) - known:
        if os.path.isdir(path) and not os.path.islink(path):
            _delete(path)
        else:
            os.unlink(path)


def _delete(folder: str) -> None:
    """Delete a folder of any depth: what lies deep is brought up first, so that no path is long."""
    waiting = [folder]
    with TemporaryDirectory(dir=os.path.dirname(folder)) as above:
        while waiting:
            place = waiting.pop()
            os.chmod(place, 0o700)
            for entry in list(os.scandir(place)):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(os.path.join(above, str(entry.inode())))
                    os.chmod(entry.path, 0o700)
                    os.rename(entry.path, waiting[-1])
                else:
                    os.unlink(entry.path)
            os.rmdir(place)
