"""The best schedule in the time given: finish first, then level the load, then come early.

A load within somebody's capacity is level enough. Where capacities do not count, the most that people do at
once is made small, and where there is a choice between people, the most work that one of them has.

A list schedule is the first plan and the bound of the search. The stages are solved one after the other,
each with the values of those before held.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ortools.sat.python import cp_model

from tools.scheduler.model import ScheduleModel
from tools.scheduler.problem import Plan, Problem
from tools.scheduler.serial import list_schedule
from tools.tool import Progress, silent

__all__ = ["Solution", "cp_solver", "solve"]

_FIRST_SHARE = 0.7  # of the time, at most, that the makespan may take
_STAGE_SECONDS = 5.0  # that each later stage may take: they only make a good plan nicer
_FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


@dataclass(frozen=True)
class Solution:
    """A plan and what is known of it.

    Attributes:
        bound: Makespan in slots that no plan with as little lateness can be below.
        optimal: Whether the plan's makespan is that.
        late: Slots by which ends exceed what they may not, all together.
        unsure: Whether it could not be decided in time if a plan without lateness exists.
    """

    plan: Plan
    bound: int
    optimal: bool
    late: int
    unsure: bool = False


def cp_solver(seconds: float, workers: int, seed: int) -> cp_model.CpSolver:
    """A solver with a time limit; unless it runs out, a model, workers and a seed give the same plan."""
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(seconds, 0.1)
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed
    # Workers take turns in steps of fixed work, so that which of them comes first is no matter of luck.
    solver.parameters.interleave_search = workers > 1
    return solver


def solve(
    problem: Problem,
    seconds: float = 10.0,
    workers: int = 1,
    seed: int = 0,
    progress: Progress = silent,
) -> Solution:
    """Find a plan that finishes as early as possible, and of these a level one.

    Where not all ends can be kept, the plan has the least lateness, and of these the least makespan. It
    always keeps precedence, calendars, absences and capacities.

    Args:
        seconds: For everything; a plan is returned even if it is too short.
        workers: Threads of the search.
        seed: Of the search and the heuristic.

    Raises:
        ValueError: If tasks depend on each other in a cycle.
    """
    return _Search(problem, seconds, workers, seed, progress).run()


class _Search:
    def __init__(self, problem: Problem, seconds: float, workers: int, seed: int, progress: Progress) -> None:
        self._problem, self._workers, self._seed, self._progress = problem, workers, seed, progress
        self._began, self._seconds = time.monotonic(), seconds
        self._plan = list_schedule(problem, seed)

    def _left(self) -> float:
        return self._seconds - (time.monotonic() - self._began)

    def run(self) -> Solution:
        problem = self._problem
        self._progress("scheduling", 0.1)
        late, unsure = problem.lateness(self._plan), False
        horizon = self._plan.makespan if not late else problem.horizon
        schedule = ScheduleModel(problem, horizon)
        status, bound = self._minimize(schedule, schedule.makespan, _FIRST_SHARE * self._left())
        if late and status not in _FOUND:
            unsure = status == cp_model.UNKNOWN
            schedule, status, bound = self._least_late(unsure)
        late = problem.lateness(self._plan)
        optimal = status == cp_model.OPTIMAL
        self._progress("levelling", 0.8)
        schedule.model.add(schedule.makespan <= self._plan.makespan)
        for objective in self._niceties(schedule):
            if self._left() < 0.1:
                break
            before = self._plan
            self._minimize(schedule, objective, min(_STAGE_SECONDS, self._left()))
            if problem.lateness(self._plan) > late:  # cannot be, unless the model is wrong
                self._plan = before
        return Solution(self._plan, bound if not optimal else self._plan.makespan, optimal, late, unsure)

    def _minimize(
        self, schedule: ScheduleModel, objective: cp_model.LinearExprT, seconds: float
    ) -> tuple[cp_model.CpSolverStatus, int]:
        """Improve the plan by one objective and hold its value; the status and the bound found."""
        solver = cp_solver(seconds, self._workers, self._seed)
        schedule.hint(self._plan)
        schedule.model.minimize(objective)
        status = solver.solve(schedule.model)
        if status in _FOUND:
            self._plan = schedule.plan(solver)
            schedule.model.add(objective <= solver.value(objective))
        return status, max(int(solver.best_objective_bound), 0) if status != cp_model.INFEASIBLE else 0

    def _least_late(self, unsure: bool) -> tuple[ScheduleModel, cp_model.CpSolverStatus, int]:
        """The plan with the least lateness and then the least makespan."""
        problem = self._problem
        only_deadline = all(job.due is None for job in problem.jobs)
        # Without ends of single tasks, least late is soonest finished: the list schedule bounds it.
        schedule = ScheduleModel(
            problem, self._plan.makespan if only_deadline else problem.horizon, keep_dues=False
        )
        if not only_deadline:
            self._minimize(schedule, schedule.lateness(), self._left() / 2)
        status, bound = self._minimize(schedule, schedule.makespan, _FIRST_SHARE * self._left())
        return schedule, status, bound

    def _niceties(self, schedule: ScheduleModel) -> Iterator[cp_model.LinearExprT]:
        """What is made small once the makespan is least."""
        jobs = self._problem.jobs
        if not self._problem.capacity:
            yield schedule.peaks()
        if any(job.either for job in jobs):
            yield schedule.busiest()
        yield sum(
            job.priority * end for job, end in zip(jobs, schedule.ends, strict=True) if job.ended is None
        )
