"""``python -m benchmarks.projects FILE.jsonl PREDICTIONS.jsonl``: do schedules keep what was meant?

FILE holds conversations with their meaning, PREDICTIONS what ``planner eval --domain project --out`` read of
them. Each project is scheduled as it was read after the last turn, and the schedule is held against the true
meaning: every task with its length and people, every precedence, absence and date. The same is done with the
true meaning itself, which shows how many can be kept at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from planner.evaluate import EvaluationError, read_gold
from planner.scoring import plain_name
from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.prepare import Given, prepare
from tools.scheduler.revise import answered
from tools.scheduler.types import ScheduleAnswer, ScheduleRequest
from tools.scheduler.verify import verify
from tools.tool import Questions, silent

TODAY = date(2026, 1, 5)  # a plan whose start nobody named begins here, whatever day it is measured on
SECONDS = 10.0  # for each schedule


def requested(means: Mapping[str, Any]) -> ScheduleRequest | None:
    """The request that a meaning in the schema's fields makes; None where something has to be asked."""
    try:
        call = ProjectArguments.model_validate(means)
    except ValidationError:
        return None
    found = prepare(call, Given(), TODAY, silent)
    return None if isinstance(found, Questions) else found


def kept(request: ScheduleRequest, answer: ScheduleAnswer) -> bool:
    """Whether a schedule, of tasks named alike, satisfies every constraint of a request."""
    names = {plain_name(task.name): task.name for task in request.tasks}
    order = {task.name: number for number, task in enumerate(request.tasks)}
    called = [
        task.model_copy(update={"task": names.get(plain_name(task.task), task.task)}) for task in answer.tasks
    ]
    tasks = tuple(sorted(called, key=lambda task: order.get(task.task, len(order))))
    return all(check.satisfied for check in verify(request, answer.model_copy(update={"tasks": tasks})))


def measure(gold: Mapping[str, Mapping[str, Any]], read: Mapping[str, Mapping[str, Any]]) -> Table:
    """How many of the projects are scheduled, and how many schedules keep what was meant."""
    table = Table("meaning", "projects", "scheduled", "every true constraint kept")
    wanted = {name: requested(means) for name, means in gold.items()}
    for title, meanings in (("as read", read), ("true", gold)):
        scheduled = satisfied = 0
        for name, request in wanted.items():
            own = requested(meanings.get(name, {}))
            if own is None:
                continue
            answer = answered(own, silent, SECONDS)
            scheduled += 1
            satisfied += request is not None and kept(request, answer)
        table.add_row(title, str(len(gold)), str(scheduled), f"{satisfied} ({satisfied / len(gold):.0%})")
    return table


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projects", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("predictions", type=Path)
    options = parser.parse_args()
    try:
        gold = {c.id: c.turns[-1].means for c in read_gold(options.file) if c.domain == "project"}
        lines = options.predictions.read_text(encoding="utf-8").splitlines()
        read = {p["id"]: p["turns"][-1]["means"] for p in map(json.loads, filter(None, lines))}
    except (EvaluationError, OSError, ValueError, LookupError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not gold:
        print(f"error: {options.file} holds no project", file=sys.stderr)
        return 2
    Console(width=110).print(measure(gold, read))
    return 0


if __name__ == "__main__":
    sys.exit(main())
