"""Who has how much to do on which day."""

from __future__ import annotations

from datetime import date

from tools.scheduler.problem import plan_of, problem_of
from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduleRequest

__all__ = ["load_of"]


def load_of(request: ScheduleRequest, answer: ScheduleAnswer) -> dict[str, dict[date, float]]:
    """For each person or team the days with planned work, and the places taken on them, on average.

    1.0 is a whole day of one person. Work that happened before the plan was made is not counted.
    """
    problem, calendar = problem_of(request)
    plan = plan_of(problem, calendar, answer.tasks)
    load: dict[str, dict[date, float]] = {person.name: {} for person in request.people}
    for place, job in enumerate(problem.jobs):
        needs = job.needs(plan.chosen[place])
        if not needs or job.ended is not None or not job.length:
            continue
        working = problem.working(job.people(plan.chosen[place]))
        first, last = working.rank(plan.starts[place]), working.rank(plan.ends[place])
        for rank in range(first, last):
            day, _ = calendar.begin(working.slot(rank))
            for name, units in needs:
                load[name][day] = load[name].get(day, 0.0) + units / QUARTERS
    return load
