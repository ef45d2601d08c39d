"""Check a schedule against its request by walking through its days.

Nothing of the solver is used: only the dates of the schedule and the request. Moments are compared as pairs
of a day and the quarters of it that are gone, and work is counted quarter by quarter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property

import holidays

from tools.scheduler.types import (
    Absence,
    Check,
    Happened,
    Link,
    ScheduleAnswer,
    ScheduledTask,
    ScheduleRequest,
    Task,
)

__all__ = ["verify"]

_DAY = 4  # quarters
_HALVES = {"day": (0, 1, 2, 3), "morning": (0, 1), "afternoon": (2, 3)}

_Moment = tuple[date, int]


def verify(request: ScheduleRequest, answer: ScheduleAnswer) -> tuple[Check, ...]:
    """One check for each constraint in force, in the order of the request's fields.

    ``constraint`` starts with the field's name: ``"deadline 2027-03-01"``, ``"link drywall after demo"``. A
    schedule that is not of the request's tasks fails in one check named ``tasks``.
    """
    asked, planned = [task.name for task in request.tasks], [task.task for task in answer.tasks]
    if asked != planned:
        missing = sorted(set(asked) - set(planned)) or sorted(set(planned) - set(asked))
        evidence = f"{len(asked)} tasks asked for, {len(planned)} scheduled; differing: {', '.join(missing)}"
        return (Check(constraint="tasks", satisfied=False, evidence=evidence),)
    walk = _Walk(request, answer)
    checks = [walk.start(), walk.finish()]
    if request.deadline is not None:
        checks.append(walk.deadline(request.deadline))
    for task in request.tasks:
        checks += walk.task(task)
    checks += [walk.link(link) for link in request.links]
    if request.one_at_a_time:
        checks += [walk.capacity(person.name, person.capacity) for person in request.people]
    checks += [walk.absence(absence) for absence in request.absences]
    checks += [walk.happened(event) for event in request.happened]
    return tuple(checks)


class _Walk:
    """The days of a schedule and what is worked in them."""

    def __init__(self, request: ScheduleRequest, answer: ScheduleAnswer) -> None:
        self._request, self._answer = request, answer
        self._tasks = {task.task: task for task in answer.tasks}
        self._holidays = holidays.country_holidays("US") if request.holidays else {}
        self._events = {event.task: event for event in request.happened}
        self._closed = self._away_by(None)

    def _away_by(self, who: str | None) -> set[_Moment]:
        """Day and quarter of everything that somebody is away for."""
        return {
            moment for absence in self._request.absences if absence.who == who for moment in _each(absence)
        }

    @cached_property
    def _away(self) -> dict[str, set[_Moment]]:
        names = {absence.who for absence in self._request.absences}
        return {name: self._away_by(name) for name in names if name is not None}

    def _open(self, day: date) -> list[int]:
        """The quarters of a day in which the project works."""
        if day.weekday() not in self._request.weekdays or day in self._holidays:
            return []
        return [quarter for quarter in range(_DAY) if (day, quarter) not in self._closed]

    def _between(self, first: _Moment, last: _Moment, people: Iterable[str] = ()) -> list[_Moment]:
        """The working quarters from one moment to another in which none of some people are away."""
        away: set[_Moment] = set()
        for name in people:
            away |= self._away.get(name, set())
        found, day = [], first[0]
        while day <= last[0]:
            found += [(day, quarter) for quarter in self._open(day)]
            day += timedelta(days=1)
        return [moment for moment in found if first <= moment < last and moment not in away]

    def _whole_lag(self, first: _Moment, last: _Moment) -> int:
        """Working quarters from one moment to another, negative if the other is sooner."""
        if first <= last:
            return len(self._between(first, last))
        return -len(self._between(last, first))

    def _worked(self, name: str) -> list[_Moment]:
        """The quarters in which a task is worked on, as far as they were planned."""
        task = self._tasks[name]
        if name in self._events and task.resumes is None:
            return []
        return self._between(task.resumes or _begin(task), _end(task), task.who)

    def start(self) -> Check:
        first = min(self._answer.tasks, key=_begin)
        return Check(
            constraint=f"start {self._request.start}",
            satisfied=first.start >= self._request.start,
            evidence=f"the first task, {first.task!r}, begins on {first.start}",
        )

    def finish(self) -> Check:
        last = max(self._answer.tasks, key=_end)
        days = len(self._between((self._request.start, 0), _end(last))) / _DAY
        return Check(
            constraint=f"finish {self._answer.finish}, {self._answer.days:g} working days",
            satisfied=self._answer.finish == last.end and self._answer.days == days,
            evidence=f"the last task, {last.task!r}, ends on {last.end}, after {days:g} working days",
        )

    def deadline(self, deadline: date) -> Check:
        last = max(self._answer.tasks, key=_end)
        spare = len(self._between(_end(last), (deadline, _DAY))) / _DAY
        kept = last.end <= deadline and spare >= self._request.buffer - 1e-9
        buffer = f", {self._request.buffer:g} of them wanted" if self._request.buffer else ""
        return Check(
            constraint=f"deadline {deadline}",
            satisfied=kept,
            evidence=f"the last task, {last.task!r}, ends on {last.end}; {spare:g} working days left{buffer}",
        )

    def task(self, wanted: Task) -> list[Check]:
        """Its people, its length, and the days that it may not be before or after."""
        found = self._tasks[wanted.name]
        checks = [self._length(wanted, found), self._people(wanted, found)]
        if wanted.earliest is not None and wanted.name not in self._events:
            checks.append(
                Check(
                    constraint=f"tasks {wanted.name}: earliest {wanted.earliest}",
                    satisfied=found.start >= wanted.earliest,
                    evidence=f"it begins on {found.start}",
                )
            )
        if wanted.latest is not None:
            checks.append(
                Check(
                    constraint=f"tasks {wanted.name}: latest {wanted.latest}",
                    satisfied=found.end <= wanted.latest,
                    evidence=f"it ends on {found.end}",
                )
            )
        return checks

    def _length(self, wanted: Task, found: ScheduledTask) -> Check:
        hands = sum(demand.units for demand in wanted.who) + (1 if wanted.either else 0)
        days = wanted.days if wanted.days is not None else (wanted.effort or 0.0) / max(hands, 1)
        share, at_ends = 1.0, True
        if (event := self._events.get(wanted.name)) is not None:
            # Of a task that has begun, what was left is counted; of a finished one nothing.
            share = 1 - event.share
        # Quarters begun count: the same rule as in the request's description, counted afresh.
        needed = 0
        while needed / _DAY < _rounded_up(days) * share - 1e-6:
            needed += 1
        worked = self._worked(wanted.name)
        if event is None or event.share < 1:
            first = found.resumes or _begin(found)
            if worked:
                last = worked[-1]
                at_ends = worked[0] == first and (last[0], last[1] + 1) == _end(found)
            else:
                at_ends = first == _end(found)
        return Check(
            constraint=f"tasks {wanted.name}: {days:g} days",
            satisfied=len(worked) == needed and at_ends,
            evidence=f"from {found.start} to {found.end} it is worked on for {len(worked) / _DAY:g} days"
            + (f"; {needed / _DAY:g} were left" if event is not None else "")
            + ("" if at_ends else "; it begins or ends at a time at which its people do not work"),
        )

    def _people(self, wanted: Task, found: ScheduledTask) -> Check:
        fixed = [demand.name for demand in wanted.who]
        others = [name for name in found.who if name not in fixed]
        right = set(fixed) <= set(found.who) and len(found.who) == len(set(found.who))
        right = right and ((len(others) == 1 and others[0] in wanted.either) if wanted.either else not others)
        asked = " and ".join([*fixed, *([f"one of {', '.join(wanted.either)}"] if wanted.either else [])])
        return Check(
            constraint=f"tasks {wanted.name}: who",
            satisfied=right,
            evidence=f"{' and '.join(found.who) or 'nobody'} for {asked or 'nobody'}",
        )

    def link(self, link: Link) -> Check:
        before, after = self._tasks[link.before], self._tasks[link.after]
        moment = _end(before) if link.kind in ("FS", "FF") else _begin(before)
        target = _begin(after) if link.kind in ("FS", "SS") else _end(after)
        apart = self._whole_lag(moment, target) / _DAY
        event = self._events.get(link.after)
        over = event is not None and (event.share == 1 or link.kind in ("FS", "SS"))
        words = {"F": "ends", "S": "begins"}
        lag = f" {link.lag:+g} d" if link.lag else ""
        return Check(
            constraint=f"link {link.after} after {link.before} ({link.kind}{lag})",
            satisfied=over or apart >= link.lag - 1e-9,
            evidence=f"{link.before!r} {words[link.kind[0]]} on {moment[0]}, {link.after!r} "
            f"{words[link.kind[1]]} on {target[0]}, {apart:g} working days later"
            + ("; it had begun before this plan" if over else ""),
        )

    def capacity(self, name: str, capacity: int) -> Check:
        """Count, at every begin of somebody's task, the places taken by tasks that are under way."""
        units = {
            (task.name, demand.name): demand.units for task in self._request.tasks for demand in task.who
        }
        spans = []
        for task in self._answer.tasks:
            worked = self._worked(task.task) if name in task.who else []
            if worked:
                last = worked[-1]
                spans.append((worked[0], (last[0], last[1] + 1), units.get((task.task, name), 1), task.task))
        most, when, busy = 0, "", ""
        for moment, *_ in spans:
            under_way = [span for span in spans if span[0] <= moment < span[1]]
            taken = sum(span[2] for span in under_way)
            if taken > most:
                most, when, busy = taken, f" on {moment[0]}", ", ".join(span[3] for span in under_way)
        return Check(
            constraint=f"one_at_a_time {name}",
            satisfied=most <= capacity,
            evidence=f"at most {most} of {capacity} at a time{when}"
            + (f": {busy}" if most > capacity else ""),
        )

    def absence(self, absence: Absence) -> Check:
        """Nothing is begun, ended or worked on by somebody who is away."""
        away = set(_each(absence))
        clashes = []
        for task in self._answer.tasks:
            concerned = absence.who is None or absence.who in task.who
            event = self._events.get(task.task)
            if not concerned or (event is not None and event.share == 1) or _begin(task) == _end(task):
                continue
            first = task.resumes or _begin(task)
            last = (task.end, task.ends - 1)
            if first in away or last in away:
                clashes.append(task.task)
        who = absence.who or "the project"
        return Check(
            constraint=f"days_off {who} {absence.first} to {absence.last}",
            satisfied=not clashes,
            evidence=f"begun or ended in these days: {', '.join(clashes)}"
            if clashes
            else f"no task of {who} begins or ends in these days; work does not count in them",
        )

    def happened(self, event: Happened) -> Check:
        found = self._tasks[event.task]
        kept = _begin(found) == (event.start, event.begins)
        if event.end is not None:
            kept = kept and _end(found) == (event.end, event.ends)
        else:
            kept = kept and found.resumes is not None and found.resumes[0] > event.asof
        soonest = [
            task.task
            for task in self._answer.tasks
            if task.task not in self._events and task.start <= event.asof and _begin(task) != _end(task)
        ]
        return Check(
            constraint=f"happened {event.task}: {event.share:.0%} by {event.asof}",
            satisfied=kept and not soonest,
            evidence=f"it began on {found.start} and ends on {found.end}"
            + (f"; begun before the report: {', '.join(soonest)}" if soonest else ""),
        )


def _rounded_up(days: float) -> float:
    """Working days to the next quarter."""
    whole = int(days * _DAY)
    return (whole + (days * _DAY - whole > 1e-6)) / _DAY


def _each(absence: Absence) -> Iterable[_Moment]:
    day = absence.first
    while day <= absence.last:
        for quarter in _HALVES[absence.part]:
            yield day, quarter
        day += timedelta(days=1)


def _begin(task: ScheduledTask) -> _Moment:
    return task.start, task.begins


def _end(task: ScheduledTask) -> _Moment:
    return task.end, task.ends
