"""What the code tool is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.code_writer.arguments import CodeArguments
from tools.code_writer.logic import Written
from tools.code_writer.specification import Specification
from tools.tool import Spent

__all__ = ["Change", "ChangeKind", "CodeAnswer", "CodeGiven", "CodeRequest"]

ChangeKind = Literal["new", "changed", "removed", "conflict"]


class CodeGiven(BaseModel):
    """What a request for a program comes with beside words.

    Attributes:
        out: Folder of the program; None writes nothing.
        diff: Whether the differences from what stands there are wanted.
        functions: Text of a file of functions to be written, see ``logic.read_logic``; empty for none.
        samples: Bodies to ask for at a time.
        repairs: Most rounds of repair for a function.
    """

    model_config = ConfigDict(frozen=True)

    out: Path | None = None
    diff: bool = False
    functions: str = ""
    samples: int = Field(default=8, ge=1)
    repairs: int = Field(default=2, ge=0)


class CodeRequest(BaseModel):
    """A program to be written.

    Attributes:
        call: What was read.
        specification: The same with every name made safe.
        warnings: What was changed to make it so.
        given: Where it is to stand.
    """

    model_config = ConfigDict(frozen=True)

    call: CodeArguments
    specification: Specification
    warnings: tuple[str, ...]
    given: CodeGiven


class Change(BaseModel):
    """What becomes of one file.

    Attributes:
        path: From the program's folder.
        kind: ``conflict``: edited by hand, so that it stays.
        beside: Of a conflict: the file that the new text goes into; empty where there is none.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    kind: ChangeKind
    beside: str = ""


class CodeAnswer(BaseModel):
    """A program that is made, not yet written.

    Attributes:
        package: Its Python package.
        files: Path from its folder -> text.
        changes: What becomes of the files that stand there; the others stay as they are.
        diff: The changes in the form of ``diff -u``, if they were wanted.
        warnings: What the person should know.
        functions: What became of every function that was to be written.
        spent: What writing them cost.
    """

    model_config = ConfigDict(frozen=True)

    package: str
    files: Mapping[str, str]
    changes: tuple[Change, ...]
    diff: str
    warnings: tuple[str, ...]
    functions: tuple[Written, ...] = ()
    spent: Spent = Spent()
