"""After the first plan: a task that slips, work that has begun, the plan against what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from tools.scheduler.analysis import order_of_work
from tools.scheduler.estimates import finish_distribution
from tools.scheduler.planning import plan_project
from tools.scheduler.problem import last_day, plan_of, problem_of
from tools.scheduler.types import (
    QUARTERS,
    Drift,
    Happened,
    Report,
    ScheduleAnswer,
    ScheduledTask,
    ScheduleRequest,
    WhatIf,
    quarters,
)
from tools.tool import Progress

__all__ = ["Report", "Slip", "against_baseline", "answered", "replan", "reported", "what_if"]


@dataclass(frozen=True)
class Slip:
    """What a longer task does to a plan.

    Attributes:
        before: Last day of the plan as it is.
        same_order: Last day if everybody keeps their order of work.
        moved: Tasks that then end later -> by how many working days.
        replanned: The best plan with the longer task.
        request: The request of that plan.
    """

    before: date
    same_order: date
    moved: dict[str, float]
    replanned: ScheduleAnswer
    request: ScheduleRequest


def what_if(
    request: ScheduleRequest, answer: ScheduleAnswer, task: str, days: float, progress: Progress
) -> Slip:
    """What happens if a task takes ``days`` working days longer than planned.

    Raises:
        KeyError: If there is no such task.
        ValueError: If ``days`` is negative, or the answer is not of the request.
    """
    if days < 0:
        raise ValueError(f"a task slips by a number of days that is not negative, not {days:g}")
    place = _number(request, task)
    problem, calendar = problem_of(request)
    plan = plan_of(problem, calendar, answer.tasks)
    lengths = [job.length for job in problem.jobs]
    lengths[place] += quarters(days)
    _, shifted = order_of_work(problem, plan).forward(np.array(lengths)[:, None], plan.starts)
    ends = shifted[:, 0].tolist()
    changed = _longer(request, place, quarters(days))
    return Slip(
        before=answer.finish,
        same_order=last_day(problem, calendar, max(ends)),
        moved={
            job.name: (now - then) / QUARTERS
            for job, then, now in zip(problem.jobs, plan.ends, ends, strict=True)
            if now > then
        },
        replanned=plan_project(changed, progress),
        request=changed,
    )


def _longer(request: ScheduleRequest, place: int, more: int) -> ScheduleRequest:
    """The request with a task that takes ``more`` quarters longer; what was done is less of it then."""
    task = request.tasks[place]
    whole = task.length + more
    longer = task.model_copy(update={"days": whole / QUARTERS, "effort": None})
    happened = tuple(
        event.model_copy(update={"share": event.share * task.length / whole})
        if event.task == task.name and event.end is None and more
        else event
        for event in request.happened
    )
    tasks = (*request.tasks[:place], longer, *request.tasks[place + 1 :])
    return request.model_copy(update={"tasks": tasks, "happened": happened})


def _number(request: ScheduleRequest, task: str) -> int:
    for place, known in enumerate(request.tasks):
        if known.name == task:
            return place
    raise KeyError(f"no task is called {task!r}")


def reported(request: ScheduleRequest, answer: ScheduleAnswer, reports: Sequence[Report]) -> ScheduleRequest:
    """The request with what happened.

    A task with a report began when that or else the plan says, or on the day of the report if that is sooner;
    one that is all done ended when the report or else the plan says, or at the end of the report's day if
    that is sooner, or if it had not begun. Work that has no report has not begun.

    Raises:
        KeyError: If a report names no task.
        ValueError: If a share is not above 0 and at most 1, a task is reported twice, or the answer is not of
            the request.
    """
    if len({report.task for report in reports}) < len(reports):
        raise ValueError("a task is reported twice")
    events = {event.task: event for event in request.happened}
    for report in reports:
        planned = answer.tasks[_number(request, report.task)]
        events[report.task] = _happened(report, planned, events.get(report.task))
    return request.model_copy(update={"happened": tuple(events.values())})


def replan(
    request: ScheduleRequest, answer: ScheduleAnswer, reports: Sequence[Report], progress: Progress
) -> tuple[ScheduleRequest, ScheduleAnswer]:
    """Keep what happened and plan what is left anew; see ``reported``.

    Returns:
        The request with what happened, and its answer.
    """
    changed = reported(request, answer, reports)
    return changed, plan_project(changed, progress)


def answered(request: ScheduleRequest, progress: Progress, seconds: float) -> ScheduleAnswer:
    """The schedule of a request, with everything else that it asks for."""
    answer = plan_project(request, progress, seconds)
    slips = []
    for task, days in request.slips:
        slip = what_if(request, answer, task, days, progress)
        slips.append(
            WhatIf(
                task=task,
                days=days,
                same_order=slip.same_order,
                moved=tuple(slip.moved.items()),
                replanned=slip.replanned.finish,
            )
        )
    warnings = answer.warnings
    if request.runs and all(task.estimate is None for task in request.tasks):
        warnings += ("no task has an estimate of best, likely and worst: the finish has no distribution",)
    drift: tuple[Drift, ...] = ()
    if request.baseline:
        planned = answer.model_copy(update={"tasks": request.baseline})
        drift = against_baseline(request, planned, answer)
    return answer.model_copy(
        update={
            "what_if": tuple(slips),
            "drift": drift,
            "warnings": warnings,
            "chances": finish_distribution(request, answer, request.runs) if request.runs else None,
        }
    )


def _happened(report: Report, planned: ScheduledTask, known: Happened | None) -> Happened:
    if not 0 < report.share <= 1:
        raise ValueError(f"{report.task!r}: a share done is above 0 and at most 1, not {report.share:g}")
    start, begins = (planned.start, planned.begins) if known is None else (known.start, known.begins)
    start, begins = report.began or (start, begins)
    if start > report.on:
        start, begins = report.on, 0
    end, ends = None, QUARTERS
    if report.share == 1:
        end, ends = report.ended or (planned.end, planned.ends)
        if end > report.on or (end, ends) < (start, begins):
            end, ends = report.on, QUARTERS
    return Happened(
        task=report.task,
        start=start,
        begins=begins,
        share=report.share,
        asof=report.on,
        end=end,
        ends=ends,
        who=planned.who,
    )


def against_baseline(
    request: ScheduleRequest, baseline: ScheduleAnswer, now: ScheduleAnswer
) -> tuple[Drift, ...]:
    """Every task's end against the first plan's, in working days of the project's calendar.

    Tasks that only one of the two has are left out.
    """
    _, calendar = problem_of(request)
    planned = {task.task: task for task in baseline.tasks}
    drifts = []
    for task in now.tasks:
        if (first := planned.get(task.task)) is not None:
            then = calendar.slots_before(first.end, first.ends)
            later = calendar.slots_before(task.end, task.ends) - then
            drifts.append(Drift(task=task.task, planned=first.end, now=task.end, days=later / QUARTERS))
    return tuple(drifts)
