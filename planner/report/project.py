"""A schedule for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.answer import Answer
from planner.report.domain import Domain, field_lines, shown, visible
from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduledTask

__all__ = ["PROJECT"]

_MOST_TASKS = 60  # whose reading is repeated
_LEAST_BARS, _MOST_BARS = 20, 60  # characters
_BESIDE_BARS = 62  # characters that the other columns take, about


def _fields(answer: Answer) -> dict[str, Any]:
    """The schedule; and, where they were asked for, what if, the drift and the chances."""
    found = answer.result
    if not isinstance(found, ScheduleAnswer):
        return {"schedule": None}
    more = found.model_dump(mode="json", include={"what_if", "drift", "chances"}, exclude_defaults=True)
    return {"schedule": _schedule(found), **more}


def _schedule(found: ScheduleAnswer) -> list[dict[str, Any]]:
    return [
        {
            "task": task.task,
            "start": task.start.isoformat(),
            "end": task.end.isoformat(),
            "who": [*task.who],
            "critical": task.critical,
            "slack": task.slack,
        }
        for task in found.tasks
    ]


def _understood(constraints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A line for each task, each absence and each team, and for every other field one."""
    for name, value in constraints.items():
        if name == "tasks" and len(value) > _MOST_TASKS:
            yield name, f"{len(value):,}"
        elif name == "tasks":
            yield from (("task", _task(task)) for task in value)
        elif name == "days_off":
            yield from (("off", _off(absence)) for absence in value)
        elif name == "people":
            yield from (("team", f"{team}: {places} at a time") for team, places in value.items())
        else:
            yield from field_lines({name: value})


def _task(task: Mapping[str, Any]) -> str:
    words = [f"{task['days']:g} day{'s' if task['days'] != 1 else ''}"]
    if "effort" in task:
        words.append(f"{task['effort']:g} person-days")
    if "estimate" in task:
        words.append("{best:g} at best, {likely:g} likely, {worst:g} at worst".format_map(task["estimate"]))
    for key, said in (("after", "after"), ("who", "by"), ("either", "by one of")):
        if task.get(key):
            words.append(f"{said} {', '.join(task[key])}")
    for key, said in (("earliest", "not before"), ("latest", "to end by"), ("priority", "priority")):
        if key in task:
            words.append(f"{said} {task[key]}")
    return f"{task['name']}: {', '.join(words)}"


def _off(absence: Mapping[str, Any]) -> str:
    part = f", in the {absence['part']}" if "part" in absence else ""
    return f"{absence['who']}: {absence['from']} to {absence['to']}{part}"


def _show(answer: Answer, console: Console) -> None:
    if isinstance(found := answer.result, ScheduleAnswer):
        _print_schedule(found, console)


def _print_schedule(found: ScheduleAnswer, console: Console) -> None:
    """A row for each task, in order of time, with its bar in the Gantt chart."""
    width = min(max(console.width - _BESIDE_BARS, _LEAST_BARS), _MOST_BARS)
    first, last = min(task.start for task in found.tasks), found.finish
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "start", "end", "who"):
        table.add_column(heading, no_wrap=heading in ("start", "end"))
    table.add_column("slack", justify="right")
    table.add_column(f"{first:%d %b} to {last:%d %b %Y}", no_wrap=True)
    for task in sorted(found.tasks, key=lambda task: (task.start, task.begins, task.end, task.ends)):
        table.add_row(
            Text(visible(task.task)),
            task.start.isoformat(),
            task.end.isoformat(),
            Text(visible(", ".join(task.who))),
            "critical" if task.critical else f"{task.slack:g} d",
            _bar(task, first, last, width),
        )
    console.print("\n[bold]Schedule[/bold]")
    console.print(table)
    console.print(
        f"  finished on {found.finish}, {found.days:g} working days{_least(found)}", highlight=False
    )
    if len(found.critical_path) > 1:
        path = shown(" -> ".join(found.critical_path))
        console.print(f"  critical path: {path}", highlight=False)
    _print_outlook(found, console)


def _least(found: ScheduleAnswer) -> str:
    """What is known of shorter plans; one that breaks wishes is the nearest to them instead."""
    if found.broken:
        return ""
    return "; no plan is shorter" if found.optimal else f"; at least {found.bound:g} are needed"


def _print_outlook(found: ScheduleAnswer, console: Console) -> None:
    """What was asked beyond the plan: what if, the drift from the first plan, how sure the finish is."""
    for what in found.what_if:
        name = shown(what.task)
        console.print(f"\n[bold]If {name} takes {what.days:g} working days longer[/bold]")
        later = ", ".join(f"{task} {days:+g} d" for task, days in what.moved)
        console.print(f"  then end later: {shown(later) or 'no tasks'}", highlight=False)
        console.print(
            f"  finished on {what.same_order} in the same order of work, on {what.replanned} planned anew",
            highlight=False,
        )
    if found.drift:
        console.print("\n[bold]Against the first plan[/bold]")
        moved = [drift for drift in found.drift if drift.days]
        for drift in moved:
            days = f"{drift.now} instead of {drift.planned}, {drift.days:+g} working days"
            console.print(f"  {shown(drift.task)}: {days}", highlight=False)
        if not moved:
            console.print("  every task ends as first planned")
    if (chances := found.chances) is not None:
        console.print("\n[bold]How sure the finish is[/bold]")
        days = f"50% by {chances.p50}, 80% by {chances.p80}, 95% by {chances.p95}"
        share = f"on plan {chances.on_plan:.0%} ({chances.runs:,} samples)"
        console.print(f"  {days}; {share}", highlight=False)


def _bar(task: ScheduledTask, first: date, last: date, width: int) -> Text:
    """The task's span from its begin to its end, calendar days from left to right."""
    days = (last - first).days + 1

    def place(day: date, gone: int) -> float:
        return ((day - first).days + gone / QUARTERS) / days * width

    begin, end = place(task.start, task.begins), place(task.end, task.ends)
    if begin == end:  # a milestone
        return Text(" " * min(int(begin), width - 1) + "◆", style="red" if task.critical else "")
    before = min(int(begin), width - 1)
    return Text.assemble(
        " " * before, ("█" * max(round(end) - before, 1), "red" if task.critical else "cyan")
    )


def _unsatisfied(_answer: Answer) -> str:
    return "Not every wish can be kept; this is the nearest plan."


PROJECT = Domain(
    empty={"schedule": None},
    fields=_fields,
    understood=_understood,
    show=_show,
    unsatisfied=_unsatisfied,
)
