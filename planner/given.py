"""What the options of ``planner project`` and ``planner code`` say, as the tools take it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tools.code_writer.folder import look
from tools.code_writer.logic import read_logic
from tools.code_writer.types import CodeGiven
from tools.scheduler.files import read_plan
from tools.scheduler.files.entries import date_of, number_of, share_of
from tools.scheduler.prepare import Given, Progressed
from tools.tool import BadInput

__all__ = ["given_code", "given_project"]


def given_code(
    *, out: Path | None, diff: bool, functions: Path | None, samples: int, repairs: int
) -> CodeGiven:
    """The options' values; the folder as an absolute path, so that a session finds it again.

    Raises:
        BadInput: If the folder cannot be written or holds something that is not ours, or the functions cannot
            be used.
    """
    if out is not None:
        look(out)
    return CodeGiven(
        out=None if out is None else out.absolute(),
        diff=diff,
        functions="" if functions is None else _functions(functions),
        samples=samples,
        repairs=repairs,
    )


def _functions(file: Path) -> str:
    if not file.is_file():
        raise BadInput(f"cannot read {file}: it is not a plain file")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}") from error
    read_logic(text)
    return text


def given_project(
    *,
    file: Path | None,
    template: str | None,
    start: str | None,
    deadline: str | None,
    done: Sequence[str],
    asof: str | None,
    slips: Sequence[str],
    runs: int,
) -> Given:
    """The options' values; ``done`` and ``slips`` are ``TASK=VALUE`` each.

    Raises:
        BadInput: If one cannot be used, or the file cannot be read.
    """
    if file is not None and template is not None:
        raise BadInput("--file and --template both say what the tasks are: name one of them")
    known = _day(asof, "--asof")
    return Given(
        source=None if file is None else read_plan(file),
        start=_day(start, "--start"),
        deadline=_day(deadline, "--deadline"),
        done=tuple(
            Progressed(task=task, share=share_of(value, "--done"), on=known)
            for task, value in _pairs(done, "--done")
        ),
        asof=known,
        slips=tuple((task, number_of(value, "a slip", "--slip")) for task, value in _pairs(slips, "--slip")),
        runs=runs,
        template=template,
    )


def _day(text: str | None, option: str) -> date | None:
    return None if text is None else date_of(text, "it", option)


def _pairs(options: Sequence[str], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in options:
        task, equals, value = text.rpartition("=")
        if not equals or not task.strip():
            raise BadInput(f"{option}: it is TASK=VALUE, not {text!r}")
        pairs.append((task.strip(), value.strip()))
    return pairs
