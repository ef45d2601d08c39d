"""From a call, and what comes with it beside words, to a request or to questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.draft import Draft, merged
from tools.scheduler.resolve import draft_of, resolve, task_called
from tools.scheduler.templates import Template, read_templates
from tools.scheduler.types import ScheduleRequest
from tools.tool import Progress, Proposal, Question, Questions

__all__ = ["Given", "number", "prepare"]


@dataclass(frozen=True)
class Given:
    """What a request for a project comes with beside words.

    Attributes:
        source: A project from a file.
        start, deadline: Instead of those of the file, if nothing was said.
        done: Tasks and the share of each that is done, 0 to 1, by the end of ``asof``.
        asof: The day of that report; the file's, or today, if it is not given.
        slips: Tasks of which is asked what happens if they take so many working days longer.
        runs: Samples of the distribution of the finish; 0 for none.
        template: Name of the template to take, if there is no other source.
        templates: Folder of further templates.
    """

    source: Draft | None = None
    start: date | None = None
    deadline: date | None = None
    done: tuple[tuple[str, float], ...] = ()
    asof: date | None = None
    slips: tuple[tuple[str, float], ...] = ()
    runs: int = 0
    template: str | None = None
    templates: Path | None = None


def prepare(
    call: ProjectArguments, given: Given, today: date, progress: Progress
) -> ScheduleRequest | Questions:
    """The request that a call means with what was given.

    Raises:
        TemplateError: If a template cannot be read, or there is none of the name.
    """
    said = draft_of(call, today)
    if not isinstance(said, Draft):
        return Questions(said, _said(call))
    source = given.source
    if source is None and given.template is not None:
        source = read_templates(given.templates).named(given.template).draft
    if source is None and not said.tasks:
        asked = Question(field="tasks", said=None, reason="no task was understood")
        known = _said(call)
        near = read_templates(given.templates).nearest(said.title) if said.title else ()
        proposals = tuple(_proposal(template, said, given, today, known) for template in near)
        return Questions((asked,), known, proposals)
    draft = said if source is None else merged(source, said)
    return _prepared(draft, given, today, _said(call), progress)


def _proposal(template: Template, said: Draft, given: Given, today: date, known: dict[str, Any]) -> Proposal:
    draft = merged(template.draft, said)

    def complete(progress: Progress) -> ScheduleRequest | Questions:
        return _prepared(draft, given, today, known, progress)

    return Proposal(template.title, "title", template.phrases, complete, template.assumed)


def _prepared(
    draft: Draft, given: Given, today: date, known: dict[str, Any], progress: Progress
) -> ScheduleRequest | Questions:
    draft = draft.model_copy(
        update={"start": draft.start or given.start, "deadline": draft.deadline or given.deadline}
    )
    request = resolve(draft, today)
    if not isinstance(request, ScheduleRequest):
        return Questions(request, known)
    names = [task.name for task in request.tasks]
    questions: list[Question] = []
    find = partial(_found, names=names, questions=questions)
    slips = tuple((find(task, "slip"), days) for task, days in given.slips)
    shares = {task.name: task.done for task in draft.tasks if task.done}
    shares |= {find(task, "done"): share for task, share in given.done}
    asof = given.asof or draft.asof or today
    shares = {task: share for task, share in shares.items() if share}
    if shares and asof < request.start:
        reason = f"nothing can be done by {asof}: the project starts on {request.start}"
        questions.append(Question(field="done", said=asof.isoformat(), reason=reason))
    if questions:
        return Questions(tuple(questions), known)
    request = request.model_copy(update={"slips": slips, "runs": given.runs})
    return _happened(request, shares, asof, progress) if shares else request


def _found(task: str, field: str, *, names: Sequence[str], questions: list[Question]) -> str:
    found = task_called(task, names, field)
    if isinstance(found, Question):
        questions.append(found)
        return task
    return found


def _happened(
    request: ScheduleRequest, shares: dict[str, float], asof: date, progress: Progress
) -> ScheduleRequest:
    """The request with what is done, in the order and at the times of the plan without it."""
    # OR-tools takes seconds to import, which only a plan of a project needs to wait for.
    from tools.scheduler.planning import plan_project
    from tools.scheduler.revise import Report, reported

    baseline = plan_project(request, progress)
    reports = [Report(task, share, asof) for task, share in shares.items()]
    return reported(request, baseline, reports).model_copy(update={"baseline": baseline.tasks})


def _said(call: ProjectArguments) -> dict[str, Any]:
    """A call in the fields of the public schema, as it was read."""
    values = call.model_dump(exclude_defaults=True, by_alias=True, mode="json")
    for task in values.get("tasks", ()):
        task["days"] = number(task["days"])
    return values


def number(value: float) -> float | int:
    """A whole number without a fraction."""
    return int(value) if float(value).is_integer() else value
