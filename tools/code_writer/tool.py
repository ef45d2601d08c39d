"""The code tool as the agent sees it: records and features to a program, the program to its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.code_writer.arguments import CodeArguments
from tools.code_writer.folder import changes, diff, look
from tools.code_writer.logic import (
    NO_MODEL,
    CodeModel,
    Logic,
    ModelRepairer,
    Repairer,
    Written,
    body_of,
    read_logic,
    write_bodies,
)
from tools.code_writer.rendering import complaint, logic_path, render
from tools.code_writer.resolve import Resolved, resolve
from tools.code_writer.types import Change, CodeAnswer, CodeGiven, CodeRequest
from tools.code_writer.verify import NOT_RUN, verify
from tools.sandbox import Sandbox, find_sandbox
from tools.tool import BadInput, Check, Progress, Questions, Spent, Tool

__all__ = ["CODE_TOOL", "code_tool"]

_NOTHING = CodeGiven()


def code_tool(
    given: CodeGiven = _NOTHING,
    sandbox: Callable[[], Sandbox | None] = find_sandbox,
    model: Callable[[], CodeModel] | None = None,
    repairer: Callable[[CodeModel], Repairer] = ModelRepairer,
) -> Tool:
    """The code tool.

    Args:
        given: What the request comes with beside words.
        sandbox: Finds what written programs are run in.
        model: Makes what writes bodies of functions, when one is to be written; None for no such model.
        repairer: Makes what repairs bodies that failed.
    """

    def prepare(call: CodeArguments, _progress: Progress) -> CodeRequest | Questions:
        before = look(given.out) if given.out is not None else None
        found = resolve(call, before.package if before else None)
        if not isinstance(found, Resolved):
            return Questions(found, _said(call))
        return CodeRequest(call=call, specification=found.specification, warnings=found.warnings, given=given)

    def run(request: CodeRequest, progress: Progress) -> CodeAnswer:
        logic = read_logic(request.given.functions) if request.given.functions else None
        functions: tuple[Written, ...] = ()
        spent = Spent()
        if logic is not None:
            functions, spent = _functions(request, logic, sandbox(), model, repairer, progress)
        return _run(request, progress, logic, functions).model_copy(update={"spent": spent})

    def check(request: CodeRequest, answer: CodeAnswer) -> tuple[Check, ...]:
        return verify(request, answer, sandbox())

    return Tool(
        name="code",
        description="Write a program that keeps records: a REST API, a command-line tool or a library.",
        needs="what the program keeps, and whether it is an API, a command-line tool or a library",
        arguments=CodeArguments,
        prepare=prepare,
        constraints=lambda request: _said(request.call),
        run=run,
        warnings=lambda answer: answer.warnings,
        verify=check,
        summary=_summary,
        spent=lambda answer: answer.spent,
    )


def _said(call: CodeArguments) -> dict[str, Any]:
    """A call in the fields of the public schema, as it was read; what is at its default is left out."""
    return call.model_dump(exclude_defaults=True, mode="json")


def _functions(
    request: CodeRequest,
    logic: Logic,
    sandbox: Sandbox | None,
    model: Callable[[], CodeModel] | None,
    repairer: Callable[[CodeModel], Repairer],
    progress: Progress,
) -> tuple[tuple[Written, ...], Spent]:
    """Write the functions that the person brought; all of them are stubs where nothing may be run."""
    program, given = request.specification, request.given
    stubs = tuple(
        Written(name=function.name, state="stub", reason=NOT_RUN if sandbox is None else NO_MODEL)
        for function in logic.functions
    )
    found = complaint(program, logic, stubs)
    if found:
        raise BadInput(f"the functions: {found}")
    if sandbox is None or model is None:
        return stubs, Spent()
    writer = model()

    def complains(bodies: Mapping[str, str]) -> str:
        made = [
            stub.model_copy(update={"state": "written", "body": bodies[stub.name]})
            if stub.name in bodies
            else stub
            for stub in stubs
        ]
        return complaint(program, logic, made)

    return write_bodies(
        logic,
        writer,
        repairer(writer),
        sandbox,
        complains,
        there=_bodies_there(given, program.package, logic),
        samples=given.samples,
        repairs=given.repairs,
        tell=lambda name: progress(f"writing the function {name}", 0.1),
    )


def _bodies_there(given: CodeGiven, package: str, logic: Logic) -> dict[str, str]:
    """Bodies that stand in the program's folder, whoever wrote them."""
    try:
        text = (given.out / logic_path(package)).read_text("utf-8") if given.out is not None else ""
    except (OSError, UnicodeDecodeError):
        return {}
    found = {function.name: body_of(text, function.name) for function in logic.functions}
    return {name: body for name, body in found.items() if body}


def _run(
    request: CodeRequest, progress: Progress, logic: Logic | None, functions: tuple[Written, ...]
) -> CodeAnswer:
    progress("writing the program", 0.2)
    files = render(request.specification, logic, functions)
    out = request.given.out
    before = look(out) if out is not None else None
    found = changes(out, before, files)
    warnings = [*request.warnings]
    warnings += [_conflict(change) for change in found if change.kind == "conflict"]
    if before is not None and any(_is_migration(change.path) for change in found):
        warnings.append("the tables have changed: a database of the earlier program does not fit any more")
    warnings += [
        f"{found.name} is not written, a call of it raises NotImplementedError: {found.reason}"
        for found in functions
        if found.state == "stub"
    ]
    if out is None:
        warnings.append("nothing is written: no folder was named")
    progress("testing the program", 0.4)
    return CodeAnswer(
        package=request.specification.package,
        files=files,
        changes=found,
        diff=diff(out, files, found) if request.given.diff else "",
        warnings=tuple(warnings),
        functions=functions,
    )


def _conflict(change: Change) -> str:
    said = f"{change.path} was edited by hand and stays"
    if not change.beside:
        return f"{said}, though the program needs it no more"
    first = f"{change.path}.new"
    why = "" if change.beside == first else f", since {first} was edited, too"
    return f"{said}; the new text goes into {change.beside}{why}"


def _is_migration(path: str) -> bool:
    return Path(path).parent.name == "migrations"


def _summary(answer: CodeAnswer) -> str:
    return f"The program {answer.package} has {len(answer.files)} files."


CODE_TOOL = code_tool()
