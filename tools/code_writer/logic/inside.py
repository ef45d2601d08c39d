"""Tries one function: runs alone, in the sandbox, beside ``logic.py`` and ``checks.py``.

    python inside.py MARK FUNCTION TEST ...

Prints MARK and one JSON object behind it: how many examples and tests passed, and the first failure, if any.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any


class Examples(doctest.DocTestRunner):
    """Counts the examples that hold, and keeps the first failure in words."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.held, self.failed = 0, ""

    def report_success(self, out: Any, test: Any, example: Any, got: str) -> None:
        """One more holds."""
        self.held += 1

    def report_failure(self, out: Any, test: Any, example: Any, got: str) -> None:
        """What came out."""
        self.failed = (
            self.failed
            or f"{_line(example.source)} gives {_line(got) or 'nothing'}, not {_line(example.want)}"
        )

    def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
        """What was raised."""
        self.failed = self.failed or f"{_line(example.source)} raises {exc_info[0].__name__}: {exc_info[1]}"


def _line(text: str) -> str:
    return " ".join(text.split())


def examples(name: str) -> tuple[int, str]:
    """The examples of a function's docstring: how many hold, and the first failure."""
    logic = importlib.import_module("logic")
    runner = Examples()
    finder = doctest.DocTestFinder(recurse=False)
    for test in finder.find(getattr(logic, name), name, globs=dict(vars(logic))):
        runner.run(test, out=lambda _text: None)
    return runner.held, runner.failed


def asserted(name: str) -> str:
    """Run a test; the failure in words."""
    try:
        getattr(importlib.import_module("checks"), name)()
    except AssertionError as error:
        return _compared(error.__traceback__) or f"{name}: {error or 'its assertion does not hold'}"
    except BaseException as error:
        return f"{name} raises {type(error).__name__}: {error}"
    return ""


def _compared(trace: TracebackType | None) -> str:
    """The assertion that failed, and what its left side gave."""
    file = str(Path("checks.py").resolve())
    found = None
    while trace is not None:
        if str(Path(trace.tb_frame.f_code.co_filename).resolve()) == file:
            found = trace
        trace = trace.tb_next
    if found is None:
        return ""
    line, frame = found.tb_lineno, found.tb_frame
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or line):
            said = ast.unparse(node)
            if not isinstance(node.test, ast.Compare):
                return f"{said} does not hold"
            left = compile(ast.Expression(node.test.left), file, "eval")
            return f"{said} does not hold: the left side is {eval(left, frame.f_globals, frame.f_locals)!r}"
    return ""


def main() -> None:
    """Try the function that the arguments name."""
    mark, name, *tests = sys.argv[1:]
    try:
        passed, failed = examples(name)
        for test in tests:
            why = asserted(test)
            passed, failed = passed + (not why), failed or why
    except BaseException as error:
        passed, failed = 0, f"{type(error).__name__}: {error}"
    print(f"\n{mark}" + json.dumps({"passed": passed, "failed": failed[:500]}))


if __name__ == "__main__":
    main()
