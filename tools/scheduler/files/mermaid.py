"""A schedule as a Gantt chart in Mermaid's text, for Markdown."""

from __future__ import annotations

from datetime import date

from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduledTask

__all__ = ["to_mermaid"]

_KEYWORDS = (
    "acc", "axisformat", "call", "click", "dateformat", "excludes", "gantt", "href", "includes",
    "inclusiveenddates", "section", "tickinterval", "title", "todaymarker", "topaxis", "weekday", "weekend",
)  # fmt: skip


def to_mermaid(answer: ScheduleAnswer, title: str) -> str:
    """A section for each group of people, a bar for each task; a quarter of a day is six hours wide."""
    lines = ["gantt", f"    title {_text(title)}", "    dateFormat YYYY-MM-DD HH:mm", "    axisFormat %d %b"]
    groups: dict[tuple[str, ...], list[tuple[int, ScheduledTask]]] = {}
    for number, task in enumerate(answer.tasks, 1):
        groups.setdefault(task.who, []).append((number, task))
    for who, tasks in groups.items():
        lines.append(f"    section {_text(', '.join(who) or 'nobody')}")
        lines += [_line(number, task) for number, task in tasks]
    return "\n".join(lines) + "\n"


def _line(number: int, task: ScheduledTask) -> str:
    milestone = (task.start, task.begins) == (task.end, task.ends)
    marks = [*(["crit"] if task.critical else []), *(["milestone"] if milestone else [])]
    fields = [*marks, f"t{number}", _moment(task.start, task.begins), _moment(task.end, task.ends)]
    name = _text(task.task)
    # A line that begins with a word or a day of Mermaid's own would be no task.
    mark = "- " if name.lower().startswith(_KEYWORDS) or name[:4].isdecimal() else ""
    return f"        {mark}{name} :{', '.join(fields)}"


def _moment(day: date, gone: int) -> str:
    # 24:00 would be no time of day: the last quarter of a day ends a minute before it.
    return f"{day} 23:59" if gone == QUARTERS else f"{day} {24 // QUARTERS * gone:02}:00"


def _text(text: str) -> str:
    """Text without what Mermaid would take for its own."""
    return " ".join("".join(" " if c in ":;#,%{}" or not c.isprintable() else c for c in text).split()) or "-"
