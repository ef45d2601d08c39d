"""What a project request means, drawn before any words: tasks, their order, people, dates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from lpm_model.data.dates import DATE_STYLES, SPAN_STYLES, needs_year, working_day
from lpm_model.data.project.names import TaskName, Who, resources, task_names

__all__ = [
    "Absence",
    "Job",
    "Plan",
    "Request",
    "Style",
    "draw_absence",
    "draw_plan",
    "draw_span",
    "draw_style",
    "draw_window",
    "year_unsaid",
]

_COUNTS = {3: 9, 4: 23, 5: 28, 6: 20, 7: 9, 8: 4, 9: 1.7, 10: 1, 11: 0.7, 12: 0.9}


@dataclass
class Job:
    """A task in the making. ``after`` and ``who`` point into the plan's jobs and people."""

    name: TaskName
    n: float
    unit: str
    after: list[int] = field(default_factory=list)
    who: list[int] = field(default_factory=list)

    @property
    def days(self) -> str:
        """How long it takes, as the meaning holds it: "3 d", "1.5 d", "2 w"."""
        return f"{self.n:g} {self.unit}"


@dataclass(frozen=True)
class Absence:
    """Somebody is away from the first to the last day, both included."""

    who: int
    first: date
    last: date


@dataclass(frozen=True)
class Style:
    """How one person writes dates and lengths of work, for a whole conversation.

    Attributes:
        date: One of ``DATE_STYLES``.
        span: One of ``SPAN_STYLES``.
        year: Where the year is said: with "each" date, with the "first" only, once in a "note", or nowhere:
            "unsaid" (if all dates lie in one year and the style of dates can do without).
    """

    date: str
    span: str
    year: str


@dataclass
class Plan:
    """What a request means, before any words.

    Attributes:
        kind: The kind of project.
        shape: "chain", "stages", "free" (any dependencies) or "none".
        stages: For chains and stages, the jobs that go side by side, stage after stage.
        jobs: Tasks in the order in which they are thought of; each waits for earlier ones only.
        closing: Whether the last job waits for all others because of being last of all.
        people: Who there is.
        alone: Whether one person does everything.
        verbal: Whether all tasks are things one does ("order tiles").
        brief: Whether the person says as little as possible.
        single: Whether the person says that one does one thing at a time, which is so anyway.
    """

    kind: str
    shape: str
    stages: list[list[int]]
    jobs: list[Job]
    people: list[Who]
    style: Style
    closing: bool = False
    alone: bool = False
    verbal: bool = False
    brief: bool = False
    start: date | None = None
    deadline: date | None = None
    absences: list[Absence] = field(default_factory=list)
    several: bool = False
    single: bool = False


@dataclass(frozen=True)
class Request:
    """A first turn: what was meant, its words, and the meaning as a turn holds it."""

    plan: Plan
    user: str
    means: dict[str, Any]


def year_unsaid(plan: Plan, days: Sequence[date]) -> bool:
    """Whether these dates are said without their year."""
    one = len({day.year for day in days}) == 1
    return plan.style.year == "unsaid" and one and not needs_year(plan.style.date)


def draw_span(rng: Random) -> tuple[float, str]:
    """A length of work: number and unit ("d" or "w")."""
    kind = rng.random()
    if kind < 0.62:
        return rng.choice((1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 8)), "d"
    if kind < 0.72:
        return rng.choice((0.5, 0.5, 1.5, 2.5, 0.5, 3.5)), "d"
    if kind < 0.79:
        return rng.choice((7, 9, 10, 10, 12, 15, 20, 14, 18)), "d"
    if kind < 0.985:
        return rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4, 6)), "w"
    return 1.5, "w"


def draw_plan(rng: Random) -> Plan:
    """Draw the meaning of a request."""
    brief = rng.random() < 0.09
    count = rng.randint(3, 4) if brief else rng.choices(list(_COUNTS), list(_COUNTS.values()))[0]
    verbal = rng.random() < 0.13
    kind, names = task_names(rng, count, "do" if verbal else None)
    shape = rng.choices(("chain", "stages", "free", "none"), (17, 34, 40, 9))[0]
    stages = _stages(rng, count, shape)
    jobs = [Job(name, *draw_span(rng)) for name in names]
    if rng.random() < 0.12:  # all in weeks, or all in days
        for job in jobs:
            job.n, job.unit = rng.randint(1, 6), "w"
    elif rng.random() < 0.3:
        for job in jobs:
            job.n, job.unit = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 10, 0.5)), "d"
    _order(rng, jobs, stages, shape)
    plan = Plan(kind, shape, stages, jobs, [], draw_style(rng), verbal=verbal, brief=brief)
    if shape == "free" and count >= 4 and rng.random() < 0.22:
        plan.closing = True
        jobs[-1].after = list(range(count - 1))
    if not brief or rng.random() < 0.3:
        _staff(rng, plan)
    _dates(rng, plan)
    plan.several = rng.random() < 0.1
    plan.single = not plan.several and rng.random() < 0.05
    return plan


def _stages(rng: Random, count: int, shape: str) -> list[list[int]]:
    if shape not in ("chain", "stages"):
        return []
    stages, at = [], 0
    while at < count:
        size = 1 if shape == "chain" else min(count - at, rng.choices((1, 2, 3), (66, 28, 6))[0])
        stages.append(list(range(at, at + size)))
        at += size
    return stages


def _order(rng: Random, jobs: list[Job], stages: list[list[int]], shape: str) -> None:
    for before, stage in itertools.pairwise(stages):
        for i in stage:
            jobs[i].after = list(before)
    if shape == "free":
        for i in range(1, len(jobs)):
            wanted = rng.choices((0, 1, 2, 3), (24, 50, 22, 4))[0]
            near = [j for j in range(i) for _ in range(1 + 2 * (i - j <= 3))]
            jobs[i].after = sorted({rng.choice(near) for _ in range(wanted)})


def _staff(rng: Random, plan: Plan) -> None:
    pattern = rng.choices(("nobody", "alone", "people", "teams", "mixed"), (16, 10, 46, 10, 18))[0]
    if pattern == "nobody":
        return
    share = {"alone": 0.1, "people": 0.0, "teams": 1.0, "mixed": 0.4}[pattern]
    size = 1 if pattern == "alone" else rng.choices((2, 3, 4, 5), (32, 42, 20, 6))[0]
    plan.people = resources(rng, size, share, [job.name for job in plan.jobs])
    plan.alone = pattern == "alone"
    unnamed = rng.choice((0.0, 0.0, 0.0, 0.12, 0.3))
    for job in plan.jobs:
        if plan.alone:
            job.who = [0]
        elif rng.random() >= unnamed:
            pair = size > 1 and rng.random() < 0.1
            job.who = rng.sample(range(size), 2 if pair else 1)


def draw_style(rng: Random) -> Style:
    """How one person writes dates and lengths."""
    return Style(
        rng.choices(list(DATE_STYLES), list(DATE_STYLES.values()))[0],
        rng.choices(list(SPAN_STYLES), list(SPAN_STYLES.values()))[0],
        rng.choices(("each", "first", "note", "unsaid"), (44, 36, 9, 11))[0],
    )


def draw_window(rng: Random, longest: int) -> tuple[date, date]:
    """A start, and an end between ``longest`` and twice as many days later."""
    start = working_day(rng, date(2025, 1, 2), date(2030, 9, 30))
    end = working_day(rng, start + timedelta(longest), start + timedelta(longest * 2))
    return start, min(end, date(2030, 12, 20))


def _dates(rng: Random, plan: Plan) -> None:
    work = sum(job.n * (7 if job.unit == "w" else 1.4) for job in plan.jobs)
    longest = max(14, int(work * (1.0 if plan.shape == "chain" else 0.8)))
    start, end = draw_window(rng, longest)
    asked = rng.choices(("both", "start", "deadline", "neither"), (52, 25, 13, 10))[0]
    plan.start = start if asked in ("both", "start") else None
    plan.deadline = end if asked in ("both", "deadline") else None
    if plan.brief and rng.random() < 0.6:
        plan.start = None
    busy = sorted({i for job in plan.jobs for i in job.who})
    if not busy or rng.random() >= 0.34:
        return
    away = rng.sample(busy, min(len(busy), rng.choices((1, 2, 3), (74, 22, 4))[0]))
    if len(away) == 2 and rng.random() < 0.4:  # both at the same time
        first, last = draw_absence(rng, start, end)
        plan.absences = [Absence(who, first, last) for who in away]
    else:
        plan.absences = [Absence(who, *draw_absence(rng, start, end)) for who in away]


def draw_absence(rng: Random, start: date, end: date) -> tuple[date, date]:
    """First and last day of an absence that begins between the two dates."""
    first = working_day(rng, start, end)
    if rng.random() < 0.03:
        first = first.replace(day=1)
        return first, (first + timedelta(32)).replace(day=1) - timedelta(1)
    length = rng.choices((0, 1, 2, 3, 4, 6, 9, 11, 13, 18), (26, 10, 12, 8, 16, 8, 5, 7, 4, 4))[0]
    return first, min(first + timedelta(length), date(2030, 12, 31))
