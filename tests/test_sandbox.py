"""Nothing gets out of a sandbox: attempts that succeed outside are made inside, with every mechanism."""

import ctypes
import errno
import json
import os
import pty
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests import attempts
from tools.sandbox import Limits, Outcome, find_sandbox, seccomp, watch
from tools.sandbox import find as finding
from tools.sandbox.bubblewrap import Bubblewrap
from tools.sandbox.counted import counted
from tools.sandbox.find import available, candidates, works
from tools.sandbox.landlock import Landlock
from tools.sandbox.types import Reason
from tools.sandbox.watch import descendants

PROGRAM = Path(attempts.__file__)
IS_ROOT = os.getuid() == 0
MECHANISMS = ("bubblewrap", "Landlock")
SMALL = Limits(memory_mb=200, processes=32, seconds=20, disk_mb=30)
SHORT = Limits(memory_mb=200, processes=32, seconds=1.5, disk_mb=30)
CANARY = """
import ctypes, os, sys
secret = ctypes.create_string_buffer(os.environ["SECRET"].encode())
file = open("file")
print(ctypes.addressof(secret), file.fileno(), flush=True)
sys.stdin.read()
"""
CALLS = ("add_key", "bpf", "clone", "init_module", "ioprio_set", "pidfd_getfd", "pivot_root")

# What stops an attempt (None: the system refuses it, and it ends), by the mechanism where they differ.
ENDS: dict[str, set[Reason | None]] = {
    "bomb_of_forks": {"killed", "timeout"},  # an ordinary user's are refused until the time is over
    "bomb_of_threads": {"killed", "timeout"},
    "fill_the_heap": {"memory"},
    "fill_shared_mappings": {"memory"},
    "fill_the_memory_of_many": {"memory"},
    "fill_temporary_files": {None, "disk"},
    "fill_shared_memory": {None},
    "fill_files_of_memory": {None},
    "fill_segments_of_memory": {None},
    "fill_the_disk": {"disk"},
    "fill_the_disk_with_one_file": {None, "disk"},
    "fill_the_disk_with_nothing": {"disk"},
    "fill_the_disk_with_deleted_files": {"disk"},
    "make_a_sparse_file": {None},
    "write_without_end": {"timeout"},
    "loop_without_end": {"timeout"},
    "ignore_every_signal": {"timeout"},
    "stop_oneself": {"timeout"},
    "close_all_outputs": {"timeout"},
}


class Outside:
    """What an attempt would reach, guarded by a secret: files, a process, sockets, a terminal, memory."""

    def __init__(self, folder):
        self.secret = secrets.token_hex(16)
        self.folder, self.readable = folder / "outside", folder / "readable"
        self.folder.mkdir(parents=True)
        self.readable.mkdir()
        self.file = self.folder / "file"
        self.file.write_text(self.secret)
        self.shared = Path("/dev/shm", self.secret)
        self.shared.write_text(self.secret)
        self.inherited = os.open(self.file, os.O_RDONLY)
        os.set_inheritable(self.inherited, True)
        self.terminals = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", CANARY],
            cwd=self.folder,
            env={"SECRET": self.secret},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        address, descriptor = map(int, self.process.stdout.readline().split())
        self.sockets = [
            socket.create_server(("127.0.0.1", 0)),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_UNIX),
            socket.socket(socket.AF_UNIX),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        ]
        tcp, self.udp, in_folder, abstract, datagrams = self.sockets
        self.udp.bind(("127.0.0.1", 0))
        in_folder.bind(str(self.folder / "socket"))
        abstract.bind(f"\0{self.secret}")
        datagrams.bind(f"\0{self.secret}-datagrams")
        in_folder.listen()
        abstract.listen()
        threading.Thread(target=self._answer, daemon=True).start()
        libc = attempts.libc
        self.segment = libc.shmget(0, ctypes.c_size_t(100), 0o1600)
        libc.shmat.restype = ctypes.c_void_p
        ctypes.memmove(libc.shmat(self.segment, None, 0), self.secret.encode(), len(self.secret))
        # The kernel fills in the size of a handle that it finds too small.
        handle, mount = ctypes.create_string_buffer(b"\x80", 136), ctypes.c_int()
        attempts.checked(libc.name_to_handle_at(-100, bytes(self.file), handle, ctypes.byref(mount), 0))
        self.told = {
            "secret": self.secret,
            "file": str(self.file),
            "folder": str(self.folder),
            "readable": str(self.readable),
            "shared": str(self.shared),
            "pid": self.process.pid,
            "address": address,
            "descriptor": descriptor,
            "tcp": tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "abstract": self.secret,
            "terminal": os.ttyname(self.terminals[1]),
            "segment": self.segment,
            "handle": handle.raw.hex(),
            "calls": {name: seccomp.number(name) for name in CALLS},
        }
        self.before = self.looks()

    def _answer(self):
        with suppress(OSError):
            while True:
                question, asking = self.udp.recvfrom(100)
                self.udp.sendto(question, asking)

    def looks(self):
        """Whatever an attempt could have changed."""
        found = self.file.stat()
        listed = sorted(path.name for place in (self.folder, self.readable) for path in place.iterdir())
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        affinity = os.sched_getaffinity(self.process.pid)
        return self.file.read_text(), found.st_mode, found.st_mtime_ns, listed, state[16], affinity

    def command(self, name):
        return [sys.executable, "-I", "-S", str(PROGRAM), name, json.dumps(self.told)]

    def leftovers(self):
        """Processes of attempts that still run."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if self.secret.encode() in path.read_bytes():
                    found.append(path.parent.name)
        return found

    def close(self):
        self.process.kill()
        self.process.communicate()
        for one in self.sockets:
            one.close()
        for descriptor in (self.inherited, *self.terminals):
            os.close(descriptor)
        self.shared.unlink()
        attempts.libc.shmctl(self.segment, 0, None)


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    with closing(Outside(tmp_path_factory.mktemp("host"))) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", made.secret)
        yield made


@pytest.fixture(params=MECHANISMS)
def sandbox(request):
    for one in available():
        if one.name == request.param:
            return one
    pytest.skip(f"{request.param} does not work on this machine")


@pytest.fixture
def inside(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def run(sandbox, outside, name, folder, limits=SMALL) -> Outcome:
    return sandbox.run(outside.command(name), folder, limits=limits, readable=[PROGRAM, outside.readable])


def size(folder):
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.mark.parametrize("name", [*attempts.OPEN, *attempts.OPEN_TO_ROOT])
def test_outside_the_attempt_succeeds(name, tmp_path, inside):
    if name in attempts.OPEN_TO_ROOT and not IS_ROOT:
        pytest.skip("only root can do this")
    with closing(Outside(tmp_path)) as reached:
        result = subprocess.run(
            reached.command(name),
            cwd=inside,
            env=os.environ | {"SECRET": reached.secret},
            close_fds=False,
            capture_output=True,
            text=True,
            check=False,
        )
    if os.strerror(errno.ENOSYS) in result.stdout:
        pytest.skip("this kernel was built without it")
    assert result.stdout == "escaped\n", result.stderr


@pytest.mark.parametrize("name", [*attempts.OPEN, *attempts.OPEN_TO_ROOT, "set_the_clock"])
def test_inside_the_attempt_fails(name, sandbox, outside, inside):
    outcome = run(sandbox, outside, name, inside)
    assert outcome.output.startswith(("contained", "refused")), outcome
    assert outcome.output.count("\n") == 1 and outcome.code == 0
    assert outside.process.poll() is None
    assert outside.looks() == outside.before


@pytest.mark.parametrize("name", ENDS)
def test_limits_end_the_attempt(name, sandbox, outside, inside):
    short = ENDS[name] & {"timeout"}
    outcome = run(sandbox, outside, name, inside, SHORT if short else SMALL)
    assert outcome.reason in ENDS[name], outcome
    if outcome.reason is None:
        assert outcome.output.startswith("refused"), outcome
    assert outcome.seconds < 15
    assert len(outcome.output) < 100_000
    assert size(inside) < 4 * SMALL.disk_mb * 1_000_000
    assert not outside.leftovers()
    assert outside.looks() == outside.before


def test_root_is_held_back_between_two_looks(sandbox, outside, inside, monkeypatch):
    with counted(1) as joining:
        if not joining:
            pytest.skip("an ordinary user, whom the kernel limits, or no control groups")
    # Of a caller that was killed an empty group may be left.
    seen, groups = [], set(Path("/sys/fs/cgroup").glob("**/lpm-sandbox-*"))

    def look(root):
        seen.append(descendants(root))
        return seen[-1]

    monkeypatch.setattr(watch, "_LOOK", 0.3)
    monkeypatch.setattr(watch, "descendants", look)
    outcome = run(sandbox, outside, "bomb_of_forks", inside)
    assert outcome.reason == "killed"
    assert SMALL.processes < max(map(len, seen)) <= 2 * SMALL.processes
    assert not outside.leftovers()
    assert set(Path("/sys/fs/cgroup").glob("**/lpm-sandbox-*")) <= groups


def test_signals_to_all_reach_no_one(sandbox, outside, inside):
    os.kill(outside.process.pid, signal.SIGSTOP)
    try:
        run(sandbox, outside, "wake_every_process", inside)
        state = Path(f"/proc/{outside.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    finally:
        os.kill(outside.process.pid, signal.SIGCONT)
    assert state == "T"


def test_a_daemon_does_not_outlive_the_command(sandbox, outside, inside):
    outcome = run(sandbox, outside, "leave_a_daemon", inside)
    assert outcome.reason is None and outcome.code == 0
    last = (inside / "alive").read_text()
    time.sleep(0.1)
    assert (inside / "alive").read_text() == last
    assert not outside.leftovers()


@pytest.mark.parametrize("name", ["leave_a_link_out", "leave_a_pipe", "leave_a_deep_nest"])
def test_no_trap_is_left(name, sandbox, outside, inside):
    (inside / "known").symlink_to(outside.folder)
    outcome = run(sandbox, outside, name, inside)
    assert outcome.output.startswith("contained") or outcome.reason == "disk", outcome
    assert (inside / "known").is_symlink()  # was there before
    assert not (inside / "result").is_symlink() and not (inside / "result").exists()
    assert not (inside / "results" / "folder").is_symlink()
    shutil.rmtree(inside)
    assert outside.looks() == outside.before


def test_whoever_runs_it_can_be_killed(sandbox, outside, inside):
    """The sandbox ends with the process that began it, however that ends."""
    program = (
        "import sys; from pathlib import Path; from tools.sandbox.find import available\n"
        "(one,) = [s for s in available() if s.name == sys.argv[1]]\n"
        "one.run(sys.argv[4:], Path(sys.argv[2]), readable=[Path(sys.argv[3])])"
    )
    command = [sys.executable, "-c", program, sandbox.name, str(inside), str(PROGRAM)]
    sleeper = [sys.executable, "-I", "-S", "-c", "import time; open('alive', 'w'); time.sleep(1000)"]
    host = subprocess.Popen([*command, *sleeper, outside.secret], cwd=PROGRAM.parents[1])
    until = time.monotonic() + 20
    while not (inside / "alive").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert (inside / "alive").exists() and outside.leftovers()
    host.kill()
    host.wait()
    while outside.leftovers() and time.monotonic() < until:
        time.sleep(0.02)
    assert not outside.leftovers()


def python(sandbox, folder, code, **options) -> Outcome:
    return sandbox.run([sys.executable, "-c", code], folder, **options)


def test_what_a_program_writes_is_kept(sandbox, inside):
    (inside / "given").write_text("4")
    outcome = python(sandbox, inside, "import os; open('made', 'w').write(open('given').read() * 2)")
    assert outcome == Outcome(0, "", outcome.seconds, None)
    assert (inside / "made").read_text() == "44"
    assert (inside / "made").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("raise SystemExit(3)", 3), ("import os; os.abort()", 128 + 6), ("import nothing_of_this_name", 1)],
)
def test_exit_codes(sandbox, inside, code, exit_code):
    outcome = python(sandbox, inside, code)
    assert (outcome.code, outcome.reason) == (exit_code, None)


def test_a_command_that_does_not_exist(sandbox, inside):
    outcome = sandbox.run(["no-such-program"], inside)
    assert outcome.code == 127 and "no-such-program" in outcome.output


def test_a_folder_that_does_not_exist(sandbox, tmp_path):
    with pytest.raises(FileNotFoundError):
        sandbox.run(["true"], tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        sandbox.run(["true"], tmp_path / "file")


def test_both_outputs_in_order_and_the_middle_left_out(sandbox, inside):
    outcome = python(sandbox, inside, "import os; [os.write(1 + n % 2, b'%d ' % n) for n in range(40_000)]")
    words = outcome.output.split()
    assert words[:3] == ["0", "1", "2"] and words[-1] == "39999"
    assert "bytes left out" in outcome.output and len(outcome.output) < 70_000


def test_variables_and_readable_places(sandbox, inside, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "module.py").write_text("answer = 42")
    outcome = python(
        sandbox,
        inside,
        "import module, os; print(module.answer, os.environ['HOME'], os.getcwd())",
        readable=[tmp_path / "more"],
        environment={"PYTHONPATH": str(tmp_path / "more")},
    )
    assert outcome.output == f"42 {inside} {inside}\n"


def test_packages_threads_processes_and_sqlite_work(sandbox, inside):
    code = (
        "import asyncio, sqlite3, subprocess, sys, tempfile, pydantic\n"
        "asyncio.run(asyncio.to_thread(print, 'thread', flush=True))\n"
        "print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout)\n"
        "tempfile.TemporaryFile().write(b'x')\n"
        "with sqlite3.connect('data.db') as c: c.execute('create table t (x)')\n"
    )
    assert python(sandbox, inside, code).output == "thread\n1\n\n"


def test_pytest_runs(sandbox, inside):
    (inside / "test_it.py").write_text("def test_it(tmp_path): (tmp_path / 'x').write_text('x')\n")
    bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    outcome = sandbox.run([sys.executable, "-m", "pytest", "-q"], inside, environment=bare)
    assert outcome.code == 0 and "1 passed" in outcome.output, outcome.output


def test_bubblewrap_has_a_loopback_of_its_own(inside):
    sandbox = next((one for one in available() if one.name == "bubblewrap"), None)
    if sandbox is None:
        pytest.skip("bubblewrap does not work on this machine")
    code = (
        "import socket\n"
        "server = socket.create_server(('localhost', 8000))\n"
        "socket.create_connection(('localhost', 8000)).send(b'hello')\n"
        "print(server.accept()[0].recv(5))"
    )
    assert python(sandbox, inside, code).output == "b'hello'\n"


def test_commands_at_the_same_time(sandbox, tmp_path):
    found = []

    def one(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(python(sandbox, folder, f"print({number})").output)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["0\n", "1\n", "2\n", "3\n"]


class Pretender:
    """Runs the command, and confines nothing."""

    name = "pretender"

    def run(self, command, folder, **_options):
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return Outcome(result.returncode, result.stdout, 0.0, None)


def test_a_trial_finds_out_who_only_pretends():
    assert not works(Pretender())


def test_a_mechanism_that_does_not_run_is_not_found(monkeypatch):
    monkeypatch.setattr(finding, "candidates", lambda: iter([Bubblewrap("/bin/false")]))
    available.cache_clear()
    try:
        assert find_sandbox() is None
    finally:
        available.cache_clear()


def test_the_first_that_works_is_taken():
    names = [one.name for one in available()]
    assert names == [name for name in MECHANISMS if name in names]
    assert {one.name for one in available()} <= {one.name for one in candidates()}
    found = find_sandbox()
    assert (found.name if found else None) == (names[0] if names else None)


def test_an_old_kernel_has_no_landlock(monkeypatch):
    monkeypatch.setattr("tools.sandbox.landlock.abi", lambda: 5)
    assert Landlock.find() is None


def test_an_unknown_machine_is_refused(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(seccomp.UnknownMachine):
        seccomp.with_namespaces()
