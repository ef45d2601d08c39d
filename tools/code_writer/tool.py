"""The code tool as the agent sees it: records and features to a program, the program to its checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.code_writer.arguments import CodeArguments
from tools.code_writer.folder import changes, diff, look
from tools.code_writer.rendering import render
from tools.code_writer.resolve import Resolved, resolve
from tools.code_writer.types import CodeAnswer, CodeGiven, CodeRequest
from tools.code_writer.verify import verify
from tools.sandbox import Sandbox, find_sandbox
from tools.tool import Check, Progress, Questions, Tool

__all__ = ["CODE_TOOL", "code_tool"]

_NOTHING = CodeGiven()


def code_tool(given: CodeGiven = _NOTHING, sandbox: Callable[[], Sandbox | None] = find_sandbox) -> Tool:
    """The code tool.

    Args:
        given: What the request comes with beside words.
        sandbox: Finds what written programs are run in.
    """

    def prepare(call: CodeArguments, _progress: Progress) -> CodeRequest | Questions:
        before = look(given.out) if given.out is not None else None
        found = resolve(call, before.package if before else None)
        if not isinstance(found, Resolved):
            return Questions(found, _said(call))
        return CodeRequest(call=call, specification=found.specification, warnings=found.warnings, given=given)

    def check(request: CodeRequest, answer: CodeAnswer) -> tuple[Check, ...]:
        return verify(request, answer, sandbox())

    return Tool(
        name="code",
        description="Write a program that keeps records: a REST API, a command-line tool or a library.",
        needs="what the program keeps, and whether it is an API, a command-line tool or a library",
        arguments=CodeArguments,
        prepare=prepare,
        constraints=lambda request: _said(request.call),
        run=_run,
        warnings=lambda answer: answer.warnings,
        verify=check,
        summary=_summary,
    )


def _said(call: CodeArguments) -> dict[str, Any]:
    """A call in the fields of the public schema, as it was read; what is at its default is left out."""
    return call.model_dump(exclude_defaults=True, mode="json")


def _run(request: CodeRequest, progress: Progress) -> CodeAnswer:
    progress("writing the program", 0.2)
    files = render(request.specification)
    out = request.given.out
    before = look(out) if out is not None else None
    found = changes(out, before, files)
    warnings = [*request.warnings]
    warnings += [
        f"{change.path} was edited by hand and stays; the new text goes into {change.path}.new"
        for change in found
        if change.kind == "conflict" and change.path in files
    ]
    warnings += [
        f"{change.path} was edited by hand and stays, though the program needs it no more"
        for change in found
        if change.kind == "conflict" and change.path not in files
    ]
    if before is not None and any(_is_migration(change.path) for change in found):
        warnings.append("the tables have changed: a database of the earlier program does not fit any more")
    if out is None:
        warnings.append("nothing is written: no folder was named")
    progress("testing the program", 0.4)
    return CodeAnswer(
        package=request.specification.package,
        files=files,
        changes=found,
        diff=diff(out, files, found) if request.given.diff else "",
        warnings=tuple(warnings),
    )


def _is_migration(path: str) -> bool:
    return Path(path).parent.name == "migrations"


def _summary(answer: CodeAnswer) -> str:
    return f"The program {answer.package} has {len(answer.files)} files."


CODE_TOOL = code_tool()
