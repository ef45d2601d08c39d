"""Confinement by Landlock and seccomp, where bubblewrap is missing or may make no namespaces.

It needs no privileges and no program, but a kernel that keeps signals in (Landlock's ABI 6, Linux 6.12); an
older one is refused. What it contains: opening, making, renaming and deleting files outside the folder,
every socket, signals to and tracing of other processes, and the system calls listed in
``tools.sandbox.seccomp``. What it does not contain, and bubblewrap does:

- The program can ask whether a path outside exists, how large, how old and whose it is, and where a
  symbolic link points; it cannot list or open it.
- There is no loopback: programs that serve or connect fail. Pairs of connected sockets work.
- There is no ``/proc`` and no shared memory, so semaphores of ``multiprocessing`` fail.
- Modes, owners, times and locks cannot be set, nor sessions and process groups begun; such calls fail even
  within the folder.
- Temporary files lie on the disk, not in memory, and are deleted afterwards.
- A readable place within the folder can be written, like the rest of it.
- Root stays the owner of its files; without control groups its processes are counted by the watch alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import tools
from tools.sandbox.confined import Confinement, abi
from tools.sandbox.counted import counted
from tools.sandbox.places import interpreter, interpreter_places, variables
from tools.sandbox.types import DEFAULT_LIMITS, NO_VARIABLES, Limits, Outcome
from tools.sandbox.watch import Watch

__all__ = ["Landlock"]

_LEAST_ABI = 6
_READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types")
_OWN_TASKS = 1  # the supervisor
_SUPERVISOR = "import sys; sys.path.insert(0, sys.argv[1]); from tools.sandbox import confined; "
_SUPERVISOR += "sys.exit(confined.main(sys.argv[2]))"


class Landlock:
    """Confinement by the kernel's Landlock and seccomp."""

    name = "Landlock"

    @classmethod
    def find(cls) -> Landlock | None:
        """It, not tried yet, if the kernel's is new enough."""
        return cls() if abi() >= _LEAST_ABI else None

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        limits: Limits = DEFAULT_LIMITS,
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Outcome:
        """See ``Sandbox.run``, and above for what does not work inside."""
        folder = folder.resolve(strict=True)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")
        with _scratch() as scratch, counted(limits.processes) as joining:
            told = Confinement(
                command=list(command),
                readable=[*_READABLE, *_SETTINGS, *map(str, (*interpreter_places(), *readable))],
                writable=[str(folder), str(scratch)],
                memory_mb=limits.memory_mb,
                processes=limits.processes,
                seconds=limits.seconds,
                disk_mb=limits.disk_mb,
            )
            package = os.path.dirname(os.path.dirname(os.path.abspath(tools.__file__)))
            watch = Watch(limits, folder, scratch, own_tasks=_OWN_TASKS)
            process = subprocess.Popen(
                [*joining, interpreter(), "-I", "-S", "-c", _SUPERVISOR, package, told.to_json()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables({"TMPDIR": str(scratch), **environment}, folder),
                start_new_session=True,
                cwd="/",
            )
            return watch.follow(process, subprocess.Popen.terminate)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for temporary files, deleted whatever was made of it."""
    folder = mkdtemp(prefix="lpm-sandbox-")
    try:
        yield Path(folder)
    finally:
        for place, folders, _ in os.walk(folder):
            for path in (os.path.join(place, name) for name in folders):
                if not os.path.islink(path):  # nothing runs any more that could make it one
                    os.chmod(path, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
