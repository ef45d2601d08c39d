"""The first program inside a sandbox: sets the kernel's limits and becomes the command.

It runs as a script of its own, without this package. Arguments: memory in MB, processes, seconds, disk in
MB, then the command.
"""

import os
import resource
import sys

__all__ = ["become", "limit"]

_MB = 1_000_000


def limit(memory_mb: int, processes: int, seconds: float, disk_mb: int) -> None:
    """Set what the kernel limits by process; the watch outside limits their sum."""
    limits = {
        # Twice, so that the watch is the one who stops it and knows why.
        resource.RLIMIT_DATA: 2 * memory_mb * _MB,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CPU: int(seconds * (os.cpu_count() or 1)) + 1,
        resource.RLIMIT_FSIZE: disk_mb * _MB,
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def become(command: list[str]) -> None:
    """Replace this process; ends with 127 and a message if the command cannot be run, as a shell does."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    limit(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    become(sys.argv[5:])
