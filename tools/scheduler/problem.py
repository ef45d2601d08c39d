"""A request in slots: what the solver, the heuristic and the analysis work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import networkx as nx

from tools.scheduler.calendar import Calendar, Working
from tools.scheduler.types import QUARTERS, Happened, LinkKind, ScheduledTask, ScheduleRequest, Task, quarters

__all__ = ["Arc", "Job", "Plan", "Problem", "grouped", "last_day", "plan_of", "problem_of", "scheduled_tasks"]


@dataclass(frozen=True)
class Arc:
    """A precedence between two jobs, by their numbers; the lag in slots.

    Attributes:
        kind: As of ``types.Link``.
        planned: Whether it was asked for; if not, it only says in which order a plan does two jobs.
    """

    before: int
    after: int
    kind: LinkKind
    lag: int
    planned: bool = True


@dataclass(frozen=True)
class Job:
    """A task in slots.

    Attributes:
        length: Slots of work left.
        release: First slot in which that work may be done.
        resume: The same by what was reported alone, which nobody wished for.
        day: Of a milestone that may not be before a day: that day, which need not be one of work.
        due: End that it may not exceed, or None.
        demands: Who works on it, and with how many places.
        either: One of these works on it too.
        begun: Where it has begun already: the slot at which it did.
        ended: Where it is finished already: its end.
    """

    name: str
    length: int
    release: int = 0
    resume: int = 0
    day: date | None = None
    due: int | None = None
    demands: tuple[tuple[str, int], ...] = ()
    either: tuple[str, ...] = ()
    priority: int = 1
    begun: int | None = None
    ended: int | None = None

    def people(self, chosen: str | None) -> tuple[str, ...]:
        """Everyone who works on it."""
        return tuple(name for name, _ in self.demands) + (() if chosen is None else (chosen,))

    def ends_at(self, end: int, calendar: Calendar) -> tuple[date, int]:
        """The moment of an end, which is that of the work before it: the day that people would name.

        A milestone that came no later than it may lies on its own day, even if nobody works on that.
        """
        return (self.day, 0) if self.day is not None and end == self.release else calendar.end(end)

    def needs(self, chosen: str | None) -> tuple[tuple[str, int], ...]:
        """Everyone who works on it, and with how many places."""
        return self.demands + (() if chosen is None else ((chosen, 1),))


@dataclass(frozen=True)
class Plan:
    """A schedule in slots; every field has one entry for each job.

    Attributes:
        starts, ends: Of the work that was left to be planned.
        chosen: Who of ``Job.either`` it is.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    chosen: tuple[str | None, ...]

    @property
    def makespan(self) -> int:
        """The last end, in slots."""
        return max(self.ends)


@dataclass(frozen=True)
class Problem:
    """Jobs, precedences and people.

    Attributes:
        capacity: How many tasks each person or team can work on at a time; empty where that does not count.
        off: Slots in which somebody is away: for every person, number of the absence -> its ranges.
        deadline: End that no job may exceed, or None.
        too_late: Milestones, by number, that may not be before a day which is after the end that they may not
            exceed: their own, or the deadline. The slots alone need not tell, where no work lies between.
    """

    jobs: tuple[Job, ...]
    arcs: tuple[Arc, ...]
    capacity: Mapping[str, int]
    off: Mapping[str, Mapping[int, tuple[tuple[int, int], ...]]]
    deadline: int | None = None
    too_late: tuple[tuple[Literal["latest", "deadline"], int], ...] = ()

    @cached_property
    def into(self) -> tuple[tuple[Arc, ...], ...]:
        """The arcs that end at each job."""
        return grouped(len(self.jobs), ((arc.after, arc) for arc in self.arcs))

    @cached_property
    def out_of(self) -> tuple[tuple[Arc, ...], ...]:
        """The arcs that start at each job."""
        return grouped(len(self.jobs), ((arc.before, arc) for arc in self.arcs))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The jobs, each after those that it depends on.

        Raises:
            ValueError: If they depend on each other in a cycle.
        """
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(self.jobs)))
        graph.add_edges_from((arc.before, arc.after) for arc in self.arcs)
        try:
            return tuple(nx.topological_sort(graph))
        except nx.NetworkXUnfeasible as error:
            raise ValueError("the tasks depend on each other in a cycle") from error

    @cached_property
    def _calendars(self) -> dict[frozenset[str], Working]:
        return {}

    def working(self, people: Iterable[str]) -> Working:
        """When all of some people work."""
        away = frozenset(name for name in people if name in self.off)
        if away not in self._calendars:
            ranges = (span for name in away for spans in self.off[name].values() for span in spans)
            self._calendars[away] = Working.without(ranges)
        return self._calendars[away]

    @property
    def horizon(self) -> int:
        """A slot by which all work can be finished, whatever the order."""
        return (
            max(job.release for job in self.jobs)
            + sum(job.length for job in self.jobs)
            + sum(max(arc.lag, 0) for arc in self.arcs)
            + max((job.ended or 0 for job in self.jobs), default=0)
            + sum(
                end - first for spans in self.off.values() for some in spans.values() for first, end in some
            )
        )

    def lateness(self, plan: Plan) -> int:
        """Slots by which the ends exceed what they may not, all together; one for each of ``too_late``."""
        late = len(self.too_late) + sum(
            max(end - job.due, 0)
            for job, end in zip(self.jobs, plan.ends, strict=True)
            if job.due is not None and job.ended is None
        )
        return late + (max(plan.makespan - self.deadline, 0) if self.deadline is not None else 0)


def grouped(count: int, pairs: Iterable[tuple[int, Arc]]) -> tuple[tuple[Arc, ...], ...]:
    """The arcs of each of ``count`` jobs, from pairs of a job's number and an arc."""
    groups: list[list[Arc]] = [[] for _ in range(count)]
    for key, arc in pairs:
        groups[key].append(arc)
    return tuple(tuple(group) for group in groups)


def problem_of(request: ScheduleRequest) -> tuple[Problem, Calendar]:
    """A request in slots, and the calendar that they belong to."""
    calendar = Calendar(request.start, request.weekdays, request.absences, request.holidays)
    events = {event.task: event for event in request.happened}
    # What was reported is known up to the end of that day: nothing else can begin before.
    resume = max((calendar.slots_before(event.asof, QUARTERS) for event in request.happened), default=0)
    number = {task.name: place for place, task in enumerate(request.tasks)}
    off: dict[str, dict[int, tuple[tuple[int, int], ...]]] = {}
    for place, absence in enumerate(request.absences):
        if absence.who is not None and (spans := calendar.off(absence)):
            off.setdefault(absence.who, {})[place] = tuple(spans)
    deadline = None
    if request.deadline is not None:
        deadline = calendar.slots_before(request.deadline, QUARTERS) - quarters(request.buffer)
    jobs = tuple(_job(task, request.start, calendar, events.get(task.name), resume) for task in request.tasks)
    problem = Problem(
        jobs=jobs,
        arcs=tuple(
            Arc(number[link.before], number[link.after], link.kind, quarters(link.lag))
            for link in request.links
        ),
        capacity={person.name: person.capacity for person in request.people} if request.one_at_a_time else {},
        off=off,
        deadline=deadline,
        too_late=tuple(_too_late(request, jobs)),
    )
    return problem, calendar


def _too_late(
    request: ScheduleRequest, jobs: Sequence[Job]
) -> Iterator[tuple[Literal["latest", "deadline"], int]]:
    for place, (task, job) in enumerate(zip(request.tasks, jobs, strict=True)):
        if job.day is not None and task.latest is not None and job.day > task.latest:
            yield "latest", place
        if job.day is not None and request.deadline is not None and job.day > request.deadline:
            yield "deadline", place


def _job(task: Task, first: date, calendar: Calendar, event: Happened | None, resume: int) -> Job:
    length, release, day, begun, ended = task.length, resume, None, None, None
    either = task.either
    if task.earliest is not None and event is None:
        release = max(resume, soonest := calendar.slots_before(task.earliest))
        if not length and task.earliest >= first and soonest == release:
            day = task.earliest
    if event is not None:
        begun = calendar.slots_before(event.start, event.begins)
        length = quarters((1 - event.share) * task.length / QUARTERS)
        if event.end is not None:
            ended = calendar.slots_before(event.end, event.ends)
        either = tuple(name for name in task.either if name in event.who) or task.either
    return Job(
        name=task.name,
        length=length,
        release=release,
        resume=resume,
        day=day,
        due=None if task.latest is None else calendar.slots_before(task.latest, QUARTERS),
        demands=tuple((demand.name, demand.units) for demand in task.who),
        either=either,
        priority=task.priority,
        begun=begun,
        ended=ended,
    )


def scheduled_tasks(
    problem: Problem, calendar: Calendar, plan: Plan, slack: tuple[int, ...], request: ScheduleRequest
) -> tuple[ScheduledTask, ...]:
    """A plan in dates; ``slack`` in slots, of every job."""
    events = {event.task: event for event in request.happened}
    return tuple(
        _dated(job, calendar, start, end, chosen, spare, events.get(job.name))
        for job, start, end, chosen, spare in zip(
            problem.jobs, plan.starts, plan.ends, plan.chosen, slack, strict=True
        )
    )


def _dated(
    job: Job, calendar: Calendar, start: int, end: int, chosen: str | None, slack: int, event: Happened | None
) -> ScheduledTask:
    first, begins = calendar.begin(start)
    last, ends = job.ends_at(end, calendar)
    if not job.length:
        # One that has begun goes on after the report, even if nothing of it is left.
        if job.begun is not None:
            last, ends = first, begins
        else:
            first, begins = last, ends
    resumes = None
    if event is not None:
        resumes = None if event.end is not None else (first, begins)
        first, begins = event.start, event.begins
        last, ends = (last, ends) if event.end is None else (event.end, event.ends)
    return ScheduledTask(
        task=job.name,
        start=first,
        end=last,
        begins=begins,
        ends=ends,
        resumes=resumes,
        who=job.people(chosen),
        critical=slack == 0 and job.ended is None,
        slack=slack / QUARTERS,
    )


def last_day(problem: Problem, calendar: Calendar, makespan: int) -> date:
    """The day on which a plan of this makespan is finished."""
    return max(job.ends_at(makespan, calendar)[0] for job in problem.jobs)


def plan_of(problem: Problem, calendar: Calendar, tasks: tuple[ScheduledTask, ...]) -> Plan:
    """A schedule in slots again.

    Raises:
        ValueError: If it has not the problem's tasks in their order.
    """
    if [task.task for task in tasks] != [job.name for job in problem.jobs]:
        raise ValueError("the schedule is of other tasks than the request")
    starts, ends = [], []
    chosen: list[str | None] = []
    for job, task in zip(problem.jobs, tasks, strict=True):
        ends.append(calendar.slots_before(task.end, task.ends))
        first = (task.start, task.begins) if task.resumes is None else task.resumes
        starts.append(calendar.slots_before(*first) if job.length else ends[-1])
        chosen.append(next((name for name in job.either if name in task.who), None))
    return Plan(tuple(starts), tuple(ends), tuple(chosen))
