"""The module of functions and its tests, as they stand in a written program."""

from __future__ import annotations

from collections.abc import Mapping

from tools.code_writer.logic.source import Function, Logic

__all__ = ["above", "module_text", "stub", "tests_text"]

_EXAMPLES = """

def _examples_hold(name: str) -> None:
    found = doctest.DocTestFinder(recurse=False).find(getattr(logic, name), name, globs=dict(vars(logic)))
    for test in found:
        doctest.DebugRunner(verbose=False).run(test)
"""


def stub(reason: str) -> str:
    """The body of a function that was not written; what calls it is told why."""
    return (
        "    # NOT WRITTEN. What it must do stands in tests/test_logic.py.\n"
        f"    raise NotImplementedError({reason!r})"
    )


def above(logic: Logic, function: Function, bodies: Mapping[str, str]) -> str:
    """What stands above a function in its module: imports, constants, functions that have a body."""
    parts = ["\n".join(logic.imports)] if logic.imports else []
    for part in logic.parts:
        if part is function:
            break
        if isinstance(part, str):
            parts.append(part)
        elif part.name in bodies:
            parts.append(part.with_body(bodies[part.name]))
    return "\n\n\n".join(parts)


def module_text(logic: Logic, bodies: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    """The module.

    Args:
        logic: The file of functions.
        bodies: Function -> its body, indented.
        reasons: Function without a body -> why it has none.
    """
    head = '"""Functions of this program that follow no pattern: what its records mean."""\n\n'
    parts = [head + "from __future__ import annotations\n", "\n".join(logic.imports)]
    for part in logic.parts:
        if isinstance(part, str):
            parts.append(part)
        else:
            body = bodies.get(part.name) or stub(reasons.get(part.name, "it is not written"))
            parts.append(part.with_body(body))
    return "\n\n\n".join(part for part in parts if part) + "\n"


def tests_text(logic: Logic, package: str, written: frozenset[str]) -> str:
    """Tests of the module: the person's own, and every example; those of a stub are expected to fail."""
    stubs = {function.name for function in logic.functions} - written
    expected = {name for function in logic.functions if function.name in stubs for name in function.tests}
    parts = [
        '"""Functions of this program: examples and tests that came with them."""\n\n'
        "from __future__ import annotations\n\n"
        "import doctest\n\nimport pytest\n\n"
        + "\n".join(logic.test_imports)
        + f"\nfrom {package} import logic\nfrom {package}.logic import {', '.join(logic.names)}\n"
    ]
    if any(function.examples for function in logic.functions):
        parts.append(_EXAMPLES.strip())
    for name, text in logic.tests:
        parts.append(_expected(name in expected, "NotImplementedError") + text)
    for function in logic.functions:
        if function.examples:
            raised = "(NotImplementedError, doctest.UnexpectedException)"
            mark = _expected(function.name in stubs, raised)
            parts.append(
                f"{mark}def test_examples_of_{function.name}() -> None:\n"
                f"    _examples_hold({function.name!r})\n"
            )
    return "\n\n\n".join(parts) + "\n"


def _expected(fails: bool, raised: str) -> str:
    return f'@pytest.mark.xfail(raises={raised}, reason="not written")\n' if fails else ""
