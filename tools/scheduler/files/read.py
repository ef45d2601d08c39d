"""Read a project from a file of any known kind."""

from __future__ import annotations

from pathlib import Path

from tools.scheduler.draft import Draft
from tools.scheduler.files.csv import read_csv
from tools.scheduler.files.entries import PlanFileError
from tools.scheduler.files.xml import read_xml
from tools.scheduler.files.yaml import read_yaml
from tools.scheduler.resolve import MAX_TASKS

__all__ = ["read_plan"]

_MAX_BYTES = 50_000_000


def read_plan(path: Path) -> Draft:
    """The project that a file holds; its kind is told by the end of its name.

    Raises:
        PlanFileError: If it cannot be read, with the line where there is one, or holds no task or too many.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".yaml", ".yml", ".xml"):
        raise PlanFileError(f"{path}: a project is read from .csv, .yaml or .xml, not from {kind or 'this'}")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlanFileError(f"{path} has more than {_MAX_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise PlanFileError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        draft = read_xml(data) if kind == ".xml" else _from_text(data, kind)
    except PlanFileError as error:
        raise PlanFileError(f"{path}: {error}") from error
    if not draft.tasks:
        raise PlanFileError(f"{path}: there is no task in it")
    if len(draft.tasks) > MAX_TASKS:
        raise PlanFileError(f"{path}: {len(draft.tasks):,} tasks, and {MAX_TASKS:,} can be planned")
    return draft if draft.title else draft.model_copy(update={"title": path.stem})


def _from_text(data: bytes, kind: str) -> Draft:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PlanFileError(f"line {line}: this is not UTF-8 text") from error
    if not text.strip():
        raise PlanFileError("the file is empty")
    return read_yaml(text) if kind in (".yaml", ".yml") else read_csv(text)
