"""MS Project's XML: a plan written so that ``files.xml``, and MS Project, read it.

What MS Project has no place for is written as what came of it: the person chosen of several, the length
that effort and people make. A buffer and three-point estimates are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import holidays

from tools.scheduler.files.clock import HOURS, begin_of, end_of
from tools.scheduler.files.xml import HOLIDAY, LINK_KINDS, NAMESPACE
from tools.scheduler.types import (
    QUARTERS,
    Absence,
    Happened,
    Link,
    ScheduleAnswer,
    ScheduledTask,
    ScheduleRequest,
    Task,
)

__all__ = ["to_xml"]

_MINUTES = 480  # in a working day
_TENTHS = 10  # lags and slack are in tenths of minutes


def to_xml(request: ScheduleRequest, answer: ScheduleAnswer, title: str) -> str:
    """The plan, with the program's own calendar: 8 to 12 and 13 to 17 o'clock."""
    root = Element("Project", xmlns=NAMESPACE)
    first = min(request.start, *(task.start for task in answer.tasks))
    _put(root, Name=title, Title=title, ScheduleFromStart=1)
    _put(root, StartDate=_at(request.start), FinishDate=max(map(end_of, answer.tasks)).isoformat())
    _put(root, CalendarUID=1, DefaultStartTime="08:00:00", DefaultFinishTime="17:00:00")
    _put(root, MinutesPerDay=_MINUTES, MinutesPerWeek=_MINUTES * len(request.weekdays), DaysPerMonth=20)
    if request.happened:
        _put(root, StatusDate=f"{max(event.asof for event in request.happened)}T17:00:00")
    people = {person.name: number for number, person in enumerate(request.people, 1)}
    _calendars(root, request, people, [*_holidays(request, first, answer.finish)])
    _tasks(root, request, answer, title)
    resources = SubElement(root, "Resources")
    for person in request.people:
        number = people[person.name]
        resource = SubElement(resources, "Resource")
        _put(resource, UID=number, ID=number, Name=person.name, Type=1, IsNull=0)
        _put(resource, MaxUnits=f"{person.capacity}.00", CanLevel=int(request.one_at_a_time))
        _put(resource, CalendarUID=number + 1)
    _assignments(root, request, answer, people)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + tostring(root, "unicode") + "\n"


def _put(parent: Element, **values: object) -> None:
    """Children with a text each, in this order, which MS Project insists on."""
    for name, value in values.items():
        SubElement(parent, name).text = _clean(str(value))


def _clean(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return "".join(c if _allowed(ord(c)) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _allowed(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _at(day: date) -> str:
    return f"{day}T08:00:00"


def _holidays(request: ScheduleRequest, first: date, last: date) -> list[date]:
    """The holidays of the plan's time and a year beyond."""
    if not request.holidays:
        return []
    return sorted(holidays.country_holidays("US", years=range(first.year, last.year + 2)))


def _calendars(
    root: Element, request: ScheduleRequest, people: dict[str, int], closed: Sequence[date]
) -> None:
    calendars = SubElement(root, "Calendars")
    standard = SubElement(calendars, "Calendar")
    _put(standard, UID=1, Name="Standard", IsBaseCalendar=1, BaseCalendarUID=-1)
    days = SubElement(standard, "WeekDays")
    for number in range(1, 8):  # 1 is Sunday
        works = (number - 2) % 7 in request.weekdays
        day = SubElement(days, "WeekDay")
        _put(day, DayType=number, DayWorking=int(works))
        if works:
            _working(day, range(QUARTERS))
    _exceptions(
        standard,
        [
            *(("off", absence) for absence in request.absences if absence.who is None),
            *((HOLIDAY, Absence(who=None, first=day, last=day)) for day in closed),
        ],
    )
    for name, number in people.items():
        calendar = SubElement(calendars, "Calendar")
        _put(calendar, UID=number + 1, Name=name, IsBaseCalendar=0, BaseCalendarUID=1)
        _exceptions(calendar, [("off", absence) for absence in request.absences if absence.who == name])


def _working(parent: Element, quarters: Sequence[int]) -> None:
    times = SubElement(parent, "WorkingTimes")
    for half in (range(QUARTERS // 2), range(QUARTERS // 2, QUARTERS)):
        if half.start in quarters:
            span = SubElement(times, "WorkingTime")
            _put(span, FromTime=HOURS[half.start][0].isoformat(), ToTime=HOURS[half.stop - 1][1].isoformat())


def _exceptions(calendar: Element, absences: Sequence[tuple[str, Absence]]) -> None:
    if not absences:
        return
    exceptions = SubElement(calendar, "Exceptions")
    for name, absence in absences:
        exception = SubElement(exceptions, "Exception")
        _put(exception, EnteredByOccurrences=0)
        period = SubElement(exception, "TimePeriod")
        _put(period, FromDate=f"{absence.first}T00:00:00", ToDate=f"{absence.last}T23:59:00")
        _put(exception, Occurrences=(absence.last - absence.first).days + 1, Name=name, Type=1)
        _put(exception, DayWorking=int(absence.part != "day"))
        if absence.part != "day":
            half = QUARTERS // 2
            _working(exception, range(half) if absence.part == "afternoon" else range(half, QUARTERS))


def _tasks(root: Element, request: ScheduleRequest, answer: ScheduleAnswer, title: str) -> None:
    tasks = SubElement(root, "Tasks")
    whole = SubElement(tasks, "Task")
    _put(whole, UID=0, ID=0, Name=title, OutlineLevel=0, Summary=1)
    if request.deadline is not None:
        _put(whole, Deadline=f"{request.deadline}T17:00:00")
    number = {task.name: place for place, task in enumerate(request.tasks, 1)}
    events = {event.task: event for event in request.happened}
    links: dict[str, list[Link]] = {}
    for link in request.links:
        links.setdefault(link.after, []).append(link)
    for task, planned in zip(request.tasks, answer.tasks, strict=True):
        element = SubElement(tasks, "Task")
        _task(element, task, planned, number[task.name], events.get(task.name))
        for link in links.get(task.name, ()):
            tie = SubElement(element, "PredecessorLink")
            _put(tie, PredecessorUID=number[link.before], Type=LINK_KINDS.index(link.kind))
            _put(tie, CrossProject=0, LinkLag=round(link.lag * _MINUTES * _TENTHS), LagFormat=7)


def _task(element: Element, task: Task, planned: ScheduledTask, number: int, event: Happened | None) -> None:
    _put(element, UID=number, ID=number, Name=task.name, Type=1, IsNull=0, OutlineLevel=1)
    _put(element, Priority=500 + 5 * (task.priority - 1))
    _put(element, Start=begin_of(planned).isoformat(), Finish=end_of(planned).isoformat())
    _put(element, Duration=_duration(task.length), DurationFormat=7, Estimated=0)
    _put(element, Milestone=int(not task.length), Summary=0, Critical=int(planned.critical))
    _put(element, TotalSlack=round(planned.slack * _MINUTES * _TENTHS))
    if event is not None:
        _put(element, PercentComplete=round(event.share * 100), ActualStart=begin_of(planned).isoformat())
        if event.end is not None:
            _put(element, ActualFinish=end_of(planned).isoformat())
    _put(element, ConstraintType=4 if task.earliest is not None else 0)
    if task.earliest is not None:
        _put(element, ConstraintDate=_at(task.earliest))
    if task.latest is not None:
        _put(element, Deadline=f"{task.latest}T17:00:00")


def _duration(quarters: int) -> str:
    hours, minutes = divmod(quarters * _MINUTES // QUARTERS, 60)
    return f"PT{hours}H{minutes}M0S"


def _assignments(
    root: Element, request: ScheduleRequest, answer: ScheduleAnswer, people: dict[str, int]
) -> None:
    assignments, number = SubElement(root, "Assignments"), 0
    for place, (task, planned) in enumerate(zip(request.tasks, answer.tasks, strict=True), 1):
        units = {demand.name: demand.units for demand in task.who}
        for name in planned.who:
            number += 1
            assignment = SubElement(assignments, "Assignment")
            _put(assignment, UID=number, TaskUID=place, ResourceUID=people[name])
            _put(assignment, Finish=end_of(planned).isoformat(), Start=begin_of(planned).isoformat())
            _put(assignment, Units=units.get(name, 1))
