"""How sure the finish is: three-point estimates and Monte Carlo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from tools.scheduler.analysis import Order, order_of_work
from tools.scheduler.planning import plan_of
from tools.scheduler.problem import Arc, problem_of
from tools.scheduler.types import QUARTERS, Estimate, ScheduleAnswer, ScheduleRequest

__all__ = ["Finish", "finish_distribution"]

_RUNS = 5_000


@dataclass(frozen=True)
class Finish:
    """The distribution of a plan's last day.

    Attributes:
        p50, p80, p95: Days by which it is finished with these chances, in percent.
        on_plan: Chance of finishing no later than planned, 0 to 1.
        runs: Number of samples.
    """

    p50: date
    p80: date
    p95: date
    on_plan: float
    runs: int


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
    finish = _finishes(order_of_work(problem, plan), np.array(lengths))
    p50, p80, p95 = (
        calendar.end(int(slot))[0] for slot in np.percentile(finish, (50, 80, 95), method="inverted_cdf")
    )
    return Finish(p50, p80, p95, float(np.mean(finish <= plan.makespan)), runs)


def _pert(estimate: Estimate, runs: int, chance: np.random.Generator) -> np.ndarray:
    width = estimate.worst - estimate.best
    if not width:
        return np.full(runs, estimate.likely)
    alpha = 1 + 4 * (estimate.likely - estimate.best) / width
    beta = 1 + 4 * (estimate.worst - estimate.likely) / width
    return estimate.best + width * chance.beta(alpha, beta, runs)


def _finishes(order: Order, lengths: np.ndarray) -> np.ndarray:
    """The last end of every run: ``Order.forward`` for all of them at once. Shape (runs,)."""
    problem, plan = order.problem, order.plan
    into: list[list[Arc]] = [[] for _ in problem.jobs]
    for arc in order.arcs:
        into[arc.after].append(arc)
    shape = lengths.shape
    starts, ends = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for place in order.sequence:
        job = problem.jobs[place]
        if job.ended is not None:
            starts[place], ends[place] = job.begun or 0, job.ended
            continue
        start, end = np.full(shape[1], job.release), np.zeros(shape[1], dtype=np.int64)
        for arc in into[place]:
            if not order.counts(arc):
                continue
            if arc.kind in ("FS", "FF"):
                moment = ends[arc.before]
            else:
                begun = problem.jobs[arc.before].begun
                moment = starts[arc.before] if begun is None else np.full(shape[1], begun)
            if arc.kind in ("FS", "SS"):
                start = np.maximum(start, moment + arc.lag)
            else:
                end = np.maximum(end, moment + arc.lag)
        working, length = problem.working(job.people(plan.chosen[place])), lengths[place]
        first = np.maximum(working.ranks(start), working.ranks(np.maximum(end - 1, 0)) - length + 1)
        worked = length > 0
        starts[place] = np.where(worked, working.slots(first), np.maximum(start, end))
        ends[place] = np.where(
            worked, working.slots(first + np.maximum(length, 1) - 1) + 1, np.maximum(start, end)
        )
    return ends.max(axis=0)
