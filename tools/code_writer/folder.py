"""A program's folder: written whole or not at all, and revised without touching what was edited by hand.

A manifest in the folder keeps the hash of every file as it was made. A file with another hash was edited:
it stays, and where a new text is due, that is written beside it as ``FILE.new``. Who edits that file, too,
keeps it: the next text goes into ``FILE.new.2``, and so on.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tools.code_writer.specification import PackageName
from tools.code_writer.types import Change
from tools.tool import BadInput

__all__ = ["MANIFEST", "Manifest", "changes", "diff", "look", "write"]

MANIFEST = ".planner.json"


class Manifest(BaseModel):
    """What was made.

    Attributes:
        package: The name of the package.
        files: Path -> SHA-256 of every file.
        beside: The same of the texts that were written beside edited files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: PackageName
    files: Mapping[str, str]
    beside: Mapping[str, str] = {}

    @field_validator("files", "beside")
    @classmethod
    def _inside(cls, files: Mapping[str, str]) -> Mapping[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} does not lie in the folder")
        return files


def look(folder: Path) -> Manifest | None:
    """The manifest of a program that stands in a folder; None where the folder is empty or missing.

    Raises:
        BadInput: If the folder holds something else, or cannot be read and written.
    """
    if not folder.exists():
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise BadInput(f"cannot write {folder}: there is no folder {parent}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise BadInput(f"cannot write {folder}: no permission to write in {parent}")
        return None
    if not folder.is_dir():
        raise BadInput(f"cannot write {folder}: it is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK | os.R_OK):
        raise BadInput(f"cannot write {folder}: no permission to write in it")
    if not any(folder.iterdir()):
        return None
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BadInput(f"cannot write {folder}: it is not empty, and what is there is not ours") from error
    except (OSError, ValidationError) as error:
        raise BadInput(f"cannot revise {folder}: {MANIFEST} cannot be read: {error}") from error


def changes(folder: Path | None, before: Manifest | None, files: Mapping[str, str]) -> tuple[Change, ...]:
    """What becomes of every file that does not stay as it is, in the order of their paths."""
    known = before.files if before else {}
    found = []
    for path in sorted({*files, *known}):
        there = _hash_of(folder, path)
        wanted = _hash(files[path]) if path in files else None
        if there == wanted or known.get(path) == wanted:
            continue  # it is so already, or what was edited is not to change
        if there is not None and there != known.get(path):
            beside = "" if wanted is None else _beside(folder, path, wanted, before)
            found.append(Change(path=path, kind="conflict", beside=beside))
        elif wanted is None:
            if there is not None:
                found.append(Change(path=path, kind="removed"))
        else:
            found.append(Change(path=path, kind="new" if there is None else "changed"))
    return tuple(found)


def diff(folder: Path | None, files: Mapping[str, str], found: tuple[Change, ...]) -> str:
    """The changes in the form of ``diff -u``."""
    lines: list[str] = []
    for change in found:
        there = folder / change.path if folder is not None else None
        old = there.read_text("utf-8", "replace") if there is not None and there.is_file() else ""
        new = files.get(change.path, "")
        target = f"b/{change.beside or change.path}"
        lines += difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{change.path}", target
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def write(folder: Path, package: str, files: Mapping[str, str]) -> list[Path]:
    """Write a program, or revise the one that stands in the folder.

    Returns:
        The files that are new or changed.

    Raises:
        BadInput: See ``look``.
        OSError: If something cannot be written; the folder is then as it was.
    """
    before = look(folder)
    found = changes(folder, before, files)
    texts = {change.beside or change.path: files[change.path] for change in found if change.path in files}
    beside = {change.beside: _hash(files[change.path]) for change in found if change.beside}
    made = Manifest(
        package=package,
        files={path: _hash(text) for path, text in sorted(files.items())},
        beside={**(before.beside if before else {}), **beside},
    )
    texts[MANIFEST] = made.model_dump_json(indent=1) + "\n"
    gone = [change.path for change in found if change.kind == "removed"]
    place = folder.absolute()
    try:
        with _temporary(place) as new:
            for path, text in texts.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_text(text, encoding="utf-8")
            if before is None:
                os.rename(new, place)
            else:
                _exchange(place, new, [*texts], gone)
    except OSError as error:
        raise OSError(f"cannot write the program in {folder}: {error}") from error
    return [folder / path for path in texts if path != MANIFEST]


def _beside(folder: Path | None, path: str, wanted: str, before: Manifest | None) -> str:
    """A file for the new text of an edited one: a free name, or one that holds what was put there by us."""
    known = before.beside if before else {}
    name, number = f"{path}.new", 1
    while _hash_of(folder, name) not in (None, wanted, known.get(name)):
        number += 1
        name = f"{path}.new.{number}"
    return name


def _exchange(place: Path, new: Path, paths: list[str], gone: list[str]) -> None:
    """Put files where they belong; if that fails on the way, everything is as it was."""
    old = new / ".old"
    moved: list[str] = []
    placed: list[str] = []
    try:
        for path in [*paths, *gone]:
            if (place / path).exists():
                (old / path).parent.mkdir(parents=True, exist_ok=True)
                os.rename(place / path, old / path)
                moved.append(path)
        for path in paths:
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            os.rename(new / path, place / path)
            placed.append(path)
    except OSError:
        for path in placed:
            (place / path).unlink()
        for path in moved:
            os.rename(old / path, place / path)
        raise


@contextmanager
def _temporary(place: Path) -> Iterator[Path]:
    """A folder on the same file system, removed at the end if it is still there."""
    name = tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent)
    try:
        os.chmod(name, 0o755)
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _hash_of(folder: Path | None, path: str) -> str | None:
    """The hash of a file; None where there is nothing, empty where there is something that cannot be read."""
    try:
        return None if folder is None else hashlib.sha256((folder / path).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""
