"""From a call, and what comes with it beside words, to a request or to questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.draft import Draft, merged
from tools.scheduler.resolve import MAX_DAYS, MAX_YEARS, draft_of, resolve, task_called
from tools.scheduler.templates import Template, read_templates
from tools.scheduler.types import Report, ScheduleRequest
from tools.tool import Progress, Proposal, Question, Questions

__all__ = ["Given", "Progressed", "number", "prepare"]


class Progressed(BaseModel):
    """How far a task is: ``share`` of it (0 to 1) was done by the end of the day ``on``, or of the file's."""

    model_config = ConfigDict(frozen=True)

    task: str
    share: float = Field(ge=0, le=1)
    on: date | None = None


class Given(BaseModel):
    """What a request for a project comes with beside words.

    Attributes:
        source: A project from a file.
        template: Name of the template to take, if there is no other source.
        start, deadline: Instead of those of the file, if nothing was said.
        done: What is done; the last report on a task counts.
        asof: The day by whose end as much was done as the source's tasks say, instead of its own.
        slips: Tasks of which is asked what happens if they take so many working days longer.
        runs: Samples of the distribution of the finish; 0 for none.
        templates: Folder of further templates.
    """

    model_config = ConfigDict(frozen=True)

    source: Draft | None = None
    template: str | None = None
    start: date | None = None
    deadline: date | None = None
    done: tuple[Progressed, ...] = ()
    asof: date | None = None
    slips: tuple[tuple[str, float], ...] = ()
    runs: int = 0
    templates: Path | None = None

    def after(self, earlier: Given) -> Given:
        """This, with what was given before and still holds: all but questions, unless there are new tasks."""
        if self.source is not None or self.template is not None:
            return self
        return self.model_copy(
            update={
                "source": earlier.source,
                "template": earlier.template,
                "start": self.start or earlier.start,
                "deadline": self.deadline or earlier.deadline,
                "done": (*earlier.done, *self.done),
                "asof": earlier.asof or self.asof,
            }
        )

    def kept(self, today: date) -> Given:
        """What a session keeps of it: what was known today stays known as of today when it goes on."""
        known = today if self.source is None else self.source.asof or today
        source = None if self.source is None else self.source.model_copy(update={"asof": None})
        return self.model_copy(
            update={
                "source": source,
                "done": tuple(r.model_copy(update={"on": r.on or known}) for r in self.done),
                "asof": self.asof or known if source is not None else None,
                "slips": (),
                "runs": 0,
                "templates": None,
            }
        )


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
    return _prepared(_completed(source, said, given), given, today, _said(call), progress)


def _proposal(template: Template, said: Draft, given: Given, today: date, known: dict[str, Any]) -> Proposal:
    draft = _completed(template.draft, said, given)

    def complete(progress: Progress) -> ScheduleRequest | Questions:
        return _prepared(draft, given, today, known, progress)

    return Proposal(template.title, "title", template.phrases, complete, template.assumed)


def _completed(source: Draft | None, said: Draft, given: Given) -> Draft:
    """The source, with the dates that were given instead, and what was said instead of both."""
    draft = said if source is None else merged(source, said)
    return draft.model_copy(
        update={
            "start": said.start or given.start or draft.start,
            "deadline": said.deadline or given.deadline or draft.deadline,
        }
    )


def _prepared(
    draft: Draft, given: Given, today: date, known: dict[str, Any], progress: Progress
) -> ScheduleRequest | Questions:
    request = resolve(draft, today)
    if not isinstance(request, ScheduleRequest):
        return Questions(request, known)
    names = [task.name for task in request.tasks]
    questions: list[Question] = []
    find = partial(_found, names=names, questions=questions)
    slips = tuple((find(task, "slip"), days) for task, days in given.slips)
    for task, days in given.slips:
        if days > MAX_DAYS:
            reason = f"{task!r} is to take {days:g} working days longer; up to {MAX_DAYS:,} can be planned"
            questions.append(Question(field="slip", said=task, reason=reason))
    unsaid = draft.asof or today
    asof = given.asof or unsaid
    done = {task.name: Progressed(task=task.name, share=task.done, on=asof) for task in draft.tasks}
    done |= {name: report for report in given.done if (name := find(report.task, "done"))}
    tasks = {task.name: task for task in draft.tasks}
    reports = [
        Report(name, report.share, report.on or unsaid, tasks[name].began, tasks[name].ended)
        for name, report in done.items()
        if report.share and name in tasks  # what is not is in question already
    ]
    questions += _doubtful(reports, request)
    if questions:
        return Questions(tuple(questions), known)
    request = request.model_copy(update={"slips": slips, "runs": given.runs})
    return _happened(request, reports, progress) if reports else request


def _found(task: str, field: str, *, names: Sequence[str], questions: list[Question]) -> str:
    found = task_called(task, names, field)
    if isinstance(found, Question):
        questions.append(found)
        return task
    return found


def _doubtful(reports: Sequence[Report], request: ScheduleRequest) -> list[Question]:
    """A question about the first report that nobody can mean, or about the start if nobody said it."""
    if reports and request.start_assumed:
        return [
            Question(
                field="start",
                said=None,
                reason="work has been done, so the project has begun: say on which day",
            )
        ]
    milestones = {task.name for task in request.tasks if not task.length}
    for report in reports:
        if report.task in milestones and report.share < 1:
            reason = f"{report.task!r} takes no time: it is done or not, but not {report.share:.0%} of it"
        elif report.on < request.start:
            reason = f"nothing can be done by {report.on}: the project starts on {request.start}"
        elif report.on.year - request.start.year > MAX_YEARS:
            reason = f"{report.on} is more than {MAX_YEARS} years from the start on {request.start}"
        elif report.began is not None and report.began[0] < request.start:
            reason = (
                f"{report.task!r} began on {report.began[0]}, before the project's start on {request.start}"
            )
        else:
            continue
        return [Question(field="done", said=report.task, reason=reason)]
    return []


def _happened(request: ScheduleRequest, reports: Sequence[Report], progress: Progress) -> ScheduleRequest:
    """The request with what is done, in the order and at the times of the plan without it."""
    # OR-tools takes seconds to import, which only a plan of a project needs to wait for.
    from tools.scheduler.planning import plan_project
    from tools.scheduler.revise import reported

    baseline = plan_project(request, progress)
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
