"""Tasks as a table: a heading line, then one task a line.

Columns: task, and days, effort or likely; what else there is may be left out. Several names stand in one
cell with semicolons between them; a name with a semicolon in it stands in quotes. Columns of a plan's result
(start, end, critical, slack) are written and, when the file is read again, left aside.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable

from tools.scheduler.draft import Draft, DraftLink
from tools.scheduler.files.entries import COLUMNS, LISTS, PlanFileError, demand_text, link_text, task_of
from tools.scheduler.types import ScheduleAnswer, ScheduleRequest, Task

__all__ = ["read_csv", "write_csv"]

_RESULTS = ("start", "end", "critical", "slack", "assigned")
_ALIASES = {"name": "task", "duration": "days", "predecessors": "after", "resources": "who"}
_FORMULA = ("=", "+", "-", "@", "\t")  # a cell that begins so would be computed by a spreadsheet


def read_csv(text: str) -> Draft:
    """The tasks of a table.

    Raises:
        PlanFileError: With the line of what is wrong.
    """
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    tasks = []
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            where = f"line {rows.line_num}"
            if not columns:
                columns = _columns(row, where)
                continue
            if len(row) > len(columns):
                raise PlanFileError(f"{where}: {len(row)} cells under {len(columns)} columns")
            cells = dict(zip(columns, (_plain(cell) for cell in row), strict=False))
            tasks.append(task_of(_values(cells), where))
    except csv.Error as error:
        raise PlanFileError(f"line {rows.line_num}: {error}") from error
    return Draft(tasks=tuple(tasks))


def _columns(row: list[str], where: str) -> list[str]:
    names = [_ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in row]
    wrong = [name for name in names if name not in (*COLUMNS, *_RESULTS)]
    if wrong:
        raise PlanFileError(f"{where}: no column is called {wrong[0]!r}; there are {', '.join(COLUMNS)}")
    if double := [name for name in names if names.count(name) > 1]:
        raise PlanFileError(f"{where}: two columns are called {double[0]!r}")
    if "task" not in names or not {"days", "effort", "likely"} & set(names):
        raise PlanFileError(f"{where}: a table needs the columns task and days (or effort, or likely)")
    return names


def _plain(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def _values(cells: dict[str, str]) -> dict[str, str | list[str]]:
    """The cells in which something stands, those with several names as lists."""
    found: dict[str, str | list[str]] = {}
    for name, cell in cells.items():
        if name in LISTS:
            (parts,) = (
                csv.reader([cell], delimiter=";", skipinitialspace=True, strict=True) if cell else ([],)
            )
            found[name] = [part.strip() for part in parts if part.strip()]
        elif cell:
            found[name] = cell
    return found


def write_csv(request: ScheduleRequest, answer: ScheduleAnswer) -> str:
    """The plan as a table that ``read_csv`` reads; moments within a day are left out."""
    after: dict[str, list[str]] = {}
    for link in request.links:
        text = link_text(DraftLink(task=link.before, kind=link.kind, lag=link.lag))
        after.setdefault(link.after, []).append(text)
    done = {event.task: event.share for event in request.happened}
    columns: dict[str, Callable[[Task], object]] = {
        "days": lambda task: f"{task.days:g}" if task.days is not None else "",
        "effort": lambda task: f"{task.effort:g}" if task.effort is not None else "",
        "after": lambda task: _several(after.get(task.name, ())),
        "who": lambda task: _several(map(demand_text, task.who)),
        "either": lambda task: _several(task.either),
        "earliest": lambda task: task.earliest or "",
        "latest": lambda task: task.latest or "",
        "priority": lambda task: task.priority if task.priority > 1 else "",
        "best": lambda task: f"{task.estimate.best:g}" if task.estimate else "",
        "likely": lambda task: f"{task.estimate.likely:g}" if task.estimate else "",
        "worst": lambda task: f"{task.estimate.worst:g}" if task.estimate else "",
        "done": lambda task: f"{done[task.name]:.4g}" if task.name in done else "",
    }
    # A column in which nothing stands is left out, but for those that a table needs.
    used = [
        name
        for name, cell in columns.items()
        if name in ("days", "after", "who") or any(cell(task) != "" for task in request.tasks)
    ]
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["task", "start", "end", *used, "assigned", "critical", "slack"])
    for task, planned in zip(request.tasks, answer.tasks, strict=True):
        row = [task.name, planned.start, planned.end, *(columns[name](task) for name in used)]
        row += [_several(planned.who), "yes" if planned.critical else "no", f"{planned.slack:g}"]
        rows.writerow([_safe(str(cell)) for cell in row])
    return out.getvalue()


def _several(names: Iterable[str]) -> str:
    """Names in one cell."""
    quoted = ('"' + name.replace('"', '""') + '"' if set(name) & set(';"') else name for name in names)
    return "; ".join(quoted)


def _safe(cell: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell
