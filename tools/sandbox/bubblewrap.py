"""Confinement by bubblewrap: namespaces of its own for everything, so that what is outside is not there.

The program sees a read-only system, the running interpreter, its folder and temporary memory; its own
processes, and a network of a loopback device alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tools.sandbox import inside, seccomp
from tools.sandbox.counted import counted
from tools.sandbox.places import interpreter, interpreter_places, variables
from tools.sandbox.types import DEFAULT_LIMITS, NO_VARIABLES, Limits, Outcome
from tools.sandbox.watch import Watch, descendants

__all__ = ["Bubblewrap"]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types")
_INSIDE = "/run/inside.py"
_WRITTEN = {
    "/etc/passwd": b"user:x:1000:1000::/tmp:/bin/sh\n",
    "/etc/group": b"user:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}
_OWN_TASKS = 2  # bubblewrap outside, and the first process inside
_MEMORY_SHARE = 4  # temporary files and shared memory are memory: one part in so many each, at most


class Bubblewrap:
    """Confinement by the program ``bwrap``, 0.8 or newer."""

    name = "bubblewrap"

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def find(cls) -> Bubblewrap | None:
        """The installed program, not tried yet."""
        program = shutil.which("bwrap")
        return cls(program) if program else None

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        limits: Limits = DEFAULT_LIMITS,
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Outcome:
        """See ``Sandbox.run``. Loopback works; temporary files are at most a quarter of the memory."""
        folder = folder.resolve(strict=True)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")
        with counted(limits.processes) as joining:
            with ExitStack() as stack:
                files = {place: stack.enter_context(_pipe(data)) for place, data in _WRITTEN.items()}
                rules = stack.enter_context(_pipe(seccomp.with_namespaces()))
                arguments = [
                    *("--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000"),
                    *("--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv"),
                    *("--cap-drop", "ALL", "--seccomp", str(rules.fileno())),
                    *_places(folder, readable, limits),
                ]
                for place, file in files.items():
                    arguments += ["--ro-bind-data", str(file.fileno()), place]
                for name, value in variables({"TMPDIR": "/tmp", **environment}, folder).items():
                    arguments += ["--setenv", name, value]
                # For root, /proc/sys is else as writable as outside.
                arguments += ["--remount-ro", "/proc", "--remount-ro", "/", "--chdir", str(folder), "--"]
                first = [interpreter(), "-I", "-S", _INSIDE, str(limits.memory_mb), str(limits.processes)]
                first += [str(limits.seconds), str(limits.disk_mb)]
                watch = Watch(limits, folder, own_tasks=_OWN_TASKS)
                process = subprocess.Popen(
                    [*joining, self._program, *arguments, *first, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=[file.fileno() for file in (rules, *files.values())],
                    cwd="/",
                )
            return watch.follow(process, _stop)


def _places(folder: Path, readable: Sequence[Path], limits: Limits) -> list[str]:
    """What is where; a place within another comes after it."""
    size = str(limits.memory_mb * 1_000_000 // _MEMORY_SHARE)
    arguments: list[str] = []
    for name in _SYSTEM:
        if Path(name).is_symlink():
            arguments += ["--symlink", str(Path(name).readlink()), name]
        else:
            arguments += ["--ro-bind-try", name, name]
    for name in _SETTINGS:
        arguments += ["--ro-bind-try", name, name]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/dev/shm"]
    arguments += ["--remount-ro", "/dev", "--size", size, "--tmpfs", "/tmp"]
    binds = {path.absolute(): "--ro-bind" for path in (*interpreter_places(), *readable)}
    binds[folder] = "--bind"
    for path, how in sorted(binds.items()):
        arguments += [how, str(path), str(path)]
    return [*arguments, "--ro-bind", inside.__file__, _INSIDE]


@contextmanager
def _pipe(data: bytes) -> Iterator[BinaryIO]:
    """A pipe that holds some data, less than fills it, to be read."""
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(data)
    with open(reading, "rb") as file:
        yield file


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process inside, and with it, before bubblewrap ends, all others."""
    first = [task.pid for task in descendants(process.pid) if task.parent == process.pid]
    if not first:
        process.kill()
    for pid in first:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
