"""The constraint model of a problem in OR-tools CP-SAT."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Literal

from ortools.sat.python import cp_model

from tools.scheduler.problem import Arc, Job, Plan, Problem

__all__ = ["ScheduleModel", "Wish"]

WishKind = Literal["deadline", "latest", "earliest", "link", "absence", "capacity"]
Wish = tuple[WishKind, int | str]
"""Something that could be given up: its kind, and the number of the job, arc or absence, or the person."""


class ScheduleModel:
    """Variables and constraints for every job, person and precedence.

    Attributes:
        model: The CP-SAT model, without an objective.
        starts, ends: Variables of the work left of each job.
        chosen: For each job with a choice: person -> literal.
        makespan: Variable, at least every end.
        wishes: The literal under which each wish holds; empty unless they were asked for.
    """

    def __init__(
        self, problem: Problem, horizon: int, keep_dues: bool = True, with_wishes: bool = False
    ) -> None:
        self._problem, self._horizon, self._with_wishes = problem, horizon, with_wishes
        self.wishes: dict[Wish, cp_model.IntVar] = {}
        self.model = cp_model.CpModel()
        self.starts: list[cp_model.IntVar] = []
        self.ends: list[cp_model.IntVar] = []
        self.chosen: list[dict[str, cp_model.IntVar]] = []
        self._intervals: dict[str, list[tuple[cp_model.IntervalVar, int]]] = defaultdict(list)
        for place, job in enumerate(problem.jobs):
            self._job(place, job)
        for number, arc in enumerate(problem.arcs):
            self._arc(number, arc)
        for name, capacity in problem.capacity.items():
            self._capacity(name, capacity)
        self.makespan = self.model.new_int_var(0, horizon, "makespan")
        self.model.add_max_equality(self.makespan, self.ends)
        if keep_dues:
            self._dues()

    def _guard(self, wish: Wish) -> cp_model.IntVar | None:
        """The literal under which a wish holds; None where all hold anyway."""
        if not self._with_wishes:
            return None
        if wish not in self.wishes:
            self.wishes[wish] = self.model.new_bool_var(f"{wish[0]} {wish[1]}")
        return self.wishes[wish]

    def _hold(self, constraint: cp_model.Constraint, wish: Wish) -> None:
        """Let a constraint hold under its wish's literal."""
        if (literal := self._guard(wish)) is not None:
            constraint.only_enforce_if(literal)

    def _job(self, place: int, job: Job) -> None:
        model, horizon = self.model, self._horizon
        if job.ended is not None:
            self.starts.append(model.new_constant(job.begun or 0))
            self.ends.append(model.new_constant(job.ended))
            self.chosen.append({})
            return
        guarded = self._guard(("earliest", place)) if job.release > job.resume else None
        soonest = job.release if guarded is None else job.resume
        start = model.new_int_var(soonest, horizon, f"start {place}")
        end = model.new_int_var(0, horizon, f"end {place}")
        if guarded is not None:
            model.add(start >= job.release).only_enforce_if(guarded)
        chosen = {name: model.new_bool_var(f"{place} by {name}") for name in job.either}
        if chosen:
            model.add_exactly_one(chosen.values())
        self.starts.append(start)
        self.ends.append(end)
        self.chosen.append(chosen)
        if not job.length:
            model.add(end == start)
            return
        size = self._size(place, soonest, start, end, chosen)
        whole = model.new_interval_var(start, size, end, f"job {place}")
        for name, units in job.demands:
            self._intervals[name].append((whole, units))
        for name, literal in chosen.items():
            optional = model.new_optional_interval_var(start, size, end, literal, f"job {place} by {name}")
            self._intervals[name].append((optional, 1))

    def _size(
        self,
        place: int,
        soonest: int,
        start: cp_model.IntVar,
        end: cp_model.IntVar,
        chosen: dict[str, cp_model.IntVar],
    ) -> cp_model.LinearExprT:
        """Slots from start to end: the work, and what its people are away for in between.

        The times off are cut where any of them begins or ends. A job lies before such a piece, or after
        it, or runs over it and is the longer by it; it never begins or ends inside.
        """
        job = self._problem.jobs[place]
        away = [
            (first, last, name, number)
            for name in (*job.people(None), *job.either)
            for number, spans in self._problem.off.get(name, {}).items()
            for first, last in spans
            if first < self._horizon and last > soonest
        ]
        cuts = sorted({cut for first, last, _, _ in away for cut in (first, last)})
        over_pieces: list[cp_model.LinearExprT] = []
        for first, last in pairwise(cuts):
            causes = [
                self._cause(name, number, chosen) for a, b, name, number in away if a <= first and last <= b
            ]
            if causes:
                over = self.model.new_bool_var(f"{place} over {first}")
                self._piece(start, end, first, last, over, causes)
                over_pieces.append((last - first) * over)
        if not over_pieces:
            return job.length
        size = self.model.new_int_var(job.length, self._horizon, f"size {place}")
        self.model.add(size == job.length + sum(over_pieces))
        return size

    def _cause(
        self, name: str, number: int, chosen: dict[str, cp_model.IntVar]
    ) -> tuple[cp_model.IntVar, ...]:
        """The literals that must all hold for an absence to count; none if it always does."""
        literals = (chosen.get(name), self._guard(("absence", number)))
        return tuple(literal for literal in literals if literal is not None)

    def _piece(
        self,
        start: cp_model.IntVar,
        end: cp_model.IntVar,
        first: int,
        last: int,
        over: cp_model.IntVar,
        causes: list[tuple[cp_model.IntVar, ...]],
    ) -> None:
        model = self.model
        before, after = model.new_bool_var(""), model.new_bool_var("")
        model.add(end <= first).only_enforce_if(before)
        model.add(start >= last).only_enforce_if(after)
        model.add(start < first).only_enforce_if(over)
        model.add(end > last).only_enforce_if(over)
        if () in causes:
            model.add_exactly_one(before, after, over)
            return
        active = model.new_bool_var("")
        together = []
        for cause in causes:
            literal = cause[0]
            if len(cause) > 1:
                literal = model.new_bool_var("")
                model.add_bool_and(cause).only_enforce_if(literal)
                model.add_bool_or([*(each.negated() for each in cause), literal])
            together.append(literal)
        model.add_max_equality(active, together)
        model.add_exactly_one(before, after, over).only_enforce_if(active)
        model.add_implication(over, active)

    def _arc(self, number: int, arc: Arc) -> None:
        before, after = self._problem.jobs[arc.before], self._problem.jobs[arc.after]
        to_start = arc.kind in ("FS", "SS")
        if after.ended is not None or (to_start and after.begun is not None):
            return  # it has happened, whatever was planned
        moment: cp_model.LinearExprT = self.ends[arc.before]
        if arc.kind in ("SS", "SF"):
            moment = self.starts[arc.before] if before.begun is None else before.begun
        target = self.starts[arc.after] if to_start else self.ends[arc.after]
        self._hold(self.model.add(target >= moment + arc.lag), ("link", number))

    def _capacity(self, name: str, capacity: int) -> None:
        uses = self._intervals[name]
        total = sum(units for _, units in uses)
        if total <= capacity:
            return
        intervals = [interval for interval, _ in uses]
        literal = self._guard(("capacity", name))
        if literal is None and capacity == 1:
            self.model.add_no_overlap(intervals)
        else:
            room = capacity if literal is None else total - (total - capacity) * literal
            self.model.add_cumulative(intervals, [units for _, units in uses], room)

    def _dues(self) -> None:
        for place, job in enumerate(self._problem.jobs):
            if job.due is not None and job.ended is None:
                self._hold(self.model.add(self.ends[place] <= job.due), ("latest", place))
        if self._problem.deadline is not None:
            self._hold(self.model.add(self.makespan <= self._problem.deadline), ("deadline", 0))
        for kind, place in self._problem.too_late:
            wishes: tuple[Wish, Wish] = (("earliest", place), (kind, place if kind == "latest" else 0))
            literals = [literal for wish in wishes if (literal := self._guard(wish)) is not None]
            self.model.add_bool_or([literal.negated() for literal in literals])

    def lateness(self) -> cp_model.LinearExprT:
        """Slots by which ends exceed what they may not, all together: for a model without ``keep_dues``."""
        late: list[cp_model.IntVar] = []
        limits = [
            (end, job.due)
            for end, job in zip(self.ends, self._problem.jobs, strict=True)
            if job.due is not None and job.ended is None
        ]
        if self._problem.deadline is not None:
            limits.append((self.makespan, self._problem.deadline))
        for end, limit in limits:
            late.append(self.model.new_int_var(0, max(self._horizon - limit, 0), "late"))
            self.model.add(late[-1] >= end - limit)
        return sum(late)

    def peaks(self) -> cp_model.LinearExprT:
        """The largest numbers of tasks that people have at the same time, added up."""
        total: list[cp_model.IntVar] = []
        for name, uses in self._intervals.items():
            if len(uses) > 1:
                peak = self.model.new_int_var(1, sum(units for _, units in uses), f"peak {name}")
                self.model.add_cumulative(
                    [interval for interval, _ in uses], [units for _, units in uses], peak
                )
                total.append(peak)
        return sum(total)

    def busiest(self) -> cp_model.LinearExprT:
        """The most slots of work that anybody has who could be chosen for a task."""
        jobs = self._problem.jobs
        candidates = {name for job in jobs for name in job.either}
        most = self.model.new_int_var(0, sum(job.length for job in jobs), "busiest")
        for name in sorted(candidates):
            fixed = sum(job.length for job in jobs if name in job.people(None))
            some = (
                job.length * literals[name]
                for job, literals in zip(jobs, self.chosen, strict=True)
                if name in literals
            )
            self.model.add(most >= fixed + sum(some))
        return most

    def hint(self, plan: Plan) -> None:
        """Start the search from a plan."""
        self.model.clear_hints()
        for place, job in enumerate(self._problem.jobs):
            if job.ended is None:
                self.model.add_hint(self.starts[place], plan.starts[place])
                self.model.add_hint(self.ends[place], plan.ends[place])
                for name, literal in self.chosen[place].items():
                    self.model.add_hint(literal, plan.chosen[place] == name)
        self.model.add_hint(self.makespan, plan.makespan)

    def plan(self, solver: cp_model.CpSolver) -> Plan:
        """The plan that the solver has found."""
        return Plan(
            tuple(solver.value(start) for start in self.starts),
            tuple(solver.value(end) for end in self.ends),
            tuple(
                next((name for name, literal in literals.items() if solver.boolean_value(literal)), None)
                or (job.either[0] if job.either else None)
                for job, literals in zip(self._problem.jobs, self.chosen, strict=True)
            ),
        )
