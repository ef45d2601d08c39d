"""What a person's file of functions holds: those whose body is to be written, what stands around them, tests.

Only Python's own parser reads the file; nothing of it is run here.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import io
import sys
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from tools.tool import BadInput

__all__ = ["Function", "Logic", "read_logic"]

_MOST_LETTERS, _MOST_FUNCTIONS = 100_000, 50
_FOR_TESTS = frozenset({"pytest"})  # what only tests may import beside the standard library


@dataclass(frozen=True)
class Function:
    """A function whose body is to be written.

    Attributes:
        name: Its name.
        head: From its decorators, if it has any, to the colon, as it stands in the file.
        docstring: As it stands in the file, indented; empty if there is none.
        examples: How many examples its docstring holds, without those marked to be skipped.
        tests: Names of the tests that call it.
        asserted: What those tests assert, a statement each.
    """

    name: str
    head: str
    docstring: str
    examples: int
    tests: tuple[str, ...]
    asserted: tuple[str, ...]

    @property
    def cue(self) -> str:
        """What stands before the body."""
        return f"{self.head}\n{self.docstring}".rstrip()

    def with_body(self, body: str) -> str:
        """The whole function; ``body`` is indented."""
        return f"{self.cue}\n{body.rstrip()}\n"


@dataclass(frozen=True)
class Logic:
    """A file of functions.

    Attributes:
        imports: Its imports, a statement each, without what only tests need.
        test_imports: All of them.
        parts: Constants, classes and functions with a body as they stand there, and the functions to be
            written, in order.
        names: What ``parts`` define.
        tests: Name and text of every test.
    """

    imports: tuple[str, ...]
    test_imports: tuple[str, ...]
    parts: tuple[str | Function, ...]
    names: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        """Those to be written."""
        return tuple(part for part in self.parts if isinstance(part, Function))


def read_logic(text: str) -> Logic:
    """Read a file of functions.

    A function is to be written if its body is nothing but a docstring, ``...``, ``pass`` or ``raise
    NotImplementedError``. It says the types of its arguments and of its result, and has an example in its
    docstring, a test (``def test_...()``) or an assertion at the top level.

    Raises:
        BadInput: If the file holds something else, with the line.
    """
    if len(text) > _MOST_LETTERS:
        raise BadInput(f"the functions: more than {_MOST_LETTERS:,} letters")
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BadInput(f"the functions{line}: not Python: {said}") from error
    return _Reading(text).logic(module)


class _Reading:
    def __init__(self, text: str) -> None:
        self._text, self._lines = text, text.splitlines(keepends=True)

    def logic(self, module: ast.Module) -> Logic:
        imports: list[tuple[ast.stmt, bool]] = []
        parts: list[ast.stmt] = []
        tests: list[ast.FunctionDef] = []
        asserted: list[ast.Assert] = []
        for place, node in enumerate(module.body):
            match node:
                case ast.Expr(value=ast.Constant(value=str())) if place == 0:
                    pass  # says what the file is about
                case ast.Import() | ast.ImportFrom():
                    if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
                        imports.append((node, self._only_for_tests(node)))
                case ast.Assert():
                    asserted.append(node)
                case ast.FunctionDef(name=name) if name.startswith("test_"):
                    tests.append(self._checked_test(node))
                case ast.FunctionDef() | ast.ClassDef() | ast.Assign() | ast.AnnAssign():
                    parts.append(node)
                case _:
                    _refuse(node, "only imports, constants, classes, functions and assertions can stand here")
        blank = [part for part in parts if isinstance(part, ast.FunctionDef) and _is_blank(part)]
        if not blank:
            raise BadInput("the functions: none of them is without a body, so there is none to write")
        if len(blank) > _MOST_FUNCTIONS:
            raise BadInput(f"the functions: more than {_MOST_FUNCTIONS} to write")
        names = [name for part in parts for name in _defines(part)] + [test.name for test in tests]
        for name in names:
            if names.count(name) > 1:
                raise BadInput(f"the functions: {name} is defined twice")
        written = [(test.name, self._typed(test), test) for test in tests]
        written += self._from_assertions(asserted, [node.name for node in blank], names)
        return Logic(
            imports=tuple(self._source(node) for node, only_tests in imports if not only_tests),
            test_imports=tuple(self._source(node) for node, _ in imports),
            parts=tuple(
                self._function(part, [(name, node) for name, _, node in written])
                if isinstance(part, ast.FunctionDef) and _is_blank(part)
                else self._whole(part)
                for part in parts
            ),
            names=tuple(name for part in parts for name in _defines(part)),
            tests=tuple((name, source) for name, source, _ in written),
        )

    def _source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self._text, node) or ""

    def _whole(self, node: ast.stmt) -> str:
        """A statement with its decorators."""
        return "".join(self._lines[_first_line(node) - 1 : node.end_lineno]).rstrip()

    def _only_for_tests(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.ImportFrom):
            modules = ["." if node.level else node.module or "."]
        else:
            modules = [alias.name for alias in node.names]
        packages = {module.partition(".")[0] for module in modules}
        if not packages - _FOR_TESTS:
            return True
        for package in packages - sys.stdlib_module_names:
            _refuse(node, f"{package or 'a module beside the file'} is not in Python's standard library")
        return False

    def _checked_test(self, node: ast.FunctionDef) -> ast.FunctionDef:
        given = node.args
        if node.decorator_list or given.args or given.posonlyargs or given.kwonlyargs or given.vararg:
            _refuse(node, f"{node.name}: a test has no decorators and takes no arguments")
        return node

    def _from_assertions(
        self, asserted: Sequence[ast.Assert], blank: Sequence[str], taken: Sequence[str]
    ) -> list[tuple[str, str, ast.FunctionDef]]:
        """A test of each function that assertions at the top level are about."""
        groups: dict[str, list[ast.Assert]] = {}
        for node in asserted:
            about = next((name for name in blank if name in _called(node)), None)
            if about is None:
                _refuse(node, "an assertion is about a function that is to be written")
            groups.setdefault(about, []).append(node)
        made = []
        for about, nodes in groups.items():
            name = f"test_{about}"
            while name in taken:
                name += "_as_asserted"
            lines = "\n".join(f"    {ast.unparse(node)}" for node in nodes)
            source = f"def {name}() -> None:\n{lines}"
            made.append((name, source, _as_function(source)))
        return made

    def _typed(self, node: ast.FunctionDef) -> str:
        """A test that says that it returns nothing."""
        source = self._whole(node)
        if node.returns is not None:
            return source
        head = _head(source)
        return f"{head[:-1].rstrip()} -> None:{source[len(head) :]}"

    def _function(self, node: ast.FunctionDef, tests: Sequence[tuple[str, ast.FunctionDef]]) -> Function:
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        every += [extra for extra in (given.vararg, given.kwarg) if extra is not None]
        for argument in every:
            if argument.annotation is None:
                _refuse(node, f"{node.name} does not say the type of {argument.arg}")
        if node.returns is None:
            _refuse(node, f"{node.name} does not say what it returns")
        try:
            found = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
        except ValueError as error:
            _refuse(node, f"the examples of {node.name} cannot be read: {error}")
        examples = [example for example in found if not example.options.get(doctest.SKIP)]
        about = [(name, test) for name, test in tests if node.name in _called(test)]
        if not examples and not about:
            _refuse(node, f"{node.name} has no example and no test: nothing could tell a right body")
        first = node.body[0]
        stated = isinstance(first, ast.Expr) and ast.get_docstring(node) is not None
        return Function(
            name=node.name,
            head=_head(self._whole(node)),
            docstring=f"    {self._source(first)}" if stated else "",
            examples=len(examples),
            tests=tuple(name for name, _ in about),
            asserted=tuple(
                ast.unparse(line)
                for _, test in about
                for line in ast.walk(test)
                if isinstance(line, ast.Assert) and node.name in _called(line)
            ),
        )


def _refuse(node: ast.stmt, reason: str) -> NoReturn:
    raise BadInput(f"the functions, line {node.lineno}: {reason}")


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _head(source: str) -> str:
    """A function up to the colon before its body."""
    depth, begun = 0, False
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        begun = begun or (token.type == tokenize.NAME and token.string == "def" and depth == 0)
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if begun and depth == 0 and token.string == ":":
                row, column = token.end
                return "".join(lines[: row - 1]) + lines[row - 1][:column]
    raise ValueError("a function without a colon")


def _is_blank(node: ast.FunctionDef) -> bool:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return all(_says_nothing(statement) for statement in body)


def _says_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant(value=builtins.Ellipsis)):
            return True
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return name == "NotImplementedError"
    return False


def _called(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [
        found.id
        for found in ast.walk(node)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
    ]


def _as_function(source: str) -> ast.FunctionDef:
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    return node
