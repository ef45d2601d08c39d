"""From the arguments as they were read to a request with every name resolved, or to questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from difflib import get_close_matches

import networkx as nx

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.arguments import Task as SaidTask
from tools.scheduler.calendar import Calendar
from tools.scheduler.types import Absence, Demand, Link, Person, ScheduleRequest, Task
from tools.tool import Question

__all__ = ["MAX_DAYS", "MAX_TASKS", "next_working_day", "resolve"]

MAX_TASKS = 5_000
MAX_DAYS = 2_600  # ten years of work on one task
MAX_TOTAL_DAYS = 500_000  # so that no date is beyond the calendar, whatever the order
_ARTICLES = {"a", "an", "the"}


def next_working_day(today: date) -> date:
    """The first Monday to Friday after a day."""
    calendar = Calendar(today + timedelta(days=1))
    return calendar.begin(0)[0]


def _key(name: str) -> str:
    """What a name is compared by: no case, no articles, no spaces at its ends or doubled."""
    words = name.casefold().split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def resolve(call: ProjectArguments, today: date) -> ScheduleRequest | tuple[Question, ...]:
    """The request that a call means; questions about everything in it that cannot be."""
    if not call.tasks:
        return (Question(field="tasks", said=None, reason="no task was understood"),)
    if len(call.tasks) > MAX_TASKS:
        reason = f"there are {len(call.tasks):,} tasks, and {MAX_TASKS:,} can be planned"
        return (Question(field="tasks", said=None, reason=reason),)
    questions: list[Question] = []
    start = _day(call.start, "start", questions) or next_working_day(today)
    deadline = _day(call.deadline, "deadline", questions)
    if deadline is not None and deadline < start and not questions:
        reason = f"the deadline, {deadline}, is before the start on {start}"
        questions.append(Question(field="deadline", said=call.deadline, reason=reason))
    questions += _lengths(call.tasks)
    names = _names(call.tasks, questions)
    links = _links(call.tasks, names, questions)
    if not questions:
        questions += _cycle(links)
    people = _people(call)
    absences = _absences(call, people, questions)
    if questions:
        return tuple(questions)
    return ScheduleRequest(
        start=start,
        start_assumed=call.start is None,
        deadline=deadline,
        tasks=tuple(
            Task(name=task.name, days=task.days, who=tuple(_demands(task, people))) for task in call.tasks
        ),
        links=tuple(links),
        people=tuple(Person(name=name) for name in dict.fromkeys(people.values())),
        absences=tuple(absences),
        one_at_a_time=call.one_at_a_time,
    )


def _day(said: str | None, field: str, questions: list[Question]) -> date | None:
    if said is None:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        questions.append(Question(field=field, said=said, reason=f"the calendar has no day {said!r}"))
        return None


def _lengths(tasks: Sequence[SaidTask]) -> list[Question]:
    """Questions about durations that nobody can mean."""
    questions = []
    for task in tasks:
        # A comparison with NaN is never true: whatever is not clearly sensible is asked about.
        if not 0 < task.days <= MAX_DAYS:
            reason = f"{task.name!r} takes {task.days:g} working days; up to {MAX_DAYS:,} can be planned"
            questions.append(Question(field="tasks", said=task.name, reason=reason))
    if not questions and (total := sum(task.days for task in tasks)) > MAX_TOTAL_DAYS:
        reason = f"the tasks add up to {total:,.0f} working days; {MAX_TOTAL_DAYS:,} can be planned"
        questions.append(Question(field="tasks", said=None, reason=reason))
    return questions


def _names(tasks: Sequence[SaidTask], questions: list[Question]) -> dict[str, str]:
    """What names are compared by -> the task's name."""
    names: dict[str, str] = {}
    for task in tasks:
        key = _key(task.name)
        if key in names:
            reason = f"two tasks are called {task.name!r}: give one of them another name"
            questions.append(Question(field="tasks", said=task.name, reason=reason))
        names.setdefault(key, task.name)
    return names


def _links(tasks: Sequence[SaidTask], names: dict[str, str], questions: list[Question]) -> list[Link]:
    links = []
    for task in tasks:
        befores = {_key(said): said for said in task.after}
        for key, said in befores.items():
            if key in names:
                links.append(Link(before=names[key], after=task.name))
                continue
            near = tuple(names[match] for match in get_close_matches(key, names, n=3))
            reason = f"{task.name!r} is to come after {said!r}, but no task is called that"
            questions.append(Question(field="tasks", said=said, reason=reason, candidates=near))
    return links


def _cycle(links: Iterable[Link]) -> list[Question]:
    graph = nx.DiGraph((link.before, link.after) for link in links)
    try:
        edges = nx.find_cycle(graph)
    except nx.NetworkXNoCycle:
        return []
    chain = " -> ".join([edge[0] for edge in edges] + [edges[0][0]])
    reason = f"these tasks wait for each other: {chain}"
    return [Question(field="tasks", said=edges[0][0], reason=reason)]


def _people(call: ProjectArguments) -> dict[str, str]:
    """What people are compared by -> their name as it was first said."""
    said = [name for task in call.tasks for name in task.who]
    people: dict[str, str] = {}
    for name in said:
        people.setdefault(_key(name), name)
    return people


def _demands(task: SaidTask, people: dict[str, str]) -> Iterable[Demand]:
    return (Demand(name=people[key]) for key in dict.fromkeys(_key(name) for name in task.who))


def _absences(call: ProjectArguments, people: dict[str, str], questions: list[Question]) -> list[Absence]:
    absences = []
    for said in call.days_off:
        known = len(questions)
        first, last = _day(said.first, "days_off", questions), _day(said.last, "days_off", questions)
        if len(questions) > known or first is None or last is None:
            continue
        if last < first:
            reason = f"the days off of {said.who!r} end on {last}, before they begin on {first}"
            questions.append(Question(field="days_off", said=said.who, reason=reason))
        elif (last - first).days > 366 * 10:
            reason = f"the days off of {said.who!r} last longer than ten years"
            questions.append(Question(field="days_off", said=said.who, reason=reason))
        else:
            absences.append(Absence(who=people.get(_key(said.who), said.who), first=first, last=last))
    return absences
