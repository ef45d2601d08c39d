"""Follow a confined process to its end, and stop it where the kernel's own limits cannot.

The kernel limits one process, and counts root's only in a control group. So all that descends from the
process is looked at many times a second: how many there are, what memory they hold, what they have on disk.
Between two looks a limit can be exceeded by what a few hundredths of a second allow.
"""

from __future__ import annotations

import math
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from tools.sandbox.leavings import DEEPEST, remove_traps, traps
from tools.sandbox.types import Limits, Outcome, Reason

__all__ = ["Task", "Watch", "descendants"]

_LOOK = 0.02  # seconds between two looks, at least
_SHARE = 2  # the disk is left alone so many times as long as looking at it took
_KEPT = 32_768  # bytes of output that are kept of its beginning, and as many of its end
_SMALLEST = 4096  # bytes that a file or folder counts at least
_GRACE = 2.0  # seconds after which a process may hide its files no more, as it does while it starts
_PATIENCE = 60.0  # seconds that stopping may take
_MB = 1_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")

Stop = Callable[["subprocess.Popen[bytes]"], None]
"""Ends a confined process and all that it started, at once."""


@dataclass(frozen=True)
class Task:
    """One process: its id, the id of its parent, its threads, and its resident memory in bytes."""

    pid: int
    parent: int
    threads: int
    memory: int


def descendants(root: int) -> list[Task]:
    """All processes that descend from ``root``, itself first."""
    children: dict[int, list[Task]] = {}
    found: list[Task] = []
    for name in os.listdir("/proc"):
        if name.isdigit() and (task := _task(int(name))) is not None:
            children.setdefault(task.parent, []).append(task)
            if task.pid == root:
                found.append(task)
    for task in found:  # grows while it is gone through
        found += children.get(task.pid, ())
    return found


def _task(pid: int) -> Task | None:
    """A process, or None if it has ended."""
    try:
        # The name, in brackets, can hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Task(pid, int(fields[1]), max(1, int(fields[17])), int(fields[21]) * _PAGE)


class Watch:
    """Made before the process starts, since what its folders hold by then does not count."""

    def __init__(self, limits: Limits, folder: Path, scratch: Path | None = None, own_tasks: int = 0) -> None:
        """Begin.

        Args:
            limits: What may be used.
            folder: What may grow.
            scratch: A folder for temporary files that may grow as much.
            own_tasks: How many of the processes are the mechanism's.
        """
        self._limits = limits
        self._own_tasks = own_tasks
        self._before = {place: _on_disk(place) for place in (folder, scratch) if place is not None}
        self._folder, self._traps = folder, traps(folder)
        self._next_disk = 0.0
        self._began = time.monotonic()

    def follow(self, process: subprocess.Popen[bytes], stop: Stop) -> Outcome:
        """Wait for the end, or bring it about; then remove the traps that were laid in the folder.

        Args:
            process: Leads all that is confined; its standard output is a pipe.
            stop: Called if a limit is broken, or if this is interrupted.
        """
        output = _Output(cast("BinaryIO", process.stdout))
        reason: Reason | None = None
        try:
            next_look = 0.0
            while process.poll() is None:
                if time.monotonic() >= next_look:
                    reason = self._broken(process.pid)
                    if reason is not None:
                        break
                    next_look = time.monotonic() + _LOOK
                output.read(until=next_look)
        finally:
            if process.poll() is None:
                stop(process)
                process.wait(_PATIENCE)
        seconds = time.monotonic() - self._began
        output.finish()
        remove_traps(self._folder, self._traps)
        # What was done since the last look.
        if reason is None and self._disk_is_full(0):
            reason = "disk"
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if reason is None and code == 128 + 9:
            reason = "killed"
        return Outcome(None if reason else code, output.text(), seconds, reason)

    def _broken(self, root: int) -> Reason | None:
        """The limit that is exceeded now, if any."""
        if time.monotonic() - self._began > self._limits.seconds:
            return "timeout"
        tasks = descendants(root)
        if sum(task.threads for task in tasks) - self._own_tasks > self._limits.processes:
            return "killed"
        most = self._limits.memory_mb * _MB
        if sum(task.memory for task in tasks) > most and sum(map(_share, tasks)) > most:
            return "memory"
        unnamed, hides = _unnamed(tasks[self._own_tasks :])
        if hides and time.monotonic() - self._began > _GRACE:
            return "killed"
        if (began := time.monotonic()) < self._next_disk:
            return None
        full = self._disk_is_full(unnamed)
        self._next_disk = time.monotonic() + (time.monotonic() - began) * _SHARE
        return "disk" if full else None

    def _disk_is_full(self, unnamed: int) -> bool:
        for place, before in self._before.items():
            most = before + self._limits.disk_mb * _MB - unnamed
            if not _on_disk(place, most) <= most:
                return True
        return False


def _share(task: Task) -> int:
    """Memory of a process in bytes where shared pages are divided by how many share them."""
    try:
        for line in Path(f"/proc/{task.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except PermissionError:
        return task.memory
    except OSError:  # it has ended, or is ending
        pass
    return 0


def _on_disk(folder: Path, most: float = math.inf) -> float:
    """Bytes that a folder takes on disk, as far as they are at most ``most``.

    Links are not followed, and a file of two names counts once. A folder that cannot be looked into, or lies
    too deep, could hold anything, and counts as if it did.
    """
    total, seen, waiting = 0, set(), [(str(folder), 0)]
    while waiting and total <= most:
        place, depth = waiting.pop()
        if depth > DEEPEST:
            return math.inf
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        if (found.st_dev, found.st_ino) not in seen:
                            seen.add((found.st_dev, found.st_ino))
                            total += max(_SMALLEST, found.st_blocks * 512)
                    if total > most:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
        except (FileNotFoundError, NotADirectoryError):  # gone in the meantime
            continue
        except OSError:  # forbidden
            return math.inf
    return total


def _unnamed(tasks: Sequence[Task]) -> tuple[int, bool]:
    """Bytes of files that were deleted and are still open, and whether a process hides its files."""
    sizes: dict[tuple[int, int], int] = {}
    hides = False
    for task in tasks:
        folder = f"/proc/{task.pid}/fd"
        try:
            for name in os.listdir(folder):
                found = os.stat(f"{folder}/{name}")
                if found.st_nlink == 0:
                    sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
        except PermissionError:
            hides = True
        except OSError:  # it has ended, or closed it
            continue
    return sum(sizes.values()), hides


class _Output:
    """What a process writes: its beginning and its end."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN | select.POLLHUP)
        self._open = True
        self._head, self._tail = bytearray(), bytearray()
        self._left_out = 0

    def read(self, until: float) -> None:
        """Read once, waiting for something until a time of the monotonic clock."""
        wait = max(0.0, until - time.monotonic())
        if not self._open:
            time.sleep(wait)
        elif self._poll.poll(wait * 1000):
            self._take(os.read(self._pipe.fileno(), 65_536))

    def finish(self) -> None:
        """Read what is left, and close."""
        until = time.monotonic() + _PATIENCE
        while self._open and time.monotonic() < until:
            self.read(until)
        self._pipe.close()

    def _take(self, data: bytes) -> None:
        self._open = bool(data)
        room = _KEPT - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if (more := len(self._tail) - _KEPT) > 0:
            del self._tail[:more]
            self._left_out += more

    def text(self) -> str:
        """What was written, with a note where something is left out."""
        gap = f"\n[... {self._left_out} bytes left out ...]\n".encode() if self._left_out else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")
