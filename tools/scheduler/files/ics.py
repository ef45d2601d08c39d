"""A schedule as iCalendar (RFC 5545): an event for each task."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, vText

from tools.scheduler.files.clock import begin_of, end_of
from tools.scheduler.types import QUARTERS, ScheduleAnswer, ScheduledTask

__all__ = ["to_ics"]


def to_ics(answer: ScheduleAnswer, title: str, made: datetime) -> str:
    """Whole days where a task has whole days, else hours without a time zone: those of whoever looks.

    Args:
        title: Name of the calendar; may be empty.
        made: When the file was made, with its time zone.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//LPM Planner//planner project//EN")
    calendar.add("version", "2.0")
    # The library would write a name that it does not know as it is.
    calendar.add("x-wr-calname", vText(title or "Project"))
    project = title or "\n".join(task.task for task in answer.tasks)
    for task in answer.tasks:
        calendar.add_component(_event(task, project, made))
    return calendar.to_ical().decode("utf-8")


def _event(task: ScheduledTask, project: str, made: datetime) -> Event:
    event = Event()
    # The same task of the same project keeps its identity, so that a new import moves it.
    event.add("uid", hashlib.sha256(f"{project}\0{task.task}".encode()).hexdigest()[:32] + "@lpm-planner")
    event.add("dtstamp", made.astimezone(UTC))
    event.add("summary", task.task)
    if task.begins == 0 and task.ends == QUARTERS:
        event.add("dtstart", task.start)
        event.add("dtend", task.end + timedelta(days=1))
    else:
        event.add("dtstart", begin_of(task))
        # A milestone has no length; an end must be later than the begin (RFC 5545, 3.8.2.2).
        if end_of(task) > begin_of(task):
            event.add("dtend", end_of(task))
    slack = "critical" if task.critical else f"slack {task.slack:g} working days"
    event.add("description", "\n".join([*(["by " + ", ".join(task.who)] if task.who else []), slack]))
    event.add("categories", [*task.who, *(["critical"] if task.critical else [])] or ["task"])
    return event
