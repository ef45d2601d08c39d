"""Programs to be written for tests, and the tools to write and check them with."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from tools.code_writer.arguments import FEATURES, CodeArguments, Entity
from tools.code_writer.rendering import render
from tools.code_writer.resolve import Resolved, resolve
from tools.sandbox import find_sandbox

# `make test` installs bubblewrap where it may, and else says how.
needs_sandbox = pytest.mark.skipif(
    find_sandbox() is None, reason="neither bubblewrap nor Landlock works here, so nothing may be run"
)

KINDS = ("rest_api", "cli", "library")
EVERY_TYPE = {
    "title": "str",
    "notes": "text",
    "pages": "int",
    "price": "float",
    "sold": "bool",
    "printed": "date",
    "added": "datetime",
    "contact": "email",
    "state": "enum(new,as good as new,worn)",
}
SHELF = (Entity(name="Author", fields={"name": "str"}), Entity(name="Book", fields=EVERY_TYPE))
RELATED = (("Book", "belongs_to", "Author"), ("Book", "many_to_many", "Author"))

# Each feature is on in three of five programs, no two in the same three: with a program that has none, any
# two features meet in all four ways.
ROWS = [frozenset[str]()] + [
    frozenset(f for f, on in zip(FEATURES, combinations(range(5), 3), strict=False) if row in on)
    for row in range(5)
]


def call(kind, features=(), entities=SHELF, relations=RELATED):
    return CodeArguments(kind=kind, entities=entities, relations=relations, features=tuple(sorted(features)))


def specified(arguments, package=None):
    found = resolve(arguments, package)
    assert isinstance(found, Resolved), found
    return found.specification


def written(folder: Path, arguments, package=None) -> Path:
    for path, text in render(specified(arguments, package)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def python(folder: Path, *words, **variables) -> subprocess.CompletedProcess[str]:
    # Plugins of this environment are no part of the program; their modules would be compiled anew each time.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
