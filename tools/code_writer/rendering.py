"""From a specification to the files of a program.

Templates make the text; ruff sorts imports, drops those that a program does not need, and formats. Nothing
of the person's own text gets into a file but names, made safe, and the values of fixed choices, as literals;
and, where the person brought functions, these in two files of their own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tools.cache import cache_dir
from tools.code_writer.logic import Logic, Written, module_text, tests_text
from tools.code_writer.specification import EntitySpec, FieldSpec, Kind, Specification

__all__ = ["RenderError", "complaint", "files_about", "logic_path", "render"]

_ABOUT_FEATURES = {
    "auth": "Only who is logged in gets in. Passwords are hashed (scrypt).",
    "csv_export": "Every kind of record can be exported as CSV.",
    "filter": "Lists can be narrowed by the value of any field, and by a least and a greatest value.",
    "pagination": "Lists come in pages.",
    "search": "A search looks into all texts of a record.",
    "soft_delete": "What is removed is only marked, and can be restored.",
    "stats": "Figures of every kind of record: how many, totals, means, counts of values.",
    "timestamps": "Every record knows when it was made and when it was last changed.",
}
_KINDS: dict[Kind, str] = {
    "rest_api": "A REST API for",
    "cli": "A command-line tool for",
    "library": "A library for",
}
_PACKAGES: dict[Kind, tuple[str, ...]] = {
    "rest_api": ("fastapi", "pydantic", "sqlalchemy", "uvicorn"),
    "cli": ("pydantic", "sqlalchemy", "typer"),
    "library": ("pydantic", "sqlalchemy"),
}
_DEVELOPMENT = ("mypy", "pytest", "ruff")
_SECONDS = 120.0  # for ruff, on the largest program


class RenderError(OSError):
    """The files of a program cannot be made, on a full disk for instance; the message says why."""


def render(
    program: Specification, logic: Logic | None = None, functions: Sequence[Written] = ()
) -> dict[str, str]:
    """The files of a program: path from its folder -> text.

    Args:
        program: What is built.
        logic: The functions that the person brought.
        functions: What became of each of them.

    Raises:
        RenderError: If ruff cannot be run, or finds what it cannot mend.
    """
    context = _context(program) | {"functions": functions}
    files: dict[str, str] = {}
    for path, template, more in _plan(program):
        files[path] = _ENVIRONMENT.get_template(f"{template}.j2").render({**context, **more})
    files[f"src/{program.package}/py.typed"] = ""
    if logic is not None:
        files |= _logic(program.package, logic, functions)
    return _formatted(files)


def files_about(program: Specification) -> dict[str, str]:
    """Files that are about one kind of record: path -> the name of that kind, as it was asked for."""
    return {path: more["e"].said for path, _, more in _plan(program) if "e" in more}


def logic_path(package: str) -> str:
    """Where the functions that a person brought stand in a program."""
    return f"src/{package}/logic.py"


def _logic(package: str, logic: Logic, functions: Sequence[Written]) -> dict[str, str]:
    bodies = {found.name: found.body for found in functions if found.body}
    reasons = {found.name: found.reason for found in functions}
    return {
        logic_path(package): module_text(logic, bodies, reasons),
        "tests/test_logic.py": tests_text(logic, package, frozenset(bodies)),
    }


def complaint(program: Specification, logic: Logic, functions: Sequence[Written]) -> str:
    """What ruff cannot mend or mypy finds in functions and their tests; empty if nothing.

    Neither of them runs the code.
    """
    context = _context(program) | {"functions": functions}
    files = _logic(program.package, logic, functions) | {
        "pyproject.toml": _ENVIRONMENT.get_template("project/pyproject.toml.j2").render(context),
        f"src/{program.package}/__init__.py": '"""The program."""\n',
    }
    with tempfile.TemporaryDirectory(prefix="lpm-style-") as name:
        folder = Path(name)
        try:
            _write(folder, files)
            _format(folder)
        except RenderError as error:
            return str(error)
        done = _run(folder, "mypy", "--no-error-summary", "--cache-dir", str(cache_dir() / "mypy"))
        return "" if done.returncode == 0 else f"mypy: {(done.stdout + done.stderr).strip()[:500]}"


def _context(program: Specification) -> dict[str, Any]:
    on = frozenset(program.features)
    names = [entity.many_words for entity in program.entities]
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more kinds of records"]
    listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    emails = any(field.type == "email" for entity in program.entities for field in entity.fields)
    tokens = "auth" in on and program.kind != "library"
    packages = [
        *_PACKAGES[program.kind],
        *(("email-validator",) if emails else ()),
        *(("pyjwt",) if tokens else ()),
        *(("python-multipart",) if tokens and program.kind == "rest_api" else ()),
    ]
    tests = [*_DEVELOPMENT, *(("httpx2",) if program.kind == "rest_api" else ())]
    return {
        "program": program,
        "pkg": program.package,
        "env": program.package.upper(),
        "on": on,
        "tokens": tokens,
        "title": f"{_KINDS[program.kind]} {listed}",
        "dependencies": [_pinned(name) for name in sorted(packages)],
        "development": [_pinned(name) for name in sorted(tests)],
        "about_features": _ABOUT_FEATURES,
        "required": {r.target for e in program.entities for r in e.references if r.required},
    }


def _pinned(name: str) -> str:
    """A package as a requirement: the version that the program is tested with, or newer."""
    return f"{name}>={metadata.version(name)}"


_Planned = tuple[str, str, Mapping[str, Any]]


def _plan(program: Specification) -> Iterator[_Planned]:
    """Every file: its path, its template, and what the template needs beside the program."""
    on = frozenset(program.features)
    src = f"src/{program.package}"
    yield "pyproject.toml", "project/pyproject.toml", {}
    yield "README.md", "project/README.md", {}
    yield ".gitignore", "project/gitignore", {}
    if program.kind == "rest_api":
        yield "Dockerfile", "project/Dockerfile", {}
        yield ".dockerignore", "project/dockerignore", {}
    yield f"{src}/__init__.py", "core/init.py", {}
    for name in ("changes", "database", "errors", "migrate", "seed", "service", "settings", "values"):
        yield f"{src}/{name}.py", f"core/{name}.py", {}
    yield f"{src}/queries.py", "core/queries.py", {"bases": _query_bases(on)}
    yield f"{src}/migrations/0001_initial.sql", "core/initial.sql", {}
    for folder, about in (("models", "Tables."), ("schemas", "Forms of records."), ("services", "Services.")):
        yield f"{src}/{folder}/__init__.py", "core/package.py", {"about": about}
    if program.tables:
        yield f"{src}/models/links.py", "core/links.py", {}
    for entity in program.entities:
        more = {"e": entity, "bases": _model_bases(on), "others": _others(entity)}
        yield f"{src}/models/{entity.module}.py", "core/model.py", more
        yield f"{src}/schemas/{entity.module}.py", "core/schema.py", more
        yield f"{src}/services/{entity.module}.py", "core/entity_service.py", more
    yield from _features(on, src)
    yield from _ways_in(program, src)
    yield from _tests(program)


def _features(on: frozenset[str], src: str) -> Iterator[_Planned]:
    own = sorted(on - {"auth", "filter"})  # auth has a folder of its own, filters stand in the services
    if own:
        yield f"{src}/features/__init__.py", "core/package.py", {"about": "What every kind of record can."}
    for feature in own:
        yield f"{src}/features/{feature}.py", f"features/{feature}.py", {}


def _ways_in(program: Specification, src: str) -> Iterator[_Planned]:
    parts: tuple[str, ...] = ()
    match program.kind:
        case "rest_api":
            yield f"{src}/main.py", "rest_api/main.py", {}
            yield f"{src}/dependencies.py", "rest_api/dependencies.py", {}
            yield f"{src}/routes/__init__.py", "rest_api/routers.py", {}
            for entity in program.entities:
                yield f"{src}/routes/{entity.module}.py", "rest_api/route.py", {"e": entity}
            parts = ("tokens", "routes")
        case "cli":
            yield f"{src}/main.py", "cli/main.py", {}
            yield f"{src}/output.py", "cli/output.py", {}
            yield f"{src}/runtime.py", "cli/runtime.py", {}
            yield f"{src}/commands/__init__.py", "cli/groups.py", {}
            for entity in program.entities:
                yield f"{src}/commands/{entity.module}.py", "cli/command.py", {"e": entity}
            parts = ("tokens", "token_file", "commands")
        case "library":
            yield f"{src}/store.py", "library/store.py", {}
    if "auth" in program.features:
        yield f"{src}/auth/__init__.py", "core/package.py", {"about": "Who may get in."}
        for part in ("models", "passwords", "service", *parts):
            yield f"{src}/auth/{part}.py", f"auth/{part}.py", {}


def _tests(program: Specification) -> Iterator[_Planned]:
    yield "tests/conftest.py", "tests/conftest.py", {}
    yield "tests/factories.py", "tests/factories.py", {}
    yield "tests/test_program.py", "tests/test_program.py", {}
    if "auth" in program.features:
        yield "tests/test_auth.py", "tests/test_auth.py", {}
    if program.kind == "library":
        yield "tests/test_store.py", "tests/test_store.py", {}
    way = {"rest_api": "route", "cli": "command"}.get(program.kind)
    for entity in program.entities:
        name = entity.module.strip("_")
        yield f"tests/entities/test_{name}_service.py", "tests/test_service.py", {"e": entity}
        if way:
            yield f"tests/entities/test_{name}_{way}.py", f"tests/test_{way}.py", {"e": entity}


def _query_bases(on: frozenset[str]) -> list[str]:
    own = {
        "pagination": "pagination.PageQuery",
        "search": "search.SearchQuery",
        "soft_delete": "soft_delete.DeletedQuery",
    }
    return [base for feature, base in own.items() if feature in on] or ["pydantic.BaseModel"]


def _model_bases(on: frozenset[str]) -> list[str]:
    own = {"timestamps": "timestamps.Timestamped", "soft_delete": "soft_delete.SoftDeleted"}
    return [base for feature, base in own.items() if feature in on] or ["database.Base"]


def _others(entity: EntitySpec) -> list[str]:
    """The entities that an entity's service has to do with."""
    names = [r.target for r in entity.references] + [name for name, _ in entity.referrers]
    return sorted({*names, *(link.target for link in entity.links)} - {entity.name})


def _formatted(files: Mapping[str, str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="lpm-render-") as name:
        folder = Path(name)
        _write(folder, files)
        _format(folder)
        return {path: (folder / path).read_text(encoding="utf-8") for path in files}


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _format(folder: Path) -> None:
    for words in (("check", "--fix", "--exit-zero"), ("format",), ("check",)):
        done = _run(folder, "ruff", *words, "--quiet", "--no-cache", "--output-format=concise", ".")
        if done.returncode != 0:
            raise RenderError(f"ruff {words[0]}: {(done.stdout + done.stderr)[:2000]}")


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RenderError(f"{words[0]} cannot be run: {error}") from error


# How a field is written in the places where its type plays a part.

_PYTHON = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "date": "dt.date",
    "datetime": "dt.datetime",
}
_VALUES = {
    "str": "values.ShortText",
    "text": "values.LongText",
    "int": "values.Integer",
    "float": "values.Number",
    "bool": "bool",
    "date": "dt.date",
    "datetime": "values.Moment",
    "email": "pydantic.EmailStr",
}
_SQL = {
    "str": "VARCHAR(200)",
    "text": "TEXT",
    "int": "INTEGER",
    "float": "FLOAT",
    "bool": "BOOLEAN",
    "date": "DATE",
    "datetime": "DATETIME",
    "email": "VARCHAR(320)",
    "enum": "VARCHAR(40)",
}
_COLUMNS = {
    "str": "sa.String(200)",
    "text": "sa.Text",
    "email": "sa.String(320)",
    "datetime": "database.UtcDateTime",
}
_BAD: dict[str, object] = {
    "str": "",
    "text": 5,
    "int": "many",
    "float": "much",
    "bool": "perhaps",
    "date": "yesterday",
    "datetime": "soon",
    "email": "nobody",
    "enum": "no such value",
}
_HELP = {"date": "YYYY-MM-DD.", "datetime": "YYYY-MM-DDTHH:MM, UTC if it names no zone."}


def _py_type(field: FieldSpec) -> str:
    return field.enum or _PYTHON.get(field.type, "str")


def _value_type(field: FieldSpec) -> str:
    return field.enum or _VALUES[field.type]


def _filter_type(field: FieldSpec) -> str:
    return "str" if field.is_text else _value_type(field)


def _option_type(field: FieldSpec) -> str:
    return field.enum or (field.type if field.type in ("int", "float", "bool") else "str")


def _option_help(field: FieldSpec) -> str:
    words = field.name.replace("_", " ").capitalize()
    return f"{words}: {_HELP[field.type]}" if field.type in _HELP else f"{words}."


def _default(field: FieldSpec) -> str:
    return {"text": ' = ""', "bool": " = False"}.get(field.type, "")


def _column(field: FieldSpec) -> str:
    kind = f"database.choice({field.enum})" if field.enum else _COLUMNS.get(field.type)
    return f" = orm.mapped_column({kind})" if kind else ""


def _seed_value(field: FieldSpec) -> str:
    """An expression that differs with ``number`` from 1 to 28, as far as the type allows."""
    words = field.name.replace("_", " ").capitalize()
    match field.type:
        case "int":
            return "number"
        case "float":
            return "number + 0.5"
        case "bool":
            return "number % 2 == 0"
        case "date":
            return "dt.date(2026, 1, number)"
        case "datetime":
            return "dt.datetime(2026, 1, number, 9, 30, tzinfo=dt.UTC)"
        case "email":
            return f'f"{field.name.replace("_", ".").strip(".")}{{number}}@example.com"'
        case "enum":
            return f"list({field.enum})[number % {len(field.members)}]"
        case _:
            return f'f"{words} {{number}}"'


def _article(words: str) -> str:
    """The words behind "a" or "an", by their spelling."""
    sounded = words.startswith(("a", "e", "i", "o", "u")) and not words.startswith(
        ("uni", "use", "eu", "one")
    )
    return f"{'an' if sounded else 'a'} {words}"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("tools.code_writer", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # code, not HTML
    )
    made.filters |= {
        "article": _article,
        "bad_value": lambda field: _BAD[field.type],
        "column": _column,
        "dashed": lambda name: name.strip("_").replace("_", "-"),
        "default": _default,
        "filter_type": _filter_type,
        "option_help": _option_help,
        "option_type": _option_type,
        "py": repr,
        "py_type": _py_type,
        "seed_value": _seed_value,
        "sql_type": lambda field: _SQL[field.type],
        "value_type": _value_type,
    }
    return made


_ENVIRONMENT = _environment()
