"""Quarters of a working day as hours, for programs that plan in them: 8 to 12 and 13 to 17 o'clock."""

from __future__ import annotations

from datetime import date, datetime, time

from tools.scheduler.types import QUARTERS, ScheduledTask

__all__ = ["HOURS", "begin_at", "begin_of", "end_at", "end_of"]

HOURS = ((time(8), time(10)), (time(10), time(12)), (time(13), time(15)), (time(15), time(17)))
"""Begin and end of each quarter."""


def _begin(day: date, gone: int) -> datetime:
    return datetime.combine(day, HOURS[gone][0] if gone < QUARTERS else HOURS[-1][1])


def _end(day: date, gone: int) -> datetime:
    return datetime.combine(day, HOURS[gone - 1][1] if gone else HOURS[0][0])


def begin_of(task: ScheduledTask) -> datetime:
    """When a task begins; a milestone begins when it ends."""
    if (task.start, task.begins) == (task.end, task.ends):
        return end_of(task)
    return _begin(task.start, task.begins)


def end_of(task: ScheduledTask) -> datetime:
    """When a task ends."""
    return _end(task.end, task.ends)


def begin_at(moment: datetime) -> tuple[date, int]:
    """The day of a begin, and how many of its quarters were over."""
    return moment.date(), sum(last <= moment.time() for _, last in HOURS)


def end_at(moment: datetime) -> tuple[date, int]:
    """The day of an end, and how many of its quarters had begun before."""
    return moment.date(), sum(first < moment.time() for first, _ in HOURS)
