"""Which confinement this machine offers, proven by running something in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.sandbox.bubblewrap import Bubblewrap
from tools.sandbox.landlock import Landlock
from tools.sandbox.places import interpreter
from tools.sandbox.seccomp import UnknownMachine
from tools.sandbox.types import Limits, Sandbox

__all__ = ["available", "candidates", "find_sandbox", "works"]

_TRIAL = """
import pathlib, sys
pathlib.Path("within").write_text("written")
for way in ("r", "a"):
    try:
        open(sys.argv[1], way).close()
    except OSError:
        continue
    sys.exit("a file outside could be opened")
"""


def candidates() -> Iterator[Sandbox]:
    """What is installed, best first, not tried."""
    if (bubblewrap := Bubblewrap.find()) is not None:
        yield bubblewrap
    if (landlock := Landlock.find()) is not None:
        yield landlock


def works(sandbox: Sandbox) -> bool:
    """Whether a program runs in it, writes in its folder and reaches no file outside."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as elsewhere:
        outside = Path(elsewhere, "outside")
        outside.write_text("kept")
        command = [interpreter(), "-I", "-S", "-c", _TRIAL, str(outside)]
        try:
            outcome = sandbox.run(command, Path(folder), limits=Limits(seconds=20))
        except (OSError, UnknownMachine, subprocess.TimeoutExpired):
            return False
        written = Path(folder, "within")
        return outcome.code == 0 and written.is_file() and written.read_text() == "written"


@cache
def available() -> tuple[Sandbox, ...]:
    """All that work here, best first; tried once in a process, which takes some tenths of a second."""
    return tuple(sandbox for sandbox in candidates() if works(sandbox))


def find_sandbox() -> Sandbox | None:
    """The best confinement that works here; None if there is none, and then nothing must be run."""
    return next(iter(available()), None)
