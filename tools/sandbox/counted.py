"""A control group that counts tasks: for root, whose processes the kernel's limit for users leaves out.

Without it a program that forks without end is stopped by the watch alone, and on a busy machine a look that
comes late finds tens of thousands of processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from tools.sandbox.places import interpreter

__all__ = ["counted"]

_MOUNTED = Path("/sys/fs/cgroup")
_JOIN = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
_PATIENCE = 1.0  # seconds until a group whose processes have ended can be removed


@contextmanager
def counted(processes: int) -> Iterator[list[str]]:
    """Make a group that refuses to grow beyond twice as many tasks, so that the watch sees it broken.

    Yields:
        What to write before a command, named by its path, so that it and all that it starts are counted.
        Nothing for ordinary users, and where no group can be made (in most containers).
    """
    group = _group(2 * processes) if os.geteuid() == 0 else None
    if group is None:
        yield []
        return
    try:
        yield [interpreter(), "-I", "-S", "-c", _JOIN, str(group / "cgroup.procs")]
    finally:
        _remove(group)


def _group(most: int) -> Path | None:
    """A new group of at most so many tasks."""
    try:
        parent = _parent(Path("/proc/self/cgroup").read_text())
        if parent is None:
            return None
        group = Path(mkdtemp(prefix="lpm-sandbox-", dir=parent))
    except OSError:
        return None
    try:
        (group / "pids.max").write_text(str(most))
        (group / "cgroup.procs").open("w").close()
    except OSError:
        _remove(group)
        return None
    return group


def _parent(own: str) -> Path | None:
    """Where a group that counts tasks can be made, from what ``/proc/self/cgroup`` says (cgroups(7)).

    Of version 1 that is within this process's own group; of version 2, where a group that holds processes can
    limit none within it, beside it.
    """
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if "pids" in controllers.split(","):
            return _MOUNTED / controllers / path.strip("/")
    for line in own.splitlines():
        if line.startswith("0::"):
            parent = (_MOUNTED / line.removeprefix("0::").strip("/")).parent
            if _MOUNTED in (parent, *parent.parents):
                limited = (parent / "cgroup.subtree_control").read_text().split()
                return parent if "pids" in limited else None
    return None


def _remove(group: Path) -> None:
    """Remove a group once the last of its processes is gone."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.01)
