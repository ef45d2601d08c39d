"""System calls that confined programs may not make, as a filter for the kernel (seccomp, classic BPF).

What is refused is what tests and programs never need: calls that reach other processes, the kernel or the
clock, that make namespaces or set-uid files, or that hold memory nobody sees. Calls newer than this list are
answered as an old kernel would.
"""

from __future__ import annotations

import errno
import platform
import struct

__all__ = ["UnknownMachine", "number", "with_namespaces", "without_landlock_gaps"]


class UnknownMachine(RuntimeError):
    """The numbers of system calls are not known for this kind of processor."""


_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_Numbers = tuple[int | None, int | None]
"""The number of a call on x86_64 and on aarch64, None where it does not exist."""

_REFUSED: dict[str, _Numbers] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# The C library and Python do without these if they are told that there are none.
_ABSENT: dict[str, _Numbers] = {
    "clone3": (435, 435),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "openat2": (437, 437),
}
# What Landlock does not know: modes, owners, times and locks of files outside, sockets, queues and memory
# shared by number; and process groups, since the supervisor kills by them.
_GAPS: dict[str, _Numbers] = {
    "bind": (49, 200),
    "chmod": (90, None),
    "chown": (92, None),
    "connect": (42, 203),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "flock": (73, 32),
    "fremovexattr": (199, 16),
    "fsetxattr": (190, 7),
    "futimesat": (261, None),
    "inotify_add_watch": (254, 27),
    "lchown": (94, None),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "removexattr": (197, 14),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "setxattr": (188, 5),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "socket": (41, 198),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
}
_BY_ARGUMENTS: dict[str, _Numbers] = {
    "clone": (56, 220),
    "creat": (85, None),
    "ioctl": (16, 29),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "open": (2, None),
    "openat": (257, 56),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "socketpair": (53, 199),
}
_NEWEST = 462  # mseal; newer calls are not known here

_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put characters into a terminal's input
_SET_ID = 0o6000  # a file that runs with its owner's or group's powers, whoever starts it
_MODES = {  # which argument, from 0, is the mode of a file
    "chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "mknod": 1, "mknodat": 2, "open": 2,
    "openat": 3,
}  # fmt: skip
_PR_SET_DUMPABLE = 4  # would hide open files from the watch
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _TYPE_MASK = 1, 0xF

# Instructions: load a word, jump if equal, if greater or equal, if any bit is set, mask, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW = 0x7FFF0000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def _machine() -> str:
    machine = platform.machine()
    if machine not in _MACHINES:
        raise UnknownMachine(f"no list of system calls for {machine}")
    return machine


def number(name: str) -> int | None:
    """The number of a system call on this machine; None if it has none.

    Raises:
        UnknownMachine: If no numbers are known.
    """
    every = _REFUSED | _ABSENT | _GAPS | _BY_ARGUMENTS
    return every[name][list(_MACHINES).index(_machine())]


def _error(code: int) -> int:
    return 0x00050000 | code


class _Filter:
    """A program that grows call by call; every part leaves the call's number loaded, or returns."""

    def __init__(self) -> None:
        self._code = b""
        self._add(_LOAD, _ARCHITECTURE)
        self._add(_EQUAL, _MACHINES[_machine()], 1, 0)
        self._add(_RETURN, _error(errno.EPERM))
        self._add(_LOAD, _NUMBER)
        # Above are also the calls of x86_64's other interface, x32.
        self._add(_AT_LEAST, _NEWEST + 1, 0, 1)
        self._add(_RETURN, _error(errno.ENOSYS))

    def _add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self._code += struct.pack("=HBBI", code, if_true, if_false, value)

    def refuse(self, name: str, code: int = errno.EPERM) -> None:
        """Refuse a call whatever its arguments."""
        if (call := number(name)) is not None:
            self._add(_EQUAL, call, 0, 1)
            self._add(_RETURN, _error(code))

    def refuse_if(self, name: str, argument: int, test: int, value: int) -> None:
        """Refuse a call if an argument, from 0, passes ``_EQUAL`` or ``_ANY`` with a value."""
        if (call := number(name)) is not None:
            self._add(_EQUAL, call, 0, 4)
            self._add(_LOAD, _FIRST_ARGUMENT + 8 * argument)
            self._add(test, value, 0, 1)
            self._add(_RETURN, _error(errno.EPERM))
            self._add(_LOAD, _NUMBER)

    def refuse_unless(
        self, name: str, argument: int, values: tuple[int, ...], mask: int = 0xFFFFFFFF
    ) -> None:
        """Refuse a call unless an argument, masked, is among the values."""
        if (call := number(name)) is not None:
            self._add(_EQUAL, call, 0, len(values) + 4)
            self._add(_LOAD, _FIRST_ARGUMENT + 8 * argument)
            self._add(_AND, mask)
            for place, value in enumerate(values):
                self._add(_EQUAL, value, len(values) - place, 0)
            self._add(_RETURN, _error(errno.EPERM))
            self._add(_LOAD, _NUMBER)

    def done(self) -> bytes:
        """The program: all else is allowed."""
        self._add(_RETURN, _ALLOW)
        return self._code


def _common() -> _Filter:
    made = _Filter()
    for name in _REFUSED:
        made.refuse(name)
    for name in _ABSENT:
        made.refuse(name, errno.ENOSYS)
    for name, argument in _MODES.items():
        made.refuse_if(name, argument, _ANY, _SET_ID)
    made.refuse_if("clone", 0, _ANY, _NAMESPACES)
    made.refuse_if("ioctl", 1, _EQUAL, _TIOCSTI)
    made.refuse_if("ioctl", 1, _EQUAL, _TIOCLINUX)
    made.refuse_if("prctl", 0, _EQUAL, _PR_SET_DUMPABLE)
    return made


def with_namespaces() -> bytes:
    """The filter for programs in namespaces of their own; only the network's common families are left."""
    made = _common()
    made.refuse_unless("socket", 0, (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK))
    return made.done()


def without_landlock_gaps() -> bytes:
    """The filter for programs among others: it closes what Landlock leaves open.

    Pairs of connected streams are the only sockets; signals, files and tracing are Landlock's part.
    """
    made = _common()
    for name in _GAPS:
        made.refuse(name)
    made.refuse_unless("socketpair", 0, (_AF_UNIX,))
    made.refuse_unless("socketpair", 1, (_SOCK_STREAM,), mask=_TYPE_MASK)
    # Only of oneself: other processes of the user are in reach.
    made.refuse_unless("prlimit64", 0, (0,))
    made.refuse_unless("sched_setaffinity", 0, (0,))
    return made.done()
