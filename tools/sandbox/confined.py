"""The supervisor of a program that Landlock confines: ``main`` is a process of its own.

The supervisor forks, and the fork confines itself for good and becomes the command. All that the command
starts stays in one process group, which it may not leave, so that one signal ends all at once. They cannot
reach the supervisor, which inherits whatever loses its parent, and ends when the command has ended, when
it is told to, or when the process that started it is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from tools.sandbox import seccomp
from tools.sandbox.inside import become, limit

__all__ = ["Confinement", "abi", "main"]

_libc = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, on every machine
_ABI_FLAG, _PATH_BENEATH = 1, 1
_ALL_FILES = (1 << 16) - 1  # every right to files up to ABI 6
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCKET, _MAKE_BLOCK, _IOCTL = 1 << 6, 1 << 9, 1 << 11, 1 << 15
_ALL_NETWORK = 3  # bind and connect of TCP
_ALL_SCOPES = 3  # abstract sockets and signals

_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_WRITE = _ALL_FILES & ~(_MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCKET | _IOCTL)
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE
_DEVICES = {
    "/dev/null": _READ_FILE | _WRITE_FILE,
    "/dev/zero": _READ_FILE | _WRITE_FILE,
    "/dev/full": _READ_FILE | _WRITE_FILE,
    "/dev/random": _READ_FILE,
    "/dev/urandom": _READ_FILE,
}

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_PR_SET_CHILD_SUBREAPER, _PR_SET_SECCOMP, _FILTER_MODE = 36, 22, 2
_CAPABILITY_VERSION, _MOST_CAPABILITIES = 0x20080522, 64


@dataclass(frozen=True)
class Confinement:
    """What the supervisor is told.

    Attributes:
        command: Program and arguments.
        readable: Places that may be read.
        writable: Places that may be written; the first is the working directory.
        memory_mb: As ``Limits``, like the rest.
    """

    command: Sequence[str]
    readable: Sequence[str]
    writable: Sequence[str]
    memory_mb: int
    processes: int
    seconds: float
    disk_mb: int

    def to_json(self) -> str:
        """For ``main``."""
        return json.dumps(asdict(self))


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 if none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ABI_FLAG)))


def main(told: str) -> int:
    """Run a ``Confinement``; the exit code is the command's, or 128 + n if signal n ended it."""
    confinement = Confinement(**json.loads(told))
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    _control(_PR_SET_PDEATHSIG, signal.SIGTERM)
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
            _confine(confinement)
            become(list(confinement.command))
        except OSError as error:
            os.write(2, f"cannot confine: {error}\n".encode())
        finally:
            os._exit(127)
    # Left unreaped, so that the number of the group stays its own until the group is killed.
    kept = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, child, kept) is None:
        if signal.sigwait(awaited) == signal.SIGTERM:
            break
        _reap(but=child)
    for send in (os.kill, os.killpg):
        with suppress(ProcessLookupError):
            send(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(ChildProcessError):
        while True:
            os.wait()
    return code if code >= 0 else 128 - code


def _reap(but: int) -> None:
    """Reap the processes left by their parents that have ended; the command itself is kept."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == but:
                return
            os.waitpid(ended.si_pid, 0)


def _confine(told: Confinement) -> None:
    """Give up, for good, all that the command is not to have."""
    os.chdir(told.writable[0])
    limit(told.memory_mb, told.processes + _tasks_of_user(), told.seconds, told.disk_mb)
    _drop_capabilities()
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    _restrict(_ruleset(told.readable, told.writable))
    rules = seccomp.without_landlock_gaps()
    code = ctypes.create_string_buffer(rules, len(rules))
    program = struct.pack("HxxxxxxP", len(rules) // 8, ctypes.addressof(code))
    _control(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.create_string_buffer(program))


def _tasks_of_user() -> int:
    """How many processes and threads this user has: the kernel's limit counts them all."""
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _drop_capabilities() -> None:
    """Root keeps no power but that of owning files."""
    for capability in range(_MOST_CAPABILITIES):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails where there is none, or none to drop
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION, 0))
    _check(_libc.capset(header, ctypes.create_string_buffer(24)))


def _ruleset(readable: Sequence[str], writable: Sequence[str]) -> int:
    """A file descriptor of the rules: nothing is allowed but these places."""
    handled = struct.pack("QQQ", _ALL_FILES, _ALL_NETWORK, _ALL_SCOPES)
    made = ctypes.create_string_buffer(handled, len(handled))
    rules = _check(_libc.syscall(_CREATE_RULESET, made, ctypes.c_size_t(len(handled)), 0))
    rights = dict.fromkeys(readable, _READ) | _DEVICES | dict.fromkeys(writable, _WRITE)
    for path, allowed in rights.items():
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if not os.path.isdir(path):
            allowed &= _OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, place))
        _check(_libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0))
        os.close(place)
    return rules


def _restrict(rules: int) -> None:
    _check(_libc.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _control(option: int, first: int, second: object = 0) -> None:
    _check(_libc.prctl(option, first, second, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
