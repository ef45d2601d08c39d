"""MS Project's XML: what is read of it.

Tasks with durations, links, assignments, earliest starts, deadlines, priorities and progress; resources with
units and absences; the calendar's weekdays and days off. Summary tasks are dissolved: what is tied to one is
tied to all the tasks in it. Material and cost are left aside. ``files.xml_out`` writes the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import product
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

import holidays
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import ValidationError

from tools.scheduler.draft import Draft, DraftLink, DraftTask
from tools.scheduler.files.clock import HOURS, begin_at, end_at
from tools.scheduler.files.entries import PlanFileError, first_problem
from tools.scheduler.types import QUARTERS, Absence, Demand, LinkKind, Person

__all__ = ["HOLIDAY", "LINK_KINDS", "NAMESPACE", "read_xml"]

NAMESPACE = "http://schemas.microsoft.com/project"
HOLIDAY = "US federal holiday"
"""Name of a calendar's exception for such a day."""

LINK_KINDS: tuple[LinkKind, ...] = ("FF", "FS", "SF", "SS")
"""By the number that a PredecessorLink's Type has."""

# Formats of durations and lags, each once more where it is estimated.
_ELAPSED = (*range(4, 13, 2), *range(36, 45, 2))  # nights and weekends count
_PERCENT = (19, 20, 51, 52)  # of the earlier task's duration
_EVERY_DAY, _EVERY_YEAR = (1, 7), 2  # types of a calendar's exceptions
_STARTS, _ENDS = (2, 4), (3, 7)  # constraint types: on or not before; on or not after
_TENTHS = 10  # link lags are in tenths of minutes


@dataclass
class _Read:
    """A task as it stands in the file."""

    uid: int
    name: str
    level: int
    summary: bool
    element: Element
    leaves: list[int] = field(default_factory=list)  # the tasks that a link to this one means


def read_xml(data: bytes) -> Draft:
    """The project of a file.

    Raises:
        PlanFileError: With the place of what is wrong.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise PlanFileError("the file declares entities of its own: it is not read") from error
    except ParseError as error:
        raise PlanFileError(f"line {error.position[0]}: this is no XML: {error.msg}") from error
    except (ValueError, LookupError) as error:  # an encoding that there is not
        raise PlanFileError(f"this is no XML that can be read: {error}") from error
    if root.tag != f"{{{NAMESPACE}}}Project":
        raise PlanFileError("line 1: this is no project of MS Project, which begins with its own <Project>")
    try:
        return _project(root)
    except ValidationError as error:
        raise PlanFileError(first_problem(error)) from error


def _project(root: Element) -> Draft:
    minutes = _whole(root, "MinutesPerDay", 480)
    if minutes <= 0:
        raise PlanFileError(f"MinutesPerDay is {minutes}: a day has more than that")
    calendars = {_whole(c, "UID"): c for c in _all(root, "Calendars", "Calendar")}
    base = calendars.get(_whole(root, "CalendarUID", 1))
    holidays_off = _keeps_holidays(base)
    people, can_level = {}, True
    absences = [*_absences(base, None, holidays_known=holidays_off)]
    for resource in _all(root, "Resources", "Resource"):
        name = _text(resource, "Name")
        if not name or _whole(resource, "Type", 1) != 1 or _whole(resource, "IsNull", 0):
            continue
        people[_whole(resource, "UID")] = Person(
            name=name, capacity=max(int(_number(resource, "MaxUnits", 1)), 1)
        )
        can_level = can_level and bool(_whole(resource, "CanLevel", 1))
        absences += _absences(calendars.get(_whole(resource, "CalendarUID", -1)), name)
    tasks = _tasks(root)
    whole = next((task for task in _all(root, "Tasks", "Task") if _whole(task, "UID") == 0), None)
    return Draft(
        title=_text(root, "Title") or _text(root, "Name"),
        start=_day(root, "StartDate"),
        deadline=None if whole is None else _day(whole, "Deadline"),
        tasks=tuple(_drafts(root, tasks, people, minutes)),
        people=tuple(people.values()),
        absences=tuple(absences),
        one_at_a_time=can_level,
        weekdays=_weekdays(base),
        holidays=holidays_off,
        asof=_day(root, "StatusDate"),
    )


def _tasks(root: Element) -> dict[int, _Read]:
    """The tasks by their number, in the file's order, each with a name of its own."""
    read = [
        _Read(
            uid=_whole(element, "UID"),
            name=_text(element, "Name") or f"task {_whole(element, 'UID')}",
            level=_whole(element, "OutlineLevel", 1),
            summary=bool(_whole(element, "Summary", 0)),
            element=element,
        )
        for element in _all(root, "Tasks", "Task")
        if _whole(element, "UID") != 0 and not _whole(element, "IsNull", 0) and _whole(element, "Active", 1)
    ]
    parents: list[_Read] = []
    used = Counter(task.name.casefold() for task in read if not task.summary)
    for task in read:
        while parents and parents[-1].level >= task.level:
            parents.pop()
        if task.summary:
            parents.append(task)
            continue
        task.leaves.append(task.uid)
        for parent in parents:
            parent.leaves.append(task.uid)
        if used[task.name.casefold()] > 1:  # the same in several phases
            task.name = f"{parents[-1].name}: {task.name}" if parents else f"{task.name} ({task.uid})"
    names = Counter(task.name.casefold() for task in read if not task.summary)
    for task in read:
        if not task.summary and names[task.name.casefold()] > 1:
            task.name = f"{task.name} ({task.uid})"
    return {task.uid: task for task in read}


def _drafts(
    root: Element, tasks: dict[int, _Read], people: dict[int, Person], minutes: int
) -> Iterator[DraftTask]:
    links: dict[int, list[DraftLink]] = {}
    for task in tasks.values():
        for link in task.element.iterfind(_tag("PredecessorLink")):
            before = tasks.get(_whole(link, "PredecessorUID"))
            if before is None:
                raise PlanFileError(f"{task.name!r} waits for a task that is not in the file")
            kind, lag = _kind(link, task), _lag(link, task) / minutes
            for earlier, later in product(before.leaves, task.leaves):
                links.setdefault(later, []).append(DraftLink(task=tasks[earlier].name, kind=kind, lag=lag))
    who: dict[int, list[Demand]] = {}
    for assignment in _all(root, "Assignments", "Assignment"):
        person = people.get(_whole(assignment, "ResourceUID", -1))
        if person is not None:
            units = max(round(_number(assignment, "Units", 1)), 1)
            who.setdefault(_whole(assignment, "TaskUID"), []).append(Demand(name=person.name, units=units))
    for task in tasks.values():
        if task.summary:
            continue
        constraint, day = _whole(task.element, "ConstraintType", 0), _day(task.element, "ConstraintDate")
        latest = _day(task.element, "Deadline") or (day if constraint in _ENDS else None)
        yield DraftTask(
            name=task.name,
            days=_duration(task) / minutes,
            after=tuple(links.get(task.uid, ())),
            who=tuple(who.get(task.uid, ())),
            earliest=day if constraint in _STARTS else None,
            latest=latest,
            priority=min(max((_whole(task.element, "Priority", 500) - 500) // 5 + 1, 1), 100),
            done=_number(task.element, "PercentComplete", 0) / 100,
            began=begin_at(began) if (began := _moment(task.element, "ActualStart")) else None,
            ended=end_at(ended) if (ended := _moment(task.element, "ActualFinish")) else None,
            where=f"task {_whole(task.element, 'ID', task.uid)}",
        )


def _kind(link: Element, task: _Read) -> LinkKind:
    number = _whole(link, "Type", 1)
    if not 0 <= number < len(LINK_KINDS):
        raise PlanFileError(f"{task.name!r} has a link of type {number}, which there is not")
    return LINK_KINDS[number]


def _lag(link: Element, task: _Read) -> float:
    """Minutes of work between the two moments of a link."""
    lag, unit = _number(link, "LinkLag", 0), _whole(link, "LagFormat", 7)
    if lag and unit in (*_ELAPSED, *_PERCENT):
        what = "a percentage" if unit in _PERCENT else "elapsed time"
        raise PlanFileError(f"{task.name!r} has a link with a lag in {what}; only working time is planned")
    return lag / _TENTHS


def _duration(task: _Read) -> float:
    """Minutes of work from begin to end."""
    text = _text(task.element, "Duration") or "PT0H0M0S"
    if _whole(task.element, "DurationFormat", 7) in _ELAPSED:
        raise PlanFileError(f"{task.name!r} lasts {text} of elapsed time; only working time is planned")
    minutes, digits = 0.0, ""
    for character in text.removeprefix("PT") if text.startswith("PT") else "?":
        if character.isdecimal() or character == ".":
            digits += character
        elif character in "HMS" and digits.replace(".", "", 1).isdecimal():
            minutes, digits = minutes + float(digits) * {"H": 60, "M": 1, "S": 1 / 60}[character], ""
        else:
            raise PlanFileError(f"{task.name!r} has the duration {text!r}; it looks like PT16H0M0S")
    return minutes


def _weekdays(calendar: Element | None) -> tuple[int, ...]:
    """The calendar's days of work; Monday to Friday where it has none."""
    days = [] if calendar is None else _all(calendar, "WeekDays", "WeekDay")
    found = {
        (_whole(day, "DayType") - 2) % 7  # 1 is Sunday
        for day in days
        if 1 <= _whole(day, "DayType") <= 7 and _whole(day, "DayWorking", 0)
    }
    return tuple(sorted(found)) or (0, 1, 2, 3, 4)


def _keeps_holidays(calendar: Element | None) -> bool:
    """Whether the exceptions that are called holidays are all the holidays of their time."""
    exceptions = () if calendar is None else _all(calendar, "Exceptions", "Exception")
    periods = [e.find(_tag("TimePeriod")) for e in exceptions if _text(e, "Name") == HOLIDAY]
    days = {day for period in periods if period is not None and (day := _day(period, "FromDate"))}
    if not days:
        return False
    known = holidays.country_holidays("US", years=range(min(days).year, max(days).year + 1))
    return days == {day for day in known if min(days) <= day <= max(days)}


def _absences(
    calendar: Element | None, who: str | None, *, holidays_known: bool = False
) -> Iterator[Absence]:
    """The exceptions of a calendar in which no, or only half, a day is worked."""
    if calendar is None:
        return
    older = (day for day in _all(calendar, "WeekDays", "WeekDay") if _whole(day, "DayType") == 0)
    for exception in (*_all(calendar, "Exceptions", "Exception"), *older):
        if holidays_known and _text(exception, "Name") == HOLIDAY:
            continue
        period = exception.find(_tag("TimePeriod"))
        first, last = (None, None) if period is None else (_day(period, "FromDate"), _day(period, "ToDate"))
        if first is None or last is None:
            continue
        working = set(_working(exception)) if _whole(exception, "DayWorking", 0) else set()
        half = QUARTERS // 2
        morning, afternoon = working & set(range(half)), working & set(range(half, QUARTERS))
        if morning and afternoon:
            continue
        part: Literal["day", "morning", "afternoon"] = "day"
        if morning or afternoon:
            part = "afternoon" if morning else "morning"
        for begin, end in _occurrences(exception, first, last):
            yield Absence(who=who, first=begin, last=end, part=part)


def _occurrences(exception: Element, first: date, last: date) -> Iterator[tuple[date, date]]:
    """First and last days of an exception between the ends of its period: all of that, or a day each year."""
    kind = _whole(exception, "Type", 1)
    if first == last or (kind in _EVERY_DAY and _whole(exception, "Period", 1) <= 1):
        yield first, last
    elif kind == _EVERY_YEAR:
        month, number = _whole(exception, "Month") + 1, _whole(exception, "MonthDay")
        for year in range(first.year, last.year + 1):
            with suppress(ValueError):  # the 29th of February of another year
                if first <= (day := date(year, month, number)) <= last:
                    yield day, day
    else:
        name = _text(exception, "Name") or "without a name"
        raise PlanFileError(
            f"a calendar's exception, {name}, returns neither every day nor every year on a day of a month: "
            "only these are read"
        )


def _working(exception: Element) -> Iterator[int]:
    """The quarters of the day that lie in an exception's working times."""
    for span in _all(exception, "WorkingTimes", "WorkingTime"):
        try:
            begin, end = (time.fromisoformat(_text(span, name)) for name in ("FromTime", "ToTime"))
        except ValueError as error:
            raise PlanFileError(f"a calendar has a time that is none: {error}") from error
        end = time.max if end == time.min else end
        yield from (number for number, (first, last) in enumerate(HOURS) if begin <= first and last <= end)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _all(parent: Element, group: str, name: str) -> Iterable[Element]:
    return parent.iterfind(f"{_tag(group)}/{_tag(name)}")


def _text(element: Element, name: str) -> str:
    return (element.findtext(_tag(name)) or "").strip()


def _number(element: Element, name: str, default: float) -> float:
    text = _text(element, name)
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PlanFileError(f"{name} is a number, not {text!r}")
    return number


def _whole(element: Element, name: str, default: int | None = None) -> int:
    text = _text(element, name)
    if not text and default is not None:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise PlanFileError(f"{name} is a whole number, not {text!r}") from error


def _day(element: Element, name: str) -> date | None:
    moment = _moment(element, name)
    return None if moment is None else moment.date()


def _moment(element: Element, name: str) -> datetime | None:
    text = _text(element, name)
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise PlanFileError(f"{name} is a day and a time, not {text!r}") from error
