"""How sure the finish is: three-point estimates and Monte Carlo."""

from __future__ import annotations

import numpy as np

from tools.scheduler.analysis import order_of_work
from tools.scheduler.problem import last_day, plan_of, problem_of
from tools.scheduler.types import QUARTERS, Estimate, Finish, ScheduleAnswer, ScheduleRequest

__all__ = ["finish_distribution"]

_RUNS = 5_000


def finish_distribution(
    request: ScheduleRequest, answer: ScheduleAnswer, runs: int = _RUNS, seed: int = 0
) -> Finish:
    """Sample every estimated task's length, keep the order of work, and look at the last ends.

    Lengths are independent and follow the PERT beta distribution with its usual weight of 4 on the likely
    value (D. G. Malcolm and others, "Application of a technique for research and development program
    evaluation", Operations Research 7 (1959)); a task without an estimate takes its ``days``.

    Raises:
        ValueError: If the answer is not of the request.
    """
    problem, calendar = problem_of(request)
    plan = plan_of(problem, calendar, answer.tasks)
    chance = np.random.default_rng(seed)
    lengths = []
    for job, task in zip(problem.jobs, request.tasks, strict=True):
        sampled = np.full(runs, job.length)
        if task.estimate is not None and job.begun is None:
            days = _pert(task.estimate, runs, chance)
            sampled = np.ceil(days * QUARTERS - 1e-6).astype(np.int64)
        lengths.append(sampled)
    _, ends = order_of_work(problem, plan).forward(np.array(lengths))
    finish = ends.max(axis=0)
    p50, p80, p95 = (
        last_day(problem, calendar, int(slot))
        for slot in np.percentile(finish, (50, 80, 95), method="inverted_cdf")
    )
    on_plan = float(np.mean(finish <= plan.makespan))
    return Finish(p50=p50, p80=p80, p95=p95, on_plan=on_plan, runs=runs)


def _pert(estimate: Estimate, runs: int, chance: np.random.Generator) -> np.ndarray:
    width = estimate.worst - estimate.best
    if not width:
        return np.full(runs, estimate.likely)
    alpha = 1 + 4 * (estimate.likely - estimate.best) / width
    beta = 1 + 4 * (estimate.worst - estimate.likely) / width
    return estimate.best + width * chance.beta(alpha, beta, runs)
