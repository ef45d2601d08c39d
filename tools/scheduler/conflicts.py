"""Why not everything can be had, and what would help.

Every wish gets a literal in the constraint model. The solver names a set of literals that cannot hold
together; wishes are then left out of it one by one as long as the rest still contradict each other
(deletion, as in J. Marques-Silva, "Minimal unsatisfiability" (2010)). What remains is irreducible: none of
its wishes can be left out. Another such set may have fewer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ortools.sat.python import cp_model

from tools.scheduler.calendar import Calendar
from tools.scheduler.model import ScheduleModel, Wish
from tools.scheduler.problem import Plan, Problem, last_day
from tools.scheduler.solver import cp_solver
from tools.scheduler.types import Absence, Conflict, ScheduleRequest, quarters

__all__ = ["broken_wishes", "explain"]

_ORDER = {"deadline": 0, "latest": 1, "earliest": 2, "absence": 3, "capacity": 4, "link": 5}


def broken_wishes(problem: Problem, request: ScheduleRequest, plan: Plan) -> tuple[str, ...]:
    """The ends that a plan exceeds, in words."""
    return tuple(_in_words(wish, request) for wish in _exceeded(problem, plan))


def _exceeded(problem: Problem, plan: Plan) -> list[Wish]:
    """The ends that a plan exceeds."""
    exceeded: list[Wish] = []
    if problem.deadline is not None and (
        plan.makespan > problem.deadline or any(kind == "deadline" for kind, _ in problem.too_late)
    ):
        exceeded.append(("deadline", 0))
    exceeded += [
        ("latest", place)
        for place, (job, end) in enumerate(zip(problem.jobs, plan.ends, strict=True))
        if (job.due is not None and end > job.due) or ("latest", place) in problem.too_late
    ]
    return exceeded


def explain(
    problem: Problem,
    calendar: Calendar,
    request: ScheduleRequest,
    nearest: Plan,
    seconds: float,
    seed: int = 0,
) -> Conflict | None:
    """An irreducible set of wishes that contradict each other, and single changes that would help.

    Args:
        nearest: The plan with the least lateness: what the changes of ends are taken from.
        seconds: For everything. Where they run out, the set may not be irreducible.

    Returns:
        None if no contradiction was found in time.
    """
    court = _Court(problem, seconds, seed)
    core = court.core()
    if core is None:
        return None
    core = court.shrunk(core)
    changes = []
    for wish in core:
        if wish[0] in ("deadline", "latest"):
            changes += _moved_end(wish, problem, calendar, request, nearest, court)
        elif court.can_do_without(wish):
            changes.append(_given_up(wish, request))
    return Conflict(wishes=tuple(_in_words(wish, request) for wish in core), changes=tuple(changes))


class _Court:
    """Decides which wishes can be had together."""

    def __init__(self, problem: Problem, seconds: float, seed: int) -> None:
        self._until, self._seed = time.monotonic() + seconds, seed
        self._schedule = ScheduleModel(problem, problem.horizon, with_wishes=True)
        self._wishes = sorted(self._schedule.wishes, key=lambda wish: (_ORDER[wish[0]], str(wish[1])))

    def _contradict(self, wishes: Sequence[Wish]) -> list[Wish] | None:
        """Those of some wishes that the solver needed to find that they contradict each other, if they do."""
        solver = cp_solver(self._until - time.monotonic(), workers=1, seed=self._seed)
        model, literals = self._schedule.model, self._schedule.wishes
        model.clear_assumptions()
        model.add_assumptions([literals[wish] for wish in wishes])
        if solver.solve(model) != cp_model.INFEASIBLE:
            return None
        needed = set(solver.sufficient_assumptions_for_infeasibility())
        return [wish for wish in wishes if literals[wish].index in needed]

    def core(self) -> list[Wish] | None:
        """Wishes that contradict each other; None if all can be had or time ran out."""
        return self._contradict(self._wishes)

    def shrunk(self, core: list[Wish]) -> list[Wish]:
        """An irreducible part of wishes that contradict each other."""
        # Links are tried first: a set that names people's absences and ends says more.
        for wish in sorted(core, key=lambda wish: _ORDER[wish[0]], reverse=True):
            if wish in core:
                core = self._contradict([other for other in core if other != wish]) or core
        return core

    def can_do_without(self, wish: Wish) -> bool:
        """Whether all other wishes can be had together."""
        solver = cp_solver(self._until - time.monotonic(), workers=1, seed=self._seed)
        model, literals = self._schedule.model, self._schedule.wishes
        model.clear_assumptions()
        model.add_assumptions([literals[other] for other in self._wishes if other != wish])
        return solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)


def _moved_end(
    wish: Wish,
    problem: Problem,
    calendar: Calendar,
    request: ScheduleRequest,
    nearest: Plan,
    court: _Court,
) -> list[str]:
    """The end to which a wish would have to be moved; none if moving it alone does not help."""
    # The nearest plan may break other ends too; moving this one alone is then no remedy by itself. What has
    # ended too late is past remedy, and nothing else has to wait for it.
    ended = {("latest", place) for place, job in enumerate(problem.jobs) if job.ended is not None}
    if set(_exceeded(problem, nearest)) - ended != {wish} or not court.can_do_without(wish):
        return []
    kind, key = wish
    if kind == "deadline":
        day = last_day(problem, calendar, nearest.makespan + quarters(request.buffer))
        return [f"move the deadline to {day}"]
    job = problem.jobs[int(key)]
    return [f"let {job.name!r} end on {job.ends_at(nearest.ends[int(key)], calendar)[0]}"]


def _in_words(wish: Wish, request: ScheduleRequest) -> str:
    kind, key = wish
    if kind == "deadline":
        spare = f", with {request.buffer:g} working days to spare" if request.buffer else ""
        return f"everything is finished by {request.deadline}{spare}"
    if kind == "capacity":
        capacity = next(person.capacity for person in request.people if person.name == key)
        return f"{key} works on {'one task' if capacity == 1 else f'{capacity} tasks'} at a time"
    number = int(key)
    if kind == "absence":
        absence = request.absences[number]
        on = "on " if absence.first == absence.last else ""
        return f"{absence.who} is away {on}{_when(absence)}"
    if kind == "link":
        link = request.links[number]
        return f"{link.after!r} {_KINDS[link.kind]} {link.before!r}" + _lag(link.lag)
    task = request.tasks[number]
    if kind == "latest":
        return f"{task.name!r} ends by {task.latest}"
    return f"{task.name!r} begins on {task.earliest} or later"


def _when(absence: Absence) -> str:
    days = f"{absence.first} to {absence.last}" if absence.first < absence.last else f"{absence.first}"
    return days if absence.part == "day" else f"{days}, in the {absence.part}"


_KINDS = {
    "FS": "begins after the end of",
    "SS": "begins after the begin of",
    "FF": "ends after the end of",
    "SF": "ends after the begin of",
}


def _lag(lag: float) -> str:
    if not lag:
        return ""
    return f", {abs(lag):g} working day{'s' if abs(lag) != 1 else ''} {'later' if lag > 0 else 'sooner'}"


def _given_up(wish: Wish, request: ScheduleRequest) -> str:
    kind, key = wish
    if kind == "capacity":
        return f"let {key} work on several tasks at once"
    if kind == "absence":
        absence = request.absences[int(key)]
        return f"lift {absence.who}'s absence of {_when(absence)}"
    if kind == "link":
        link = request.links[int(key)]
        return f"do not let {link.after!r} wait for {link.before!r}"
    task = request.tasks[int(key)]
    return f"let {task.name!r} begin before {task.earliest}"
