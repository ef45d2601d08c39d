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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tools.code_writer.specification import PackageName
from tools.code_writer.types import Change
from tools.tool import BadInput

__all__ = ["MANIFEST", "Manifest", "changes", "diff", "look", "write"]

MANIFEST = ".planner.json"

# Where a program is made before it is put in its place, and what was there is kept until it is.
_WORK, _NEW, _OLD = ".planner-", "new", "old"


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

    What a writing that was killed left behind does not count.

    Raises:
        BadInput: If the folder holds something else, or cannot be read and written.
    """
    if not folder.exists():
        parent = _real(folder).parent
        if not parent.is_dir():
            raise BadInput(f"cannot write {folder}: there is no folder {parent}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise BadInput(f"cannot write {folder}: no permission to write in {parent}")
        return None
    if not folder.is_dir():
        raise BadInput(f"cannot write {folder}: it is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK | os.R_OK):
        raise BadInput(f"cannot write {folder}: no permission to write in it")
    if all(entry.name.startswith(_WORK) for entry in folder.iterdir()):
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
        OSError: If something cannot be written; the folder is then as it was, or the message says where
            files are that could not be put back.
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
    place = _real(folder)
    try:
        if place.exists():
            _exchange(place, texts, gone)
        else:
            _appear(place, texts)
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


def _appear(place: Path, texts: Mapping[str, str]) -> None:
    """Make a folder that is missing."""
    with _temporary(place.parent) as work:
        _fill(work / _NEW, texts)
        os.rename(work / _NEW, place)


def _exchange(place: Path, texts: Mapping[str, str], gone: Sequence[str]) -> None:
    """Put files into a folder and take others out of it; if that fails midway, everything is as it was."""
    with _temporary(place) as work:
        _fill(work / _NEW, texts)
        undo: list[Callable[[], object]] = []  # each is known before what it undoes is done
        try:
            for path in [*texts, *gone]:
                if os.path.lexists(place / path):
                    old = work / _OLD / path
                    old.parent.mkdir(parents=True, exist_ok=True)
                    undo.append(partial(_put_back, old, place / path))
                    os.rename(place / path, old)
            for path in texts:
                for folder in reversed([above for above in (place / path).parents if not above.exists()]):
                    undo.append(folder.rmdir)
                    folder.mkdir()
                undo.append(partial((place / path).unlink, missing_ok=True))
                os.rename(work / _NEW / path, place / path)
        except BaseException:
            for step in reversed(undo):
                with suppress(OSError):  # what cannot be undone must not keep the rest from it
                    step()
            raise


def _put_back(old: Path, path: Path) -> None:
    if os.path.lexists(old):
        os.rename(old, path)


def _fill(folder: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder in another one, removed at the end, but not while it holds what could not be put back."""
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    kept = False
    try:
        yield work
    except BaseException as error:
        kept = any(files for _, _, files in os.walk(work / _OLD))
        if kept:
            why = str(error) or type(error).__name__
            raise OSError(f"{why}; files that could not be put back are in {work / _OLD}") from error
        raise
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)


def _real(folder: Path) -> Path:
    """The folder itself, where links lead to it."""
    return Path(os.path.realpath(folder))


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
