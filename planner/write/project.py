"""A schedule as Gantt page, CSV, iCalendar, Mermaid and MS Project XML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from planner.answer import Answer
from tools.files import write_whole
from tools.scheduler.files.csv import write_csv
from tools.scheduler.files.gantt import render_gantt
from tools.scheduler.files.ics import to_ics
from tools.scheduler.files.mermaid import to_mermaid
from tools.scheduler.files.xml_out import to_xml
from tools.scheduler.types import ScheduleAnswer, ScheduleRequest

__all__ = ["write_project"]


def write_project(
    answer: Answer,
    *,
    gantt: Path | None,
    csv: Path | None,
    ics: Path | None,
    mermaid: Path | None,
    xml: Path | None,
) -> list[Path]:
    """Write what was asked for; nothing where there is no schedule.

    Returns:
        The files written.

    Raises:
        OSError: If a file cannot be written.
    """
    request, found = answer.request, answer.result
    if not isinstance(request, ScheduleRequest) or not isinstance(found, ScheduleAnswer):
        return []
    title = request.title or "Project"
    made: list[tuple[Path | None, Callable[[], str]]] = [
        (gantt, lambda: render_gantt(request, found, title, answer.checks, answer.warnings)),
        (csv, lambda: write_csv(request, found)),
        (ics, lambda: to_ics(found, request.title, datetime.now(UTC))),
        (mermaid, lambda: to_mermaid(found, title)),
        (xml, lambda: to_xml(request, found, title)),
    ]
    # Everything is made before anything is written.
    texts = [(path, make()) for path, make in made if path is not None]
    try:
        for path, text in texts:
            write_whole(path, text)
    except OSError as error:
        raise OSError(f"cannot write the plan: {error}") from error
    return [path for path, _ in texts]
