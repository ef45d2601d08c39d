"""What a sandbox takes and gives, whichever mechanism it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

__all__ = ["DEFAULT_LIMITS", "NO_VARIABLES", "Limits", "Outcome", "Reason", "Sandbox"]

Reason = Literal["timeout", "memory", "disk", "killed"]


@dataclass(frozen=True)
class Limits:
    """How much a command and all that it starts may use together.

    Attributes:
        memory_mb: Resident memory in MB; shared pages count once.
        processes: Processes and threads at one time.
        seconds: From the start to the end of the last process.
        disk_mb: What the folder may grow by, in MB; the same again for temporary files. A file counts at
            least 4 kB, so that their number is bounded too.
    """

    memory_mb: int = 1024
    processes: int = 64
    seconds: float = 60.0
    disk_mb: int = 256


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: Its exit code, 128 + n if signal n ended it; None if it was stopped for ``reason``.
        output: What it wrote to both outputs, in order; of a long output the middle is left out.
        seconds: How long it ran.
        reason: Which limit it was stopped for: time, memory, disk, or "killed" for too many processes or a
            SIGKILL from elsewhere, as the kernel sends when memory is short. None if it ended by itself.
    """

    code: int | None
    output: str
    seconds: float
    reason: Reason | None


DEFAULT_LIMITS = Limits()
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class Sandbox(Protocol):
    """Runs commands that nobody has read, so that they can harm nothing outside their folder."""

    name: str

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        limits: Limits = DEFAULT_LIMITS,
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] = NO_VARIABLES,
    ) -> Outcome:
        """Run a command until it ends or breaks a limit; nothing that it started is left then.

        Symbolic links that it made and that lead out of the folder, pipes and sockets are removed at the end,
        so that whoever reads the folder afterwards is not led elsewhere.

        Args:
            command: Program and arguments; the program as a path, or a name to be found in the system's
                folders or beside the running interpreter.
            folder: The working directory, and the only place that can be written (and is kept).
            limits: What may be used.
            readable: Files and folders that may be read beside the system and the running interpreter.
            environment: Variables to set; none of the caller's are passed on.

        Raises:
            OSError: If ``folder`` is not a folder, or the command could not even be started.
        """
        ...
