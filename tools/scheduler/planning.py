"""From a request to its answer: solve, explain what cannot be had, date everything."""

from __future__ import annotations

from tools.scheduler.analysis import order_of_work
from tools.scheduler.conflicts import broken_wishes, explain
from tools.scheduler.problem import problem_of, scheduled_tasks
from tools.scheduler.solver import Solution, solve
from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduleRequest
from tools.tool import Progress

__all__ = ["plan_project"]

_EXPLAIN_SECONDS = 10.0


def plan_project(
    request: ScheduleRequest,
    progress: Progress,
    seconds: float = 10.0,
    workers: int = 1,
    seed: int = 0,
) -> ScheduleAnswer:
    """Schedule a project; the same for a request and a seed unless time runs out.

    Args:
        seconds: For the schedule; as much again, ten seconds at most, for why it breaks something.
        workers: Threads of the search.

    Raises:
        ValueError: If tasks depend on each other in a cycle.
    """
    problem, calendar = problem_of(request)
    solution = solve(problem, seconds, workers, seed, progress)
    plan = solution.plan
    broken = broken_wishes(problem, request, plan)
    conflict = None
    if broken and not solution.unsure:
        progress("finding what contradicts", 0.9)
        conflict = explain(problem, calendar, request, plan, min(seconds, _EXPLAIN_SECONDS), seed)
    order = order_of_work(problem, plan)
    slack = order.slack()
    tasks = scheduled_tasks(problem, calendar, plan, slack, request)
    return ScheduleAnswer(
        tasks=tasks,
        finish=max(task.end for task in tasks),
        days=plan.makespan / QUARTERS,
        bound=solution.bound / QUARTERS,
        optimal=solution.optimal,
        broken=broken,
        critical_path=tuple(problem.jobs[place].name for place in order.critical_path(slack)),
        conflict=conflict,
        warnings=tuple(_warnings(request, solution)),
    )


def _warnings(request: ScheduleRequest, solution: Solution) -> list[str]:
    warnings = []
    if request.start_assumed:
        warnings.append(f"no start was given: the plan starts on the next working day, {request.start}")
    if not solution.optimal:
        days, bound = solution.plan.makespan / QUARTERS, solution.bound / QUARTERS
        warnings.append(
            f"time ran out: the plan takes {days:g} working days; it may be possible in {bound:g}, not less"
        )
    if solution.unsure:
        warnings.append("time ran out before it was known whether every end can be kept")
    working = {demand.name for task in request.tasks for demand in task.who}
    working |= {name for task in request.tasks for name in task.either}
    idle = sorted({a.who for a in request.absences if a.who is not None and a.who not in working})
    warnings += [f"{name} is on no task: the days off change nothing" for name in idle]
    rounded = [
        t.name for t in request.tasks if t.days is not None and abs(t.days - t.length / QUARTERS) > 1e-6
    ]
    if rounded:
        warnings.append(f"rounded up to quarters of a day: {', '.join(rounded)}")
    return warnings
