"""Bodies of functions in what a model wrote."""

from __future__ import annotations

import ast
import textwrap

__all__ = ["body_end", "body_of", "imports_of"]

_INDENT = 4


def body_end(text: str) -> int | None:
    """Where the first line begins that is neither indented nor blank, after the first one."""
    place = text.find("\n")
    while 0 <= place < len(text) - 1:
        if not text[place + 1].isspace():
            return place
        place = text.find("\n", place + 1)
    return None


def body_of(source: str, name: str) -> str | None:
    """The body of a function of a module as it stands there, indented by four and without its docstring.

    None where there is no such function with a body, or no Python.
    """
    module = _parsed(source)
    found = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found:
        return None
    function = found[-1]
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return None
    if body[0].col_offset != _INDENT or body[0].lineno == function.lineno:
        return textwrap.indent("\n".join(map(ast.unparse, body)), " " * _INDENT)
    lines = source.splitlines()
    first = body[0].lineno - 1
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return "\n".join(lines[first : function.end_lineno])


def imports_of(source: str) -> tuple[str, ...]:
    """The imports at the top of a module, a statement each; none where it is no Python."""
    return tuple(
        ast.unparse(node)
        for node in _parsed(source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    )


def _parsed(source: str) -> ast.Module:
    """A module; an empty one where it is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])
