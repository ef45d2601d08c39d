"""The project tool as the agent sees it: tasks to a schedule, the schedule to its checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.draft import DraftLink
from tools.scheduler.files.entries import WEEKDAYS, demand_text, link_text
from tools.scheduler.prepare import Given, number, prepare
from tools.scheduler.types import QUARTERS, Absence, ScheduleAnswer, ScheduleRequest, Task
from tools.scheduler.verify import verify
from tools.tool import Progress, Questions, Tool

__all__ = ["PROJECT_TOOL", "project_tool"]

_SECONDS, _LARGE_SECONDS = 10.0, 45.0
_LARGE = 200  # tasks
_NOTHING = Given()


def project_tool(today: Callable[[], date] = date.today, given: Given = _NOTHING) -> Tool:
    """The project tool.

    Args:
        today: The day it is: a plan without a start begins on the next working day.
        given: What the request comes with beside words.
    """

    def prepared(call: ProjectArguments, progress: Progress) -> ScheduleRequest | Questions:
        return prepare(call, given, today(), progress)

    return Tool(
        name="project",
        description="Plan a project: who does which task when, so that it is finished soonest.",
        needs="what is to be done",
        arguments=ProjectArguments,
        prepare=prepared,
        constraints=_constraints,
        run=_run,
        warnings=_warnings,
        verify=verify,
        summary=_summary,
    )


def _constraints(request: ScheduleRequest) -> dict[str, Any]:
    """The request in the fields of the public schema, and in those of a file what that has no field for.

    What is at its default is left out.
    """
    values: dict[str, Any] = {"title": request.title} if request.title else {}
    if not request.start_assumed:
        values["start"] = request.start.isoformat()
    if request.deadline is not None:
        values["deadline"] = request.deadline.isoformat()
    if request.buffer:
        values["buffer"] = number(request.buffer)
    after: dict[str, list[str]] = {}
    for link in request.links:
        plain = link.kind == "FS" and not link.lag
        text = link.before if plain else link_text(DraftLink(task=link.before, kind=link.kind, lag=link.lag))
        after.setdefault(link.after, []).append(text)
    values["tasks"] = [_task(task, after.get(task.name, [])) for task in request.tasks]
    if request.absences:
        values["days_off"] = [_absence(absence) for absence in request.absences]
    if not request.one_at_a_time:
        values["one_at_a_time"] = False
    if teams := {person.name: person.capacity for person in request.people if person.capacity > 1}:
        values["people"] = teams
    if request.weekdays != tuple(range(5)):
        values["weekdays"] = [WEEKDAYS[day] for day in request.weekdays]
    if request.holidays:
        values["holidays"] = True
    return values


def _task(task: Task, after: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": task.name,
        "days": number(task.length / QUARTERS if task.days is None else task.days),
    }
    if after:
        values["after"] = after
    if task.who:
        values["who"] = [d.name if d.units == 1 else demand_text(d) for d in task.who]
    if task.effort is not None:
        values["effort"] = number(task.effort)
    if task.either:
        values["either"] = [*task.either]
    for key, day in (("earliest", task.earliest), ("latest", task.latest)):
        if day is not None:
            values[key] = day.isoformat()
    if task.priority > 1:
        values["priority"] = task.priority
    if task.estimate is not None:
        values["estimate"] = {name: number(days) for name, days in task.estimate}
    return values


def _absence(absence: Absence) -> dict[str, Any]:
    values = {
        "who": absence.who or "everybody",
        "from": absence.first.isoformat(),
        "to": absence.last.isoformat(),
    }
    return values if absence.part == "day" else {**values, "part": absence.part}


def _run(request: ScheduleRequest, progress: Progress) -> ScheduleAnswer:
    # OR-tools takes seconds to import, which only a plan of a project needs to wait for.
    from tools.scheduler.revise import answered

    return answered(request, progress, _SECONDS if len(request.tasks) <= _LARGE else _LARGE_SECONDS)


def _warnings(answer: ScheduleAnswer) -> tuple[str, ...]:
    warnings = [f"cannot be kept: {wish}" for wish in answer.broken]
    if answer.conflict is not None:
        warnings.append("these contradict each other: " + "; ".join(answer.conflict.wishes))
        warnings += [f"it would help to {change}" for change in answer.conflict.changes]
    return (*warnings, *answer.warnings)


def _summary(answer: ScheduleAnswer) -> str:
    count = len(answer.tasks)
    broken = f" It breaks {len(answer.broken)} of the wishes." if answer.broken else ""
    return (
        f"The plan has {count} task{'s' if count != 1 else ''}, takes {answer.days:g} working days "
        f"and is finished on {answer.finish}.{broken}"
    )


PROJECT_TOOL = project_tool()
