"""List scheduling: one task after the other, each as early as precedence and people allow.

The serial schedule-generation scheme with priority rules and biased random sampling, as in R. Kolisch and
S. Hartmann, "Heuristic algorithms for the resource-constrained project scheduling problem" (1999). Its plans
keep every precedence, calendar and capacity; ends that tasks may not exceed are only aimed at.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right, insort
from collections.abc import Sequence

from tools.scheduler.problem import Job, Plan, Problem

__all__ = ["list_schedule", "serial_schedule"]

_STEPS = 40_000  # tasks placed by all passes together: seconds for a thousand tasks, less for few
_MOST_PASSES = 200
_BIAS = 0.15  # share of the range of priorities by which a random pass may disturb one


class _Load:
    """How many places of a person or team are taken in which slots: a step function."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._times = [0]  # where a step begins
        self._taken = [0]  # places taken on that step

    def full_until(self, start: int, end: int, units: int) -> int | None:
        """End of the first step within a span that has no room for ``units``; None if all have."""
        place = bisect_right(self._times, start) - 1
        while place < len(self._times) and self._times[place] < end:
            if self._taken[place] + units > self._capacity:
                # The last step has nothing taken, so that a full one always has a next.
                return self._times[place + 1]
            place += 1
        return None

    def take(self, start: int, end: int, units: int) -> None:
        """Take places for a span."""
        first, last = self._step(start), self._step(end)
        for place in range(first, last):
            self._taken[place] += units

    def _step(self, time: int) -> int:
        """The step that begins at a time, made if there is none."""
        place = bisect_right(self._times, time) - 1
        if self._times[place] != time:
            insort(self._times, time)
            place += 1
            self._taken.insert(place, self._taken[place - 1])
        return place


def serial_schedule(problem: Problem, priority: Sequence[float]) -> Plan:
    """Place the jobs in the order of their priority (least first) as far as precedence leaves a choice."""
    count = len(problem.jobs)
    starts, ends, work = [0] * count, [0] * count, dict.fromkeys(problem.capacity, 0)
    chosen: list[str | None] = [None] * count
    loads = {name: _Load(places) for name, places in problem.capacity.items()}
    waiting = [len(arcs) for arcs in problem.into]
    ready = [(priority[place], place) for place in range(count) if not waiting[place]]
    heapq.heapify(ready)
    while ready:
        _, place = heapq.heappop(ready)
        job = problem.jobs[place]
        if job.ended is not None:
            starts[place], ends[place] = job.begun or 0, job.ended
            chosen[place] = job.either[0] if job.either else None
        else:
            no_sooner = _bounds(problem, place, starts, ends)
            found = []
            for number, name in enumerate(job.either or (None,)):
                start, end = _fit(problem, job, name, no_sooner, loads)
                found.append((end, work.get(name or "", 0), number, start, name))
            ends[place], _, _, starts[place], chosen[place] = min(found)
        for name, units in job.needs(chosen[place]) if job.length else ():
            if name in loads:
                loads[name].take(starts[place], ends[place], units)
                work[name] += job.length
        for arc in problem.out_of[place]:
            waiting[arc.after] -= 1
            if not waiting[arc.after]:
                heapq.heappush(ready, (priority[arc.after], arc.after))
    return Plan(tuple(starts), tuple(ends), tuple(chosen))


def _bounds(problem: Problem, place: int, starts: Sequence[int], ends: Sequence[int]) -> tuple[int, int]:
    """The earliest start and the earliest end that release and precedence leave to a job."""
    job = problem.jobs[place]
    start, end = job.release, 0
    for arc in problem.into[place]:
        before = problem.jobs[arc.before]
        if arc.kind in ("FS", "FF"):
            moment = ends[arc.before]
        else:
            moment = starts[arc.before] if before.begun is None else before.begun
        if arc.kind in ("FF", "SF"):
            end = max(end, moment + arc.lag)
        elif job.begun is None:
            start = max(start, moment + arc.lag)
    return start, end


def _fit(
    problem: Problem, job: Job, chosen: str | None, no_sooner: tuple[int, int], loads: dict[str, _Load]
) -> tuple[int, int]:
    """The earliest start and end of a job, with the people that do it."""
    start, end = no_sooner
    if not job.length:
        return max(start, end), max(start, end)
    working = problem.working(job.people(chosen))
    start = working.next_start(max(start, working.earliest_start(end, job.length)))
    while True:
        end = working.finish(start, job.length)
        clashes = (
            loads[name].full_until(start, end, units) for name, units in job.needs(chosen) if name in loads
        )
        blocked = max((until for until in clashes if until is not None), default=None)
        if blocked is None:
            return start, end
        start = working.next_start(blocked)


def _latest(problem: Problem) -> tuple[list[int], list[int]]:
    """Latest starts and ends by precedence alone, as if everybody always worked."""
    end = problem.horizon
    lengths = [0 if job.ended is not None else job.length for job in problem.jobs]
    starts, ends = [0] * len(lengths), [0] * len(lengths)
    for place in reversed(problem.order):
        due = problem.jobs[place].due
        last_end = min(
            end, end if due is None else due, end if problem.deadline is None else problem.deadline
        )
        last_start = last_end - lengths[place]
        for arc in problem.out_of[place]:
            after = starts[arc.after] if arc.kind in ("FS", "SS") else ends[arc.after]
            if arc.kind in ("FS", "FF"):
                last_start = min(last_start, after - arc.lag - lengths[place])
            else:
                last_start = min(last_start, after - arc.lag)
        starts[place], ends[place] = last_start, last_start + lengths[place]
    return starts, ends


def list_schedule(problem: Problem, seed: int = 0) -> Plan:
    """The best plan of several priority rules and of random passes around them, the same for a seed.

    Best is least late, then soonest finished. The rules are latest finish, latest start and most jobs that
    depend on a job, directly or not.
    """
    starts, ends = _latest(problem)
    rules: list[list[float]] = [[float(v) for v in ends], [float(v) for v in starts], _followers(problem)]
    passes = max(len(rules), min(_MOST_PASSES, _STEPS // len(problem.jobs)))
    chance = random.Random(seed)
    best: tuple[tuple[int, int], Plan] | None = None
    for number in range(passes):
        rule = rules[number % len(rules)]
        if number >= len(rules):
            reach = _BIAS * (max(rule) - min(rule) + 1)
            rule = [value + chance.uniform(-reach, reach) for value in rule]
        plan = serial_schedule(problem, rule)
        score = problem.lateness(plan), plan.makespan
        if best is None or score < best[0]:
            best = score, plan
    assert best is not None
    return best[1]


def _followers(problem: Problem) -> list[float]:
    """Minus the number of jobs that depend on each; sets of bits, so that it is quick for thousands."""
    after = [0] * len(problem.jobs)
    for place in reversed(problem.order):
        for arc in problem.out_of[place]:
            after[place] |= after[arc.after] | 1 << arc.after
    return [-float(bits.bit_count()) for bits in after]
