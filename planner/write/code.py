"""A program in its folder."""

from __future__ import annotations

from pathlib import Path

from planner.answer import Answer
from tools.code_writer.folder import write
from tools.code_writer.types import CodeAnswer, CodeRequest

__all__ = ["write_code"]


def write_code(answer: Answer) -> list[Path]:
    """Write a program into the folder that it is for, or revise the one there; nothing where there is none.

    Returns:
        The files that are new or changed.

    Raises:
        BadInput: If the folder holds something that is not ours.
        OSError: If it cannot be written; what was there stays.
    """
    request, found = answer.request, answer.result
    if not isinstance(request, CodeRequest) or not isinstance(found, CodeAnswer) or request.given.out is None:
        return []
    return write(request.given.out, found.package, found.files)
