"""Typed boundary of the project tool: what is asked of it and what it answers.

Durations, lags, slack and buffers are working days in steps of a quarter; dates are calendar days. A moment
within a day is the number of its quarters that are gone, 0 to 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.tool import Check

__all__ = [
    "QUARTERS",
    "Absence",
    "Check",
    "Conflict",
    "Demand",
    "Drift",
    "Estimate",
    "Finish",
    "Happened",
    "Link",
    "LinkKind",
    "Person",
    "Report",
    "ScheduleAnswer",
    "ScheduleRequest",
    "ScheduledTask",
    "Task",
    "WhatIf",
    "quarters",
]

QUARTERS = 4
"""Quarters in a working day: the unit of time in which everything is planned."""

LinkKind = Literal["FS", "SS", "FF", "SF"]

_MAX_PLACES = 10_000  # of a team: so that the solver can count them


def quarters(days: float) -> int:
    """Working days in quarters; a quarter begun counts."""
    return math.ceil(days * QUARTERS - 1e-6)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Demand(_Frozen):
    """Who works on a task, and with how many of a team's places."""

    name: str
    units: int = Field(default=1, ge=1, le=_MAX_PLACES)


class Estimate(_Frozen):
    """Working days at best, most likely and at worst."""

    best: float = Field(ge=0)
    likely: float
    worst: float

    @model_validator(mode="after")
    def _ordered(self) -> Estimate:
        if not self.best <= self.likely <= self.worst:
            raise ValueError("an estimate is best <= likely <= worst")
        return self


class Task(_Frozen):
    """One task.

    Attributes:
        name: Unique in the plan.
        days: Working days from its begin to its end; 0 is a milestone.
        effort: Person-days of work instead of ``days``: shared by everyone on the task.
        who: All of these work on it together, all the time.
        either: One of these works on it too; the planner chooses.
        earliest: First day on which it may begin.
        latest: Last day on which it may end.
        priority: Among plans that finish equally early, tasks of higher priority come first.
        estimate: For the distribution of the finish; ``days`` alone is planned with.
    """

    name: str = Field(min_length=1)
    days: float | None = Field(default=None, ge=0)
    effort: float | None = Field(default=None, gt=0)
    who: tuple[Demand, ...] = ()
    either: tuple[str, ...] = ()
    earliest: date | None = None
    latest: date | None = None
    priority: int = Field(default=1, ge=1, le=100)
    estimate: Estimate | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if (self.days is None) == (self.effort is None):
            raise ValueError(f"task {self.name!r} needs either days or effort")
        everyone = [demand.name for demand in self.who] + list(self.either)
        if len(set(everyone)) < len(everyone):
            raise ValueError(f"task {self.name!r} names somebody twice")
        return self

    @property
    def length(self) -> int:
        """Quarters of work from begin to end."""
        if self.days is not None:
            return quarters(self.days)
        hands = sum(demand.units for demand in self.who) + bool(self.either)
        return quarters((self.effort or 0.0) / max(hands, 1))


class Link(_Frozen):
    """A precedence between two tasks.

    Attributes:
        before, after: Names of tasks.
        kind: Which ends are tied: FS is "after begins when before has finished", SS both begins,
            FF both finishes, SF "after finishes no sooner than before begins".
        lag: Working days between the two moments at least; negative where they may overlap.
    """

    before: str
    after: str
    kind: LinkKind = "FS"
    lag: float = 0.0


class Person(_Frozen):
    """A person, or a team that can work on ``capacity`` tasks at a time."""

    name: str = Field(min_length=1)
    capacity: int = Field(default=1, ge=1, le=_MAX_PLACES)


class Absence(_Frozen):
    """Days off, both ends included.

    Attributes:
        who: A person or team; None closes the whole project.
        part: The whole days, or the same half of each.
    """

    who: str | None
    first: date
    last: date
    part: Literal["day", "morning", "afternoon"] = "day"

    @model_validator(mode="after")
    def _ordered(self) -> Absence:
        if self.last < self.first:
            raise ValueError(f"days off end on {self.last}, before they begin on {self.first}")
        return self


class Happened(_Frozen):
    """What is known of a task that has begun.

    Attributes:
        task: Its name.
        start: Day on which it began, with ``begins`` quarters of it gone.
        share: Done by the end of the day ``asof``; 1 is finished.
        end: Day on which it ended, with ``ends`` quarters of it gone; only where it is finished.
        who: Who works on it; needed where the plan had a choice.
    """

    task: str
    start: date
    begins: int = Field(default=0, ge=0, le=QUARTERS)
    share: float = Field(gt=0, le=1)
    asof: date
    end: date | None = None
    ends: int = Field(default=QUARTERS, ge=0, le=QUARTERS)
    who: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Happened:
        if (self.share == 1) != (self.end is not None):
            raise ValueError(f"task {self.task!r} has an end exactly if all of it is done")
        if not self.start <= (self.end or self.asof) <= self.asof:
            raise ValueError(f"task {self.task!r} must begin and end by the day of the report, {self.asof}")
        return self


@dataclass(frozen=True)
class Report:
    """How far a task is: ``share`` of it (0 to 1) was done by the end of the day ``on``.

    Attributes:
        began, ended: Where it is known, the day on which it did, and how many quarters of that were gone.
    """

    task: str
    share: float
    on: date
    began: tuple[date, int] | None = None
    ended: tuple[date, int] | None = None


class ScheduledTask(_Frozen):
    """When a task is done, and by whom.

    Attributes:
        start, end: First and last day of work.
        begins, ends: Quarters gone of ``start`` when it begins, of ``end`` when it ends. A milestone begins
            where it ends.
        resumes: Where a task that has begun goes on after the latest report: day and quarters gone.
        critical: Whether any delay of it delays the whole plan.
        slack: Working days by which it can begin later without that (see ``tools.scheduler.analysis``).
    """

    task: str
    start: date
    end: date
    begins: int = Field(ge=0, le=QUARTERS)
    ends: int = Field(ge=0, le=QUARTERS)
    resumes: tuple[date, int] | None = None
    who: tuple[str, ...] = ()
    critical: bool = False
    slack: float = 0.0


class ScheduleRequest(_Frozen):
    """A project with every name resolved.

    Attributes:
        title: What the project is called; empty if nobody said.
        start: First day of work.
        start_assumed: Whether nobody asked for that day.
        deadline: Last day on which a task may end.
        buffer: Working days kept free between the last end and the deadline.
        weekdays: Days of work, Monday is 0.
        holidays: Whether US federal holidays are days off.
        one_at_a_time: Whether capacities count; if not, everybody does any number of tasks at once.
        happened: What is known of tasks that have begun; everything else starts after the latest report.
        baseline: The plan before that, to compare with.
        slips: Tasks of which is asked what happens if they take so many working days longer.
        runs: Samples of the distribution of the finish; 0 for none.
    """

    title: str = ""
    start: date
    start_assumed: bool = False
    deadline: date | None = None
    tasks: tuple[Task, ...] = Field(min_length=1)
    links: tuple[Link, ...] = ()
    people: tuple[Person, ...] = ()
    absences: tuple[Absence, ...] = ()
    one_at_a_time: bool = True
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    holidays: bool = False
    buffer: float = Field(default=0.0, ge=0)
    happened: tuple[Happened, ...] = ()
    baseline: tuple[ScheduledTask, ...] = ()
    slips: tuple[tuple[str, float], ...] = ()
    runs: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> ScheduleRequest:
        names = {task.name for task in self.tasks}
        people = {person.name: person.capacity for person in self.people}
        if len(names) < len(self.tasks) or len(people) < len(self.people):
            raise ValueError("a name stands for two tasks or two people")
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise ValueError("weekdays are one or more of 0 (Monday) to 6")
        known = [link.before for link in self.links] + [link.after for link in self.links]
        known += [event.task for event in self.happened] + [task for task, _ in self.slips]
        if unknown := set(known) - names:
            raise ValueError(f"no such task: {', '.join(sorted(unknown))}")
        for task in self.tasks:
            for demand in task.who:
                if demand.units > people.get(demand.name, 0):
                    raise ValueError(f"task {task.name!r} needs {demand.units} of {demand.name!r}: too many")
            if unknown := set(task.either) - people.keys():
                raise ValueError(f"nobody is called {', '.join(sorted(unknown))}")
        return self


class Conflict(_Frozen):
    """Why not everything can be had.

    Attributes:
        wishes: Each in words; they contradict each other, and none of them can be left out of that, unless
            time ran out before all were tried.
        changes: Single changes that would help, in words: ends to move, then days to begin before, absences,
            capacities and links to give up.
    """

    wishes: tuple[str, ...]
    changes: tuple[str, ...]


class Drift(_Frozen):
    """A task's end against the first plan's: ``days`` working days later, negative if sooner."""

    task: str
    planned: date
    now: date
    days: float


class WhatIf(_Frozen):
    """What happens if a task takes longer.

    Attributes:
        days: Working days that it takes longer.
        same_order: Last day of the plan if everybody keeps their order of work.
        moved: Tasks that then end later, and by how many working days.
        replanned: Last day of the best plan with the longer task.
    """

    task: str
    days: float
    same_order: date
    moved: tuple[tuple[str, float], ...]
    replanned: date


class Finish(_Frozen):
    """The distribution of a plan's last day.

    Attributes:
        p50, p80, p95: Days by which it is finished with these chances, in percent.
        on_plan: Chance of finishing no later than planned, 0 to 1.
        runs: Number of samples.
    """

    p50: date
    p80: date
    p95: date
    on_plan: float
    runs: int


class ScheduleAnswer(_Frozen):
    """What the project tool returns: there always is a schedule.

    Attributes:
        tasks: In the order of the request.
        finish: Day of the last end.
        days: Working days of the project's calendar from the start to the last end (the makespan).
        bound: Makespan, in working days, that no plan can be below.
        optimal: Whether ``days`` is proved least.
        broken: Wishes that the schedule breaks, in words; empty if it keeps them all.
        critical_path: Names of the tasks of the longest chain of critical ones that wait for each other.
        conflict: Why, where something is broken and the reason was found.
        warnings: What the person should know.
        drift: Where there is a baseline, every task's end against it.
        what_if: One for each of the request's slips.
        chances: Where samples were asked for, how sure the finish is.
    """

    tasks: tuple[ScheduledTask, ...]
    finish: date
    days: float
    bound: float
    optimal: bool
    broken: tuple[str, ...] = ()
    critical_path: tuple[str, ...] = ()
    conflict: Conflict | None = None
    warnings: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    what_if: tuple[WhatIf, ...] = ()
    chances: Finish | None = None

    @property
    def gap(self) -> float:
        """Share of the makespan that may be too much; 0 where it is proved least."""
        return (self.days - self.bound) / self.days if self.days else 0.0
