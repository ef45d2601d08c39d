"""From a project as it was written down to a request with every name resolved, or to questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from difflib import get_close_matches

import networkx as nx

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.calendar import Calendar
from tools.scheduler.draft import Draft, DraftLink, DraftTask, name_key
from tools.scheduler.types import Absence, Demand, Link, Person, ScheduleRequest, Task
from tools.tool import Question

__all__ = ["MAX_DAYS", "MAX_TASKS", "MAX_YEARS", "draft_of", "next_working_day", "resolve", "task_called"]

MAX_TASKS = 5_000
MAX_DAYS = 2_600  # ten years of work on one task
MAX_TOTAL_DAYS = 500_000  # in weeks of five days: so that no date is beyond the calendar, whatever the order
MAX_YEARS = 100  # between the start and any day that is named


def next_working_day(today: date) -> date:
    """The first Monday to Friday after a day."""
    calendar = Calendar(today + timedelta(days=1))
    return calendar.begin(0)[0]


def draft_of(call: ProjectArguments, today: date) -> Draft | tuple[Question, ...]:
    """What was read, with its days as dates; questions about days that the calendar does not have.

    A day without a year is the next such day: from today, from the start, or from an absence's first day.
    """
    questions: list[Question] = []
    start = _day(call.start, "start", today, questions)
    begin = start or today
    deadline = _day(call.deadline, "deadline", begin, questions)
    tasks = tuple(
        DraftTask(
            name=task.name,
            days=task.days,
            after=tuple(DraftLink(task=name) for name in task.after),
            who=tuple(Demand(name=name) for name in task.who),
        )
        for task in call.tasks
    )
    absences = []
    for said in call.days_off:
        first = _day(said.first, "days_off", begin, questions)
        last = _day(said.last, "days_off", first or begin, questions)
        if first is None or last is None:
            continue
        if last < first:
            reason = f"the days off of {said.who!r} end on {last}, before they begin on {first}"
            questions.append(Question(field="days_off", said=said.who, reason=reason))
        else:
            absences.append(Absence(who=said.who, first=first, last=last))
    if questions:
        return tuple(questions)
    return Draft(
        title=call.title or "",
        start=start,
        deadline=deadline,
        tasks=tasks,
        absences=tuple(absences),
        one_at_a_time=call.one_at_a_time,
    )


def _day(said: str | None, field: str, begin: date, questions: list[Question]) -> date | None:
    """The date; one without a year is the first such day from ``begin`` on."""
    if said is None:
        return None
    years = (said[:4],) if len(said) > len("MM-DD") else range(begin.year, begin.year + 9)
    for year in years:
        try:
            day = date.fromisoformat(f"{year}-{said[-5:]}")
        except ValueError:  # the 29th of February of another year
            continue
        if len(years) == 1 or day >= begin:
            return day
    questions.append(Question(field=field, said=said, reason=f"the calendar has no day {said!r}"))
    return None


def resolve(draft: Draft, today: date) -> ScheduleRequest | tuple[Question, ...]:
    """The request that a draft means; questions about everything in it that cannot be."""
    if not draft.tasks:
        return (Question(field="tasks", said=None, reason="no task was understood"),)
    if len(draft.tasks) > MAX_TASKS:
        reason = f"there are {len(draft.tasks):,} tasks, and {MAX_TASKS:,} can be planned"
        return (Question(field="tasks", said=None, reason=reason),)
    start = draft.start or next_working_day(today)
    questions = _days(draft, start, today)
    questions += _lengths(draft)
    names = _names(draft.tasks, questions)
    links = _links(draft.tasks, names, questions)
    if not questions:
        questions += _cycle(links)
    people = _people(draft, questions)
    questions += _strangers(draft, people)
    if questions:
        return tuple(questions)
    return ScheduleRequest(
        title=draft.title,
        start=start,
        start_assumed=draft.start is None,
        deadline=draft.deadline,
        tasks=tuple(_task(task, people) for task in draft.tasks),
        links=tuple(links),
        people=tuple(people.values()),
        absences=tuple(_absence(absence, people) for absence in draft.absences),
        one_at_a_time=draft.one_at_a_time,
        weekdays=draft.weekdays,
        holidays=draft.holidays,
        buffer=draft.buffer,
    )


def task_called(name: str, tasks: Sequence[str], field: str) -> str | Question:
    """The task of this name, or a question."""
    names = {name_key(task): task for task in tasks}
    if (key := name_key(name)) in names:
        return names[key]
    near = tuple(names[match] for match in get_close_matches(key, names, n=3))
    return Question(field=field, said=name, reason=f"no task is called {name!r}", candidates=near)


def _days(draft: Draft, start: date, today: date) -> list[Question]:
    """Questions about days that contradict each other or that nobody can mean."""
    questions = []
    if abs(start.year - today.year) > MAX_YEARS:
        reason = f"the start on {start} is more than {MAX_YEARS} years from today"
        questions.append(Question(field="start", said=start.isoformat(), reason=reason))
    if draft.deadline is not None and draft.deadline < start:
        reason = f"the deadline, {draft.deadline}, is before the start on {start}"
        questions.append(Question(field="deadline", said=draft.deadline.isoformat(), reason=reason))
    named = [("deadline", "the deadline", draft.deadline)]
    named += [("tasks", repr(task.name), day) for task in draft.tasks for day in (task.earliest, task.latest)]
    named += [("days_off", f"the days off of {a.who or 'everybody'}", a.last) for a in draft.absences]
    for field, what, day in named:
        if day is not None and abs(day.year - start.year) > MAX_YEARS:
            reason = f"{what}: {day} is more than {MAX_YEARS} years from the start on {start}"
            questions.append(Question(field=field, said=day.isoformat(), reason=reason))
    for absence in draft.absences:
        if (absence.last - absence.first).days > 366 * 10:
            reason = f"the days off of {absence.who!r} last longer than ten years"
            questions.append(Question(field="days_off", said=absence.who, reason=reason))
    return questions


def _lengths(draft: Draft) -> list[Question]:
    """Questions about durations that nobody can mean."""
    questions = []
    for task in draft.tasks:
        # A comparison with NaN is never true: whatever is not clearly sensible is asked about.
        if not 0 <= task.length <= MAX_DAYS:
            reason = f"{task.name!r} takes {task.length:g} working days; up to {MAX_DAYS:,} can be planned"
            questions.append(_at(task, task.name, reason))
        if not all(-MAX_DAYS <= link.lag <= MAX_DAYS for link in task.after):
            questions.append(_at(task, task.name, f"{task.name!r} has a lag of more than {MAX_DAYS:,} days"))
        if task.estimate is not None and not task.estimate.worst <= MAX_DAYS:
            reason = (
                f"{task.name!r} takes {task.estimate.worst:g} working days at worst; {MAX_DAYS:,} are most"
            )
            questions.append(_at(task, task.name, reason))
    if not draft.buffer <= MAX_DAYS:
        reason = f"{draft.buffer:g} working days to spare are more than {MAX_DAYS:,}"
        questions.append(Question(field="deadline", said=None, reason=reason))
    most = MAX_TOTAL_DAYS * len(draft.weekdays) // 5
    if not questions and (total := sum(map(_longest, draft.tasks))) > most:
        reason = f"the tasks and their lags add up to {total:,.0f} working days; {most:,} can be planned"
        questions.append(Question(field="tasks", said=None, reason=reason))
    return questions


def _longest(task: DraftTask) -> float:
    """Working days that a task can take at worst, with its lags."""
    worst = task.estimate.worst if task.estimate is not None else 0.0
    return max(task.length, worst) + sum(max(link.lag, 0) for link in task.after)


def _at(task: DraftTask, said: str, reason: str, candidates: tuple[str, ...] = ()) -> Question:
    """A question about a task, with the place in the file that it comes from."""
    where = f"{task.where}: " if task.where else ""
    return Question(field="tasks", said=said, reason=where + reason, candidates=candidates)


def _names(tasks: Sequence[DraftTask], questions: list[Question]) -> dict[str, str]:
    """What names are compared by -> the task's name."""
    names: dict[str, str] = {}
    for task in tasks:
        key = name_key(task.name)
        if key in names:
            reason = f"two tasks are called {task.name!r}: give one of them another name"
            questions.append(_at(task, task.name, reason))
        names.setdefault(key, task.name)
    return names


def _links(tasks: Sequence[DraftTask], names: dict[str, str], questions: list[Question]) -> list[Link]:
    links = []
    for task in tasks:
        befores = {(name_key(link.task), link.kind): link for link in task.after}
        for (key, _), link in befores.items():
            if key in names:
                links.append(Link(before=names[key], after=task.name, kind=link.kind, lag=link.lag))
                continue
            near = tuple(names[match] for match in get_close_matches(key, names, n=3))
            reason = f"{task.name!r} is to come after {link.task!r}, but no task is called that"
            questions.append(_at(task, link.task, reason, near))
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


def _people(draft: Draft, questions: list[Question]) -> dict[str, Person]:
    """What people are compared by -> those in the list, or those on tasks as they were first named.

    Without a list a team has as many places as any task needs of it.
    """
    people: dict[str, Person] = {}
    for person in draft.people:
        known = people.setdefault(name_key(person.name), person)
        if known is not person:
            reason = f"{known.name!r} and {person.name!r} cannot be told apart: give one of them another name"
            questions.append(Question(field="people", said=person.name, reason=reason))
    if not people:
        for task in draft.tasks:
            for demand in (*task.who, *(Demand(name=name) for name in task.either)):
                known = people.setdefault(name_key(demand.name), Person(name=demand.name))
                if demand.units > known.capacity:
                    people[name_key(demand.name)] = known.model_copy(update={"capacity": demand.units})
    return people


def _strangers(draft: Draft, people: Mapping[str, Person]) -> list[Question]:
    """Questions about names on tasks that nobody has, about too many places of a team, and about doubles."""
    questions = []
    for task in draft.tasks:
        demands = [*task.who, *(Demand(name=name) for name in task.either)]
        for demand in demands:
            person = people.get(name_key(demand.name))
            if person is None:
                near = tuple(people[match].name for match in get_close_matches(name_key(demand.name), people))
                reason = f"{task.name!r} needs {demand.name!r}, but nobody is called that"
                questions.append(_at(task, demand.name, reason, near))
            elif demand.units > person.capacity:
                reason = f"{task.name!r} needs {demand.units} of {person.name!r}, which has {person.capacity}"
                questions.append(_at(task, demand.name, reason))
        both = {name_key(demand.name) for demand in task.who} & {name_key(name) for name in task.either}
        for key in sorted(both):
            questions.append(_at(task, key, f"{task.name!r} names {key!r} twice"))
    if draft.people:
        for absence in draft.absences:
            if absence.who is not None and name_key(absence.who) not in people:
                reason = f"there are days off of {absence.who!r}, but nobody is called that"
                near = tuple(people[match].name for match in get_close_matches(name_key(absence.who), people))
                questions.append(Question(field="days_off", said=absence.who, reason=reason, candidates=near))
    return questions


def _task(task: DraftTask, people: Mapping[str, Person]) -> Task:
    who: dict[str, Demand] = {}
    # No effort at all is a milestone's.
    effort = task.effort or None if task.days is None else None
    for demand in task.who:
        name = people[name_key(demand.name)].name
        who.setdefault(name, Demand(name=name, units=demand.units))
    return Task(
        name=task.name,
        days=None if effort else task.length,
        effort=effort,
        who=tuple(who.values()),
        either=tuple(dict.fromkeys(people[name_key(name)].name for name in task.either)),
        earliest=task.earliest,
        latest=task.latest,
        priority=task.priority,
        estimate=task.estimate,
    )


def _absence(absence: Absence, people: Mapping[str, Person]) -> Absence:
    if absence.who is None or (person := people.get(name_key(absence.who))) is None:
        return absence
    return absence.model_copy(update={"who": person.name})
