"""Try a body under its function's examples and tests, in the sandbox."""

from __future__ import annotations

import ast
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.code_writer.logic import inside
from tools.code_writer.logic.model import Failed
from tools.code_writer.logic.source import Function, Logic
from tools.code_writer.logic.texts import module_text
from tools.sandbox import Limits, Sandbox

__all__ = ["judged"]

_LIMITS = Limits(memory_mb=512, processes=16, seconds=10.0, disk_mb=16)


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: int
    failed: str


def judged(
    logic: Logic, bodies: Mapping[str, str], function: Function, body: str, sandbox: Sandbox
) -> Failed | None:
    """None if a body passes all examples and tests of its function.

    Args:
        logic: The file that the function stands in.
        bodies: Bodies of other functions, which it may call.
        function: The function.
        body: What was written for it.
        sandbox: Where it is run.
    """
    malformed = _malformed(function, body)
    if malformed:
        return Failed(body, 0, malformed)
    names = ", ".join(logic.names)
    checks = [*logic.test_imports, f"from logic import {names}", *(text for _, text in logic.tests)]
    # Printed only where the trial came to its end: a body that leaves early does not know it.
    mark = secrets.token_hex(8)
    command = [sys.executable, "inside.py", mark, function.name, *function.tests]
    with TemporaryDirectory(prefix="lpm-trial-") as name:
        folder = Path(name)
        module = module_text(logic, {**bodies, function.name: body}, {})
        (folder / "logic.py").write_text(module, encoding="utf-8")
        (folder / "checks.py").write_text("\n\n".join(checks) + "\n", encoding="utf-8")
        (folder / "inside.py").write_text(Path(inside.__file__).read_text("utf-8"), encoding="utf-8")
        outcome = sandbox.run(command, folder, limits=_LIMITS)
    if outcome.reason:
        return Failed(body, 0, f"stopped after {outcome.seconds:.0f} s: {outcome.reason}")
    last = outcome.output.rstrip("\n").rpartition("\n")[2]
    try:
        result = _Result.model_validate_json(last.removeprefix(mark))
    except ValidationError:
        result = None
    if result is None or not last.startswith(mark) or outcome.code != 0:
        return Failed(body, 0, "it ends the program that calls it")
    complete = function.examples + len(function.tests)
    if result.failed or result.passed != complete:
        return Failed(body, result.passed, result.failed or "not all of its tests were run")
    return None


def _malformed(function: Function, body: str) -> str:
    """Why a body cannot be a function's body at all; empty if it can."""
    try:
        module = ast.parse(function.with_body(body))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it is not Python: {error}"
    alone = len(module.body) == 1 and isinstance(module.body[0], ast.FunctionDef)
    if not alone or not body.strip():
        return "it is no body of a function"
    for node in ast.walk(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = ["." if node.level else node.module or "."]
        for name in names:
            if name.partition(".")[0] not in sys.stdlib_module_names:
                return f"it imports {name}, which the program does not have"
    return ""
