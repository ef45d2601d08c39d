"""Attempts to get out of a sandbox, each a small program: ``python attempts.py NAME JSON``.

The JSON describes what is outside. An attempt returns whether it succeeded; what the system refuses is an
``OSError``. ``OPEN`` attempts succeed where nothing confines them, those of ``OPEN_TO_ROOT`` if root makes
them. Imports nothing of this project.
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys
import termios
import threading
import time
from contextlib import suppress

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p

OPEN = {}
OPEN_TO_ROOT = {}
CHECKED_OUTSIDE = {}
"""Not to be tried without a sandbox: what is outside is looked at, or how the sandbox says it ended."""


def attempt(register):
    def named(function):
        register[function.__name__] = function
        return function

    return named


def checked(result):
    """The result of a C function; its error as an exception."""
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def call(host, name, *arguments):
    """A system call by name."""
    return checked(libc.syscall(host["calls"][name], *arguments))


def read(path):
    with open(path, "rb") as file:
        return file.read()


# Files


@attempt(OPEN)
def read_a_file(host):
    return read(host["file"]) == host["secret"].encode()


@attempt(OPEN)
def list_a_folder(host):
    return bool(os.listdir(host["folder"]))


@attempt(OPEN)
def append_to_a_file(host):
    with open(host["file"], "a") as file:
        return file.write("more") == 4


@attempt(OPEN)
def truncate_a_file(host):
    os.truncate(host["file"], 0)
    return True


@attempt(OPEN)
def make_a_file(host):
    with open(host["folder"] + "/new", "w") as file:
        return file.write("new") == 3


@attempt(OPEN)
def delete_a_file(host):
    os.unlink(host["file"])
    return True


@attempt(OPEN)
def take_a_file_by_renaming(host):
    os.rename(host["file"], "taken")
    return read("taken") == host["secret"].encode()


@attempt(OPEN)
def follow_a_symbolic_link(host):
    os.symlink(host["file"], "link")
    return read("link") == host["secret"].encode()


@attempt(OPEN)
def write_through_a_linked_folder(host):
    os.symlink(host["folder"], "linked")
    with open("linked/new", "w") as file:
        return file.write("new") == 3


@attempt(OPEN)
def make_a_hard_link(host):
    os.link(host["file"], "hard")
    return read("hard") == host["secret"].encode()


@attempt(OPEN)
def climb_by_dots(host):
    return read("../" * 40 + host["file"].lstrip("/")) == host["secret"].encode()


@attempt(OPEN)
def go_through_the_root_of_a_process(host):
    for process in ("self", "1", str(host["pid"])):
        try:
            if read(f"/proc/{process}/root{host['file']}") == host["secret"].encode():
                return True
        except OSError:
            continue
    return False


@attempt(OPEN)
def go_through_the_folder_of_a_process(host):
    return read(f"/proc/{host['pid']}/cwd/file") == host["secret"].encode()


@attempt(OPEN)
def write_where_only_reading_is_allowed(host):
    with open(host["readable"] + "/new", "w") as file:
        return file.write("new") == 3


@attempt(OPEN)
def change_a_mode(host):
    os.chmod(host["file"], 0o777)
    return True


@attempt(OPEN)
def change_times(host):
    os.utime(host["file"], (0, 0))
    return True


@attempt(OPEN)
def watch_a_folder(host):
    descriptor = checked(libc.inotify_init1(os.O_NONBLOCK))
    return checked(libc.inotify_add_watch(descriptor, host["folder"].encode(), 0xFFF)) > 0


@attempt(OPEN)
def make_a_set_uid_program(_host):
    with open("program", "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod("program", 0o4755)
    return bool(os.stat("program").st_mode & stat.S_ISUID)


@attempt(OPEN)
def open_a_set_uid_program(_host):
    os.close(os.open("program", os.O_CREAT | os.O_WRONLY, 0o4755))
    return bool(os.stat("program").st_mode & stat.S_ISUID)


@attempt(OPEN)
def use_shared_memory(host):
    return read(host["shared"]) == host["secret"].encode()


@attempt(OPEN_TO_ROOT)
def open_a_file_by_its_handle(host):
    """Knows no paths: the file is named by its number, on the disk that the folder is on."""
    handle = bytes.fromhex(host["handle"])
    buffer = ctypes.create_string_buffer(handle, len(handle))
    place = os.open(".", os.O_RDONLY)
    return read(checked(libc.open_by_handle_at(place, buffer, os.O_RDONLY))) == host["secret"].encode()


# Other processes


@attempt(OPEN)
def read_the_environment_of_a_process(host):
    return host["secret"].encode() in read(f"/proc/{host['pid']}/environ")


@attempt(OPEN)
def read_the_memory_of_a_process(host):
    with open(f"/proc/{host['pid']}/mem", "rb") as memory:
        memory.seek(host["address"])
        return memory.read(len(host["secret"])) == host["secret"].encode()


@attempt(OPEN)
def copy_the_memory_of_a_process(host):
    size = len(host["secret"])
    buffer = ctypes.create_string_buffer(size)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), size)
    there = (ctypes.c_size_t * 2)(host["address"], size)
    checked(libc.process_vm_readv(host["pid"], here, 1, there, 1, 0))
    return buffer.raw == host["secret"].encode()


@attempt(OPEN)
def trace_a_process(host):
    return checked(libc.ptrace(16, host["pid"], None, None)) == 0


@attempt(OPEN)
def take_an_open_file_of_a_process(host):
    descriptor = call(host, "pidfd_getfd", os.pidfd_open(host["pid"]), host["descriptor"], 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return read(descriptor) == host["secret"].encode()


@attempt(OPEN)
def end_a_process(host):
    os.kill(host["pid"], signal.SIGTERM)
    return True


@attempt(OPEN)
def end_a_process_by_its_descriptor(host):
    signal.pidfd_send_signal(os.pidfd_open(host["pid"]), signal.SIGTERM)
    return True


@attempt(OPEN)
def end_a_process_group(host):
    os.killpg(host["pid"], signal.SIGTERM)
    return True


@attempt(OPEN)
def slow_a_process_down(host):
    os.setpriority(os.PRIO_PROCESS, host["pid"], 19)
    return True


@attempt(OPEN)
def pin_a_process(host):
    os.sched_setaffinity(host["pid"], os.sched_getaffinity(0))
    return True


@attempt(OPEN)
def limit_a_process(host):
    resource.prlimit(host["pid"], resource.RLIMIT_CORE, (0, 0))
    return True


@attempt(OPEN_TO_ROOT)
def run_in_real_time(_host):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return True


@attempt(OPEN_TO_ROOT)
def write_disks_in_real_time(host):
    return call(host, "ioprio_set", 1, 0, 1 << 13) == 0


@attempt(OPEN_TO_ROOT)
def run_before_all_others(_host):
    os.nice(-5)
    return True


# The network


@attempt(OPEN)
def connect_by_tcp(host):
    with socket.create_connection(("127.0.0.1", host["tcp"]), timeout=2):
        return True


@attempt(OPEN)
def ask_by_udp(host):
    return _asked(host, b"question") == b"question"


@attempt(OPEN)
def ask_a_name_server(host):
    question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\7example\3com\0" + struct.pack("!2H", 1, 1)
    return _asked(host, question) == question


def _asked(host, question):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.sendto(question, ("127.0.0.1", host["udp"]))
        return asking.recv(100)


@attempt(OPEN)
def connect_to_a_socket_in_a_folder(host):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(host["folder"] + "/socket")
        return True


@attempt(OPEN)
def connect_to_an_abstract_socket(host):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect("\0" + host["abstract"])
        return True


@attempt(OPEN)
def redirect_a_pair_of_sockets(host):
    """A pair of datagram sockets needs no call of ``socket``, and can be connected anew."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.connect("\0" + host["abstract"] + "-datagrams")
        return one.send(b"hello") == 5


@attempt(OPEN_TO_ROOT)
def listen_to_raw_packets(_host):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return True


@attempt(OPEN_TO_ROOT)
def send_raw_packets(_host):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return True


# The system


@attempt(OPEN_TO_ROOT)
def mount_a_file_system(_host):
    checked(libc.unshare(0x20000))  # mounts of its own, so that the attempt leaves no trace
    checked(libc.mount(None, b"/", None, 1 << 18 | 1 << 14, None))
    os.mkdir("mounted")
    return checked(libc.mount(b"tmpfs", os.path.abspath("mounted").encode(), b"tmpfs", 0, None)) == 0


@attempt(OPEN_TO_ROOT)
def mount_without_a_namespace(_host):
    """Of a file system that does not exist: only who may mount is told so."""
    try:
        checked(libc.mount(b"none", b"/", b"no-such-file-system", 0, None))
    except OSError as error:
        return error.errno == errno.ENODEV
    return True


@attempt(OPEN_TO_ROOT)
def change_the_root(host):
    os.mkdir("jail")
    held = os.open(".", os.O_RDONLY)
    os.chroot("jail")
    os.fchdir(held)
    for _ in range(40):
        os.chdir("..")
    os.chroot(".")
    return read(host["file"]) == host["secret"].encode()


@attempt(OPEN_TO_ROOT)
def pivot_the_root(host):
    """Of a folder that is no mount: only who may pivot is told so."""
    checked(libc.unshare(0x20000))
    try:
        call(host, "pivot_root", b".", b".")
    except OSError as error:
        return error.errno in (errno.EINVAL, errno.EBUSY)
    return True


@attempt(OPEN)
def become_root_of_a_namespace(_host):
    checked(libc.unshare(0x10000000))
    return True


@attempt(OPEN)
def clone_into_a_namespace(host):
    """The same by ``clone``, as the C library's function makes it."""
    child = call(host, "clone", 0x10000000 | signal.SIGCHLD, None, None, None, None)
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@attempt(OPEN_TO_ROOT)
def enter_the_namespaces_of_a_process(host):
    return checked(libc.setns(os.pidfd_open(host["pid"]), 0x40000000)) == 0


@attempt(OPEN_TO_ROOT)
def regain_capabilities(_host):
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    every = ctypes.create_string_buffer(struct.pack("6I", 1 << 21, 1 << 21, 0, 0, 0, 0))  # that of mounting
    return checked(libc.capset(header, every)) == 0


@attempt(OPEN_TO_ROOT)
def become_another_user(_host):
    os.setresuid(12345, 12345, 12345)
    return True


@attempt(OPEN_TO_ROOT)
def rename_the_machine(_host):
    socket.sethostname(socket.gethostname())
    return True


@attempt(OPEN_TO_ROOT)
def load_a_kernel_module(host):
    """Of rubbish: only who may load modules is told so."""
    try:
        call(host, "init_module", b"rubbish", 7, b"")
    except OSError as error:
        return error.errno in (errno.ENOEXEC, errno.EINVAL, errno.EFAULT)
    return True


@attempt(OPEN)
def ask_for_a_key(host):
    return call(host, "add_key", b"user", b"lpm-attempt", b"x", 1, -3) > 0


@attempt(OPEN_TO_ROOT)
def load_a_program_into_the_kernel(host):
    wanted = ctypes.create_string_buffer(struct.pack("5I", 2, 4, 4, 1, 0), 72)  # an array of one number
    return call(host, "bpf", 0, wanted, 72) > 0


@attempt(OPEN_TO_ROOT)
def read_the_log_of_the_kernel(_host):
    return checked(libc.klogctl(10, None, 0)) >= 0


@attempt(OPEN_TO_ROOT)
def make_a_device(_host):
    os.mknod("device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    return True


@attempt(OPEN_TO_ROOT)
def open_the_log_device(_host):
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    return True


@attempt(OPEN_TO_ROOT)
def change_a_setting_of_the_kernel(_host):
    """To what it is."""
    path = "/proc/sys/kernel/core_pattern"
    value = read(path)
    with open(path, "wb") as file:
        return file.write(value) == len(value)


@attempt(OPEN)
def write_to_a_terminal(host):
    terminal = os.open(host["terminal"], os.O_WRONLY | os.O_NOCTTY)
    return os.write(terminal, b"hello") == 5


@attempt(OPEN_TO_ROOT)
def type_into_a_terminal(host):
    for path in ("/dev/tty", host["terminal"]):
        try:
            terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(terminal, termios.TIOCSTI, b"x")
        except OSError:
            continue
        return True
    return False


@attempt(OPEN)
def read_a_variable(host):
    return host["secret"] in os.environ.values()


@attempt(OPEN)
def read_an_inherited_file(host):
    for descriptor in range(3, 256):
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            if os.read(descriptor, 100) == host["secret"].encode():
                return True
        except OSError:
            continue
    return False


@attempt(OPEN)
def attach_shared_memory_by_number(host):
    address = libc.shmat(host["segment"], None, 0o10000)
    if address in (None, ctypes.c_void_p(-1).value):
        checked(-1)
    return ctypes.string_at(address, len(host["secret"])) == host["secret"].encode()


# What nothing may stop but the limits


@attempt(CHECKED_OUTSIDE)
def wake_every_process(_host):
    os.kill(-1, signal.SIGCONT)


@attempt(CHECKED_OUTSIDE)
def set_the_clock(_host):
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return True


@attempt(CHECKED_OUTSIDE)
def leave_a_link_out(host):
    os.symlink(host["file"], "result")
    os.mkdir("results")
    os.symlink("../../../../../../.." + host["folder"], "results/folder")


@attempt(CHECKED_OUTSIDE)
def leave_a_pipe(_host):
    os.mkfifo("result")


@attempt(CHECKED_OUTSIDE)
def leave_a_deep_nest(_host):
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")


@attempt(CHECKED_OUTSIDE)
def leave_a_daemon(_host):
    if os.fork() == 0:
        with suppress(OSError):
            os.setsid()
        if os.fork() == 0:
            while True:
                with open("alive", "w") as file:
                    file.write(str(time.monotonic()))
                time.sleep(0.01)
        os._exit(0)
    while not os.path.exists("alive"):
        time.sleep(0.01)


@attempt(CHECKED_OUTSIDE)
def bomb_of_forks(_host):
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


@attempt(CHECKED_OUTSIDE)
def bomb_of_threads(_host):
    while True:
        try:
            threading.Thread(target=time.sleep, args=(1000,)).start()
        except RuntimeError:
            time.sleep(0.01)


@attempt(CHECKED_OUTSIDE)
def fill_the_heap(_host):
    kept = []
    while True:
        kept.append(bytearray(5_000_000))


@attempt(CHECKED_OUTSIDE)
def fill_shared_mappings(_host):
    import mmap

    kept = []
    while True:
        kept.append(mmap.mmap(-1, 5_000_000))
        kept[-1].write(b"x" * 5_000_000)


@attempt(CHECKED_OUTSIDE)
def fill_the_memory_of_many(_host):
    for _ in range(8):
        if os.fork() == 0:
            break
    kept = array.array("b", bytes(60_000_000))
    time.sleep(1000 + len(kept))


@attempt(CHECKED_OUTSIDE)
def fill_temporary_files(_host):
    _fill(os.environ["TMPDIR"] + "/full", 2_000)


@attempt(CHECKED_OUTSIDE)
def fill_shared_memory(_host):
    _fill("/dev/shm/full", 2_000)


def _fill(path, megabytes):
    with open(path, "wb", buffering=0) as file:
        for _ in range(megabytes):
            if file.write(bytes(1_000_000)) < 1_000_000:
                raise OSError(errno.ENOSPC, "no more room")


@attempt(CHECKED_OUTSIDE)
def fill_files_of_memory(_host):
    kept = []
    while True:
        kept.append(os.memfd_create("full"))
        os.write(kept[-1], bytes(5_000_000))


@attempt(CHECKED_OUTSIDE)
def fill_segments_of_memory(_host):
    while True:
        checked(libc.shmget(0, ctypes.c_size_t(5_000_000), 0o1600))


@attempt(CHECKED_OUTSIDE)
def fill_the_disk(_host):
    for number in range(1000):
        _fill(f"full-{number}", 5)


@attempt(CHECKED_OUTSIDE)
def fill_the_disk_with_one_file(_host):
    _fill("full", 2_000)


@attempt(CHECKED_OUTSIDE)
def fill_the_disk_with_nothing(_host):
    for number in range(1_000_000):
        os.close(os.open(f"empty-{number}", os.O_CREAT | os.O_WRONLY))


@attempt(CHECKED_OUTSIDE)
def fill_the_disk_with_deleted_files(_host):
    kept = []
    for _ in range(200):
        kept.append(os.open("full", os.O_CREAT | os.O_WRONLY))
        os.unlink("full")
        for _ in range(5):
            os.write(kept[-1], bytes(1_000_000))


@attempt(CHECKED_OUTSIDE)
def make_a_sparse_file(_host):
    os.truncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 10**12)


@attempt(CHECKED_OUTSIDE)
def write_without_end(_host):
    while True:
        os.write(1, b"x" * 60_000)


@attempt(CHECKED_OUTSIDE)
def loop_without_end(_host):
    while True:
        pass


@attempt(CHECKED_OUTSIDE)
def ignore_every_signal(_host):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


@attempt(CHECKED_OUTSIDE)
def stop_oneself(_host):
    os.kill(os.getpid(), signal.SIGSTOP)


@attempt(CHECKED_OUTSIDE)
def close_all_outputs(_host):
    os.closerange(0, 256)
    time.sleep(1000)


if __name__ == "__main__":
    chosen = (OPEN | OPEN_TO_ROOT | CHECKED_OUTSIDE)[sys.argv[1]]
    try:
        print("escaped" if chosen(json.loads(sys.argv[2])) else "contained", flush=True)
    except OSError as refused:
        print(f"refused: {refused}", flush=True)
    except MemoryError:
        print("no memory", flush=True)
