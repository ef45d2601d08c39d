"""Check a written program by running it in a sandbox: its own tests, and a probe that asks for every wish.

The probe knows what is wanted, and nothing of how the program was rendered.
"""

from __future__ import annotations

import ast
import json
import secrets
import stat
import sys
import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tools.code_writer import probe
from tools.code_writer.logic import body_of, judged, read_logic
from tools.code_writer.rendering import logic_path
from tools.code_writer.specification import Specification
from tools.code_writer.types import CodeAnswer, CodeRequest
from tools.sandbox import Limits, Outcome, Sandbox
from tools.tool import Check

__all__ = ["NOT_RUN", "verify"]

NOT_RUN = "nothing was run: this machine has neither bubblewrap nor Landlock to run it in"
_CHECKS = TypeAdapter(tuple[Check, ...])
_PROBE, _PLAN = "probe.py", "plan.json"
_SECONDS, _SECONDS_EACH, _MOST_SECONDS = 120.0, 30.0, 900.0  # for a program, and for each kind of record
_MOST_BYTES = 10_000_000  # of checks
# Plugins of the planner's own environment are no part of the program.
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def verify(request: CodeRequest, answer: CodeAnswer, sandbox: Sandbox | None) -> tuple[Check, ...]:
    """Whether every entity, relation and feature is there, and the program's tests pass."""
    parsed = _parsed(answer)
    if sandbox is None or not parsed.satisfied:
        why = NOT_RUN if sandbox is None else "the code is not Python"
        return (parsed, Check(constraint="it works", satisfied=False, evidence=why), *_stubs(answer))
    each = _SECONDS_EACH * len(request.specification.entities)
    limits = Limits(seconds=min(_SECONDS + each, _MOST_SECONDS))
    with tempfile.TemporaryDirectory(prefix="lpm-verify-") as name:
        folder = Path(name)
        for path, text in answer.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        tests = [sys.executable, "-m", "pytest", "--tb=line", "-p", "no:cacheprovider"]
        tested = sandbox.run(tests, folder, limits=limits, environment=_ENVIRONMENT)
        (folder / _PROBE).write_text(Path(probe.__file__).read_text(encoding="utf-8"), encoding="utf-8")
        (folder / _PLAN).write_text(_plan(request.specification), encoding="utf-8")
        # Named by chance, so that the program's tests cannot have left it there.
        checks = f"checks-{secrets.token_hex(8)}.json"
        command = [sys.executable, _PROBE, _PLAN, checks]
        probed = sandbox.run(command, folder, limits=limits, environment=_ENVIRONMENT)
        said = _plain_bytes(folder / checks)
    functions = _functions(request, answer, sandbox)
    return (parsed, _tested(tested, sandbox), *_probed(said, probed, request.specification), *functions)


def _stubs(answer: CodeAnswer) -> tuple[Check, ...]:
    return tuple(
        Check(constraint=f"function: {found.name}", satisfied=False, evidence=f"not written: {found.reason}")
        for found in answer.functions
        if found.state == "stub"
    )


def _functions(request: CodeRequest, answer: CodeAnswer, sandbox: Sandbox) -> tuple[Check, ...]:
    """Every function that was to be written, tried once more as it stands in the program."""
    if not request.given.functions:
        return ()
    logic, text = read_logic(request.given.functions), answer.files[logic_path(answer.package)]
    stubs = {check.constraint: check for check in _stubs(answer)}
    bodies = {function.name: body_of(text, function.name) or "" for function in logic.functions}
    found = []
    for function, written in zip(logic.functions, answer.functions, strict=True):
        constraint = f"function: {function.name}"
        if constraint in stubs:
            found.append(stubs[constraint])
            continue
        failed = judged(logic, bodies, function, bodies[function.name], sandbox)
        count = function.examples + len(function.tests)
        how = "it stood there" if written.state == "kept" else f"{written.tried} tried"
        how += f", {written.repairs} rounds of repair" if written.repairs else ""
        evidence = failed.reason if failed else f"all of its {count} examples and tests hold ({how})"
        found.append(Check(constraint=constraint, satisfied=failed is None, evidence=evidence))
    return tuple(found)


def _parsed(answer: CodeAnswer) -> Check:
    modules = {path: text for path, text in answer.files.items() if path.endswith(".py")}
    for path, text in modules.items():
        try:
            ast.parse(text, path)
        except SyntaxError as error:
            return Check(constraint="it is Python", satisfied=False, evidence=f"{path}: {error}")
    evidence = f"{len(modules)} modules, {sum(text.count(chr(10)) for text in modules.values()):,} lines"
    return Check(constraint="it is Python", satisfied=True, evidence=evidence)


def _plan(program: Specification) -> str:
    entities = [
        entity.model_dump(mode="json") | {"path": entity.path, "command": entity.command}
        for entity in program.entities
    ]
    return json.dumps(program.model_dump(mode="json") | {"entities": entities})


def _tested(outcome: Outcome, sandbox: Sandbox) -> Check:
    lines = [line for line in outcome.output.splitlines() if line.strip()]
    last = lines[-1].strip("= ") if lines else "no output"
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    evidence = "; ".join([_ended(outcome) or last, *failed[:5]]) + f" (in {sandbox.name})"
    return Check(constraint="its tests pass", satisfied=outcome.code == 0, evidence=evidence)


def _plain_bytes(file: Path) -> bytes:
    """What a plain file of moderate size holds; nothing for whatever else the program may have put there.

    It has ended, so the file is not exchanged between two looks.
    """
    try:
        found = file.lstat()
        plain = stat.S_ISREG(found.st_mode) and found.st_size <= _MOST_BYTES
        return file.read_bytes() if plain else b""
    except OSError:
        return b""


def _probed(said: bytes, outcome: Outcome, program: Specification) -> tuple[Check, ...]:
    try:
        found = _CHECKS.validate_json(said)
    except ValidationError:
        lines = outcome.output.splitlines()
        why = _ended(outcome) or (lines[-1] if lines else "no output")
        found = (Check(constraint="it answers", satisfied=False, evidence=why),)
    # The program has the last word on its checks, but not on how much is asked of it.
    entities = program.entities
    related = sum(len(entity.references) + len(entity.links) for entity in entities)
    if len(found) != 1 + len(entities) + related + len(program.features) and all(c.satisfied for c in found):
        return (
            *found,
            Check(constraint="everything was asked", satisfied=False, evidence="checks are missing"),
        )
    return found


def _ended(outcome: Outcome) -> str:
    return f"stopped after {outcome.seconds:.0f} s: {outcome.reason}" if outcome.reason else ""
