"""What a schedule's order of work means: critical path, slack, and what a delay does.

The order of work is the precedences, and one more arc from each task to every later one of the same person
or team: nobody's sequence of tasks is changed. Slack of a task is the number of working days by which it can
begin later, the order of work kept and everything after it moved only as far as needed, without a later end
of the plan or of any task that has a latest end. A task without slack is critical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np

from tools.scheduler.problem import Arc, Plan, Problem, grouped

__all__ = ["Order", "order_of_work"]


@dataclass(frozen=True)
class Order:
    """The order of work of a plan.

    Attributes:
        arcs: Precedences, and from each task to the later ones of the same people.
        sequence: The jobs, each after those that it waits for.
    """

    problem: Problem
    plan: Plan
    arcs: tuple[Arc, ...]
    sequence: tuple[int, ...]

    @cached_property
    def into(self) -> tuple[tuple[Arc, ...], ...]:
        """The arcs that end at each job."""
        return grouped(len(self.problem.jobs), ((arc.after, arc) for arc in self.arcs))

    def counts(self, arc: Arc) -> bool:
        """Whether an arc still has something to say about its later job."""
        after = self.problem.jobs[arc.after]
        happened = arc.planned and arc.kind in ("FS", "SS") and after.begun is not None
        return after.ended is None and not happened

    def waits(self, arc: Arc) -> bool:
        """Whether what is left of an arc's earlier job may delay the later one: a past begin cannot."""
        begin_is_past = arc.kind in ("SS", "SF") and self.problem.jobs[arc.before].begun is not None
        return self.counts(arc) and not begin_is_past

    def slack(self) -> tuple[int, ...]:
        """Slots by which each job can begin later; see the module's description."""
        problem, plan = self.problem, self.plan
        out_of = grouped(len(problem.jobs), ((arc.before, arc) for arc in self.arcs))
        latest = list(plan.starts)
        latest_end = list(plan.ends)
        for place in reversed(self.sequence):
            job = problem.jobs[place]
            if job.ended is not None:
                continue
            end = plan.makespan
            if job.due is not None:
                # A plan that breaks an end already cannot be asked to keep it.
                end = min(end, max(job.due, plan.ends[place]))
            start = end
            for arc in out_of[place]:
                if not self.waits(arc):
                    continue
                target = latest[arc.after] if arc.kind in ("FS", "SS") else latest_end[arc.after]
                if arc.kind in ("FS", "FF"):
                    end = min(end, target - arc.lag)
                else:
                    start = min(start, target - arc.lag)
            if not job.length:
                latest[place] = latest_end[place] = max(min(start, end), plan.starts[place])
                continue
            working = problem.working(job.people(plan.chosen[place]))
            start = min(working.latest_start(end, job.length), working.latest_start(start + 1, 1))
            latest[place] = max(start, plan.starts[place])
            latest_end[place] = working.finish(latest[place], job.length)
        return tuple(late - start for late, start in zip(latest, plan.starts, strict=True))

    def critical_path(self, slack: Sequence[int]) -> tuple[int, ...]:
        """The longest chain of jobs without slack that wait for each other, by slots of work."""
        graph = nx.DiGraph()
        for place, job in enumerate(self.problem.jobs):
            if not slack[place] and job.ended is None:
                graph.add_node(place)
        for arc in self.arcs:
            if arc.before in graph and arc.after in graph and self.waits(arc):
                graph.add_edge(arc.before, arc.after, weight=self.problem.jobs[arc.before].length)
        # The last job's own work is on no edge: one more node ends every chain.
        graph.add_weighted_edges_from(
            (place, -1, self.problem.jobs[place].length) for place in list(graph.nodes)
        )
        return tuple(place for place in nx.dag_longest_path(graph) if place >= 0)

    def forward(
        self, lengths: np.ndarray, no_sooner: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The plan with other lengths in the same order of work, nothing sooner than it has to wait.

        Args:
            lengths: Slots of work, (jobs, runs): every run is a plan of its own.
            no_sooner: Starts that no job may be before; the jobs' releases if not given.

        Returns:
            Starts and ends in slots, each (jobs, runs).
        """
        problem, shape = self.problem, lengths.shape
        runs = shape[1]
        starts, ends = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for place in self.sequence:
            job, length = problem.jobs[place], lengths[place]
            if job.ended is not None:
                starts[place], ends[place] = job.begun or 0, job.ended
                continue
            start = np.full(runs, job.release if no_sooner is None else no_sooner[place])
            end = np.zeros(runs, dtype=np.int64)
            for arc in self.into[place]:
                if not self.counts(arc):
                    continue
                begun = problem.jobs[arc.before].begun
                if arc.kind in ("FS", "FF"):
                    moment = ends[arc.before]
                else:
                    moment = starts[arc.before] if begun is None else np.full(runs, begun)
                if arc.kind in ("FS", "SS"):
                    start = np.maximum(start, moment + arc.lag)
                else:
                    end = np.maximum(end, moment + arc.lag)
            working = problem.working(job.people(self.plan.chosen[place]))
            # In the people's own slots work has no gaps.
            first = np.maximum(working.ranks(start), working.ranks(np.maximum(end - 1, 0)) - length + 1)
            last = working.slots(first + np.maximum(length, 1) - 1)
            milestone = np.maximum(start, end)
            starts[place] = np.where(length > 0, working.slots(first), milestone)
            ends[place] = np.where(length > 0, last + 1, milestone)
        return starts, ends


def order_of_work(problem: Problem, plan: Plan) -> Order:
    """The order of work of a plan that keeps precedence and capacity."""
    arcs = list(problem.arcs)
    for name in problem.capacity:
        users = [
            place
            for place, job in enumerate(problem.jobs)
            if job.length and job.ended is None and name in job.people(plan.chosen[place])
        ]
        users.sort(key=lambda place: plan.starts[place])
        arcs += _waits(users, plan)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(problem.jobs)))
    graph.add_edges_from((arc.before, arc.after) for arc in arcs)
    return Order(problem, plan, *_without_cycles(graph, arcs))


def _without_cycles(graph: nx.DiGraph, arcs: list[Arc]) -> tuple[tuple[Arc, ...], tuple[int, ...]]:
    """The arcs without those of people that close a cycle with precedences, and a sequence of the jobs.

    A link with a negative lag, or one that ties an end only, allows the later job to begin first; then the
    order of somebody's work can run against it. The precedence counts.
    """
    planned = {(arc.before, arc.after) for arc in arcs if arc.planned}
    while True:
        try:
            sequence = tuple(nx.topological_sort(graph))
        except nx.NetworkXUnfeasible:
            edges = nx.find_cycle(graph)
            graph.remove_edge(*next(edge for edge in edges if edge not in planned))
        else:
            return tuple(arc for arc in arcs if graph.has_edge(arc.before, arc.after)), sequence


def _waits(users: Sequence[int], plan: Plan) -> list[Arc]:
    """An arc from each job to the later ones of the same people, without those that others imply."""
    arcs = []
    for number, before in enumerate(users):
        soonest_end: int | None = None
        for after in users[number + 1 :]:
            if plan.starts[after] < plan.ends[before]:
                continue
            # A job that starts after another of these has ended waits for this one through that.
            if soonest_end is not None and plan.starts[after] >= soonest_end:
                break
            arcs.append(Arc(before, after, "FS", 0, planned=False))
            end = plan.ends[after]
            soonest_end = end if soonest_end is None else min(soonest_end, end)
    return arcs
