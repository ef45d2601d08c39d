"""What writes and repairs bodies of functions, as the code tool sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from tools.code_writer.logic.source import Function
from tools.tool import Spent

__all__ = ["CodeModel", "Failed", "ModelRepairer", "Proposed", "Repairer", "Task"]


@dataclass(frozen=True)
class Failed:
    """A body that was tried, and why it is not right.

    Attributes:
        body: Indented.
        passed: How many of the examples and tests it passed.
        reason: The first that it did not pass, and what came out; or why it could not be run.
    """

    body: str
    passed: int
    reason: str


@dataclass(frozen=True)
class Task:
    """A function to write.

    Attributes:
        function: The function.
        before: What stands above it in its module: imports, constants, other functions.
        failed: A body that is to be repaired; None where nothing has been tried.
    """

    function: Function
    before: str
    failed: Failed | None = None


@dataclass(frozen=True)
class Proposed:
    """Bodies, indented, as they were written, and what writing them cost."""

    bodies: tuple[str, ...]
    spent: Spent


class CodeModel(Protocol):
    """Writes bodies of functions; nobody has read them, so they are run in a sandbox only."""

    name: str

    def propose(self, task: Task, count: int) -> Proposed:
        """Up to ``count`` bodies of a function.

        Raises:
            OSError: If the model cannot be reached.
        """
        ...


class Repairer(Protocol):
    """Reads why a body failed, and writes others."""

    def repair(self, task: Task, failed: Failed, count: int) -> Proposed:
        """Up to ``count`` bodies instead of the one that failed.

        Raises:
            OSError: If what repairs cannot be reached.
        """
        ...


@dataclass(frozen=True)
class ModelRepairer:
    """Shows the body and its failure to the model that writes bodies."""

    model: CodeModel

    def repair(self, task: Task, failed: Failed, count: int) -> Proposed:
        """See ``Repairer``."""
        return self.model.propose(replace(task, failed=failed), count)
