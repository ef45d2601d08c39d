"""The project tool as the agent sees it: tasks to a schedule, the schedule to its checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.resolve import resolve
from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduleRequest
from tools.scheduler.verify import verify
from tools.tool import Progress, Questions, Tool

__all__ = ["PROJECT_TOOL", "project_tool"]

_SECONDS, _LARGE_SECONDS = 10.0, 45.0
_LARGE = 200  # tasks


def project_tool(today: Callable[[], date] = date.today) -> Tool:
    """The project tool.

    Args:
        today: The day it is: a plan without a start begins on the next working day.
    """

    def prepare(call: ProjectArguments, progress: Progress) -> ScheduleRequest | Questions:
        found = resolve(call, today())
        return found if isinstance(found, ScheduleRequest) else Questions(found, _said(call))

    return Tool(
        name="project",
        description="Plan a project: who does which task when, so that it is finished soonest.",
        needs="what is to be done",
        arguments=ProjectArguments,
        prepare=prepare,
        constraints=_constraints,
        run=_run,
        warnings=_warnings,
        verify=verify,
        summary=_summary,
    )


def _said(call: ProjectArguments) -> dict[str, Any]:
    """A call in the fields of the public schema, as it was read."""
    values = call.model_dump(exclude_defaults=True, by_alias=True, mode="json")
    for task in values.get("tasks", ()):
        task["days"] = _number(task["days"])
    return values


def _constraints(request: ScheduleRequest) -> dict[str, Any]:
    """The request in the fields of the public schema; what is at its default is left out."""
    values: dict[str, Any] = {}
    if not request.start_assumed:
        values["start"] = request.start.isoformat()
    if request.deadline is not None:
        values["deadline"] = request.deadline.isoformat()
    after: dict[str, list[str]] = {}
    for link in request.links:
        after.setdefault(link.after, []).append(link.before)
    values["tasks"] = [
        {"name": task.name, "days": _number(task.length / QUARTERS if task.days is None else task.days)}
        | ({"after": after[task.name]} if task.name in after else {})
        | ({"who": [demand.name for demand in task.who]} if task.who else {})
        for task in request.tasks
    ]
    if request.absences:
        values["days_off"] = [
            {"who": absence.who, "from": absence.first.isoformat(), "to": absence.last.isoformat()}
            for absence in request.absences
        ]
    if not request.one_at_a_time:
        values["one_at_a_time"] = False
    return values


def _number(value: float) -> float | int:
    """A whole number without a fraction."""
    return int(value) if float(value).is_integer() else value


def _run(request: ScheduleRequest, progress: Progress) -> ScheduleAnswer:
    # OR-tools takes seconds to import, which only a plan of a project needs to wait for.
    from tools.scheduler.planning import plan_project

    seconds = _SECONDS if len(request.tasks) <= _LARGE else _LARGE_SECONDS
    return plan_project(request, progress, seconds, workers=1)


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
