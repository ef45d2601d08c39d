"""Project scheduling against PSPLIB's optima: ``python -m benchmarks.psplib FOLDER OPTIMA``.

FOLDER holds ``.sm`` files (single mode, renewable resources), OPTIMA is a CSV with columns ``problem`` and
``optimum``. In one run, with the same seconds and workers: this project's solver, plain PyJobShop, and the
list schedule that the solver starts from.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pyjobshop import Model
from pyjobshop.solve import solve as solve_plainly
from rich.console import Console
from rich.table import Table

from tools.scheduler.problem import Arc, Job, Problem
from tools.scheduler.serial import list_schedule
from tools.scheduler.solver import solve

SOLVERS = ("project tool", "PyJobShop", "list schedule")


def read_sm(text: str) -> Problem:
    """A problem from a ``.sm`` file.

    Raises:
        ValueError: If a section is missing or a line is not as the format has it.
    """
    lines = text.splitlines()

    def section(title: str, skip: int) -> list[list[int]]:
        for number, line in enumerate(lines):
            if line.startswith(title):
                rows = []
                for row in lines[number + 1 + skip :]:
                    if row.startswith("*") or not row.strip():
                        break
                    rows.append([int(word) for word in row.split()])
                return rows
        raise ValueError(f"no section {title!r}")

    after = section("PRECEDENCE RELATIONS", 1)
    needs = section("REQUESTS/DURATIONS", 2)
    (places,) = section("RESOURCEAVAILABILITIES", 1)
    if [row[0] for row in after] != list(range(1, len(after) + 1)) or len(needs) != len(after):
        raise ValueError("jobs are not numbered from 1, or not all of them have a duration")
    if any(row[1] != 1 for row in (*after, *needs)) or any(len(row) != 3 + len(places) for row in needs):
        raise ValueError("only jobs with one mode and a request for every resource are read")
    if any(len(row) != 3 + row[2] for row in after):
        raise ValueError("a job has not as many successors as it says")
    return Problem(
        jobs=tuple(
            Job(
                name=str(row[0]),
                length=row[2],
                demands=tuple((f"R{n}", units) for n, units in enumerate(row[3:], start=1) if units),
            )
            for row in needs
        ),
        arcs=tuple(Arc(row[0] - 1, later - 1, "FS", 0) for row in after for later in row[3:]),
        capacity={f"R{number}": room for number, room in enumerate(places, start=1)},
        off={},
    )


def plainly(problem: Problem, seconds: float, workers: int) -> tuple[int, bool]:
    """Makespan by PyJobShop and whether it proved that it is least."""
    model = Model()
    rooms = {name: model.add_renewable(capacity) for name, capacity in problem.capacity.items()}
    jobs = []
    for job in problem.jobs:
        jobs.append(model.add_task())
        model.add_mode(jobs[-1], [rooms[n] for n, _ in job.demands], job.length, [u for _, u in job.demands])
    for arc in problem.arcs:
        model.add_end_before_start(jobs[arc.before], jobs[arc.after])
    result = solve_plainly(model.data(), time_limit=seconds, num_workers=workers, display=False)
    return int(result.objective), result.status.value == "Optimal"


@dataclass(frozen=True)
class Run:
    """One solver's makespan for one problem, whether it proved it, its seconds, and the optimum."""

    makespan: int
    proved: bool
    seconds: float
    optimum: int


def measure(problem: Problem, optimum: int, seconds: float, workers: int) -> dict[str, Run]:
    """All solvers on one problem."""
    runs = {}
    for name in SOLVERS:
        began = time.perf_counter()
        if name == "project tool":
            found = solve(problem, seconds, workers)
            makespan, proved = found.plan.makespan, found.optimal
        elif name == "PyJobShop":
            makespan, proved = plainly(problem, seconds, workers)
        else:
            makespan, proved = list_schedule(problem).makespan, False
        runs[name] = Run(makespan, proved, time.perf_counter() - began, optimum)
    return runs


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.psplib", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("optima", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first", type=int, help="only so many problems")
    wanted = parser.parse_args()
    with wanted.optima.open(newline="") as file:
        optima = {row["problem"]: int(row["optimum"]) for row in csv.DictReader(file)}
    paths = [path for path in sorted(wanted.folder.glob("*.sm")) if path.name in optima][: wanted.first]
    if not paths:
        print(f"error: no .sm file in {wanted.folder} has an optimum in {wanted.optima}", file=sys.stderr)
        return 1
    every = [
        measure(read_sm(path.read_text()), optima[path.name], wanted.seconds, wanted.workers)
        for path in paths
    ]
    title = f"{len(paths)} problems, {wanted.seconds:g} s and {wanted.workers} workers each"
    table = Table("solver", "at the optimum", "proved", "mean gap", "median s", "longest s", title=title)
    for name in SOLVERS:
        runs = [runs[name] for runs in every]
        gap = statistics.mean(run.makespan / run.optimum - 1 for run in runs)
        table.add_row(
            name,
            f"{sum(run.makespan == run.optimum for run in runs)}",
            f"{sum(run.proved for run in runs)}",
            f"{gap:.2%}",
            f"{statistics.median(run.seconds for run in runs):.2f}",
            f"{max(run.seconds for run in runs):.2f}",
        )
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
