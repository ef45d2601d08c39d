"""Driving days and clock times, each in the time zone of its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from tools.places.types import Place

__all__ = ["Timetable", "clock_minutes", "drive_days", "minutes_ahead", "show_clock", "timetable"]

_DAY = 24 * 60


@dataclass(frozen=True)
class Timetable:
    """When a trip starts and ends; ``depart`` and ``arrive`` are None where no clock time was given.

    Attributes:
        depart, arrive: ``"HH:MM"``, with ``" (+2 days)"`` or ``" (-1 day)"`` against the day that the
            given time belongs to: departure's where departure was given, else arrival's.
        on_time: Whether the deadline is met; True where there is none.
        deadline_hours: Hours from departure to the deadline, None unless both times were given.
    """

    depart: str | None
    arrive: str | None
    on_time: bool
    deadline_hours: float | None


def clock_minutes(clock: str) -> int:
    """Minutes since midnight of ``"HH:MM"``; ValueError for anything else."""
    hours, separator, minutes = clock.partition(":")
    if not (separator and len(hours) == len(minutes) == 2 and hours.isdigit() and minutes.isdigit()):
        raise ValueError(f"a clock time is HH:MM, not {clock!r}")
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"a clock time is 00:00 to 23:59, not {clock!r}")
    return 60 * int(hours) + int(minutes)


def show_clock(minutes: int) -> str:
    """``"07:30"``, with the number of days off where minutes are not those of day 0."""
    days, minute = divmod(minutes, _DAY)
    clock = f"{minute // 60:02d}:{minute % 60:02d}"
    return clock if days == 0 else f"{clock} ({days:+d} day{'s' if abs(days) != 1 else ''})"


def drive_days(duration_h: float, max_hours_per_day: float | None) -> tuple[float, ...]:
    """Hours of driving on each day: full days, then the rest. One day where there is no limit."""
    if max_hours_per_day is None or duration_h <= 0:
        return (duration_h,)
    limit = min(max_hours_per_day, 24.0)
    days = max(1, math.ceil(duration_h / limit - 1e-9))
    return (*(limit for _ in range(days - 1)), duration_h - limit * (days - 1))


def minutes_ahead(start: Place, end: Place, on: date) -> int:
    """Minutes by which the clocks at ``end`` are ahead of those at ``start`` at noon of a day.

    A trip has no date, and states differ in when their clocks change: what holds on the day of planning is
    taken to hold. Places whose zone is not known (whole states) are taken to have the same clocks.
    """
    if not (start.timezone and end.timezone):
        return 0
    noon = datetime.combine(on, time(12))
    offsets = [noon.replace(tzinfo=ZoneInfo(place.timezone)).utcoffset() for place in (end, start)]
    there, here = (offset.total_seconds() if offset else 0.0 for offset in offsets)
    return round((there - here) / 60)


def timetable(
    hours_by_day: tuple[float, ...],
    limited: bool,
    depart: str | None,
    arrive_by: str | None,
    ahead: int = 0,
) -> Timetable:
    """Clock times of a trip that starts at the same time every day.

    A departure is by the clocks where the trip starts, an arrival by those where it ends; these are
    ``ahead`` minutes ahead. Without a daily limit (``limited`` False) the trip is driven in one go, and a
    deadline is its first occurrence after departure. With one, nights are off, and the deadline is on the day
    of arrival.
    """
    # A minute begun counts: the arrival shown is never too early.
    elapsed = _DAY * (len(hours_by_day) - 1) + math.ceil(hours_by_day[-1] * 60 - 1e-6)
    if depart is None:
        if arrive_by is None:
            return Timetable(None, None, True, None)
        return Timetable(show_clock(clock_minutes(arrive_by) - ahead - elapsed), arrive_by, True, None)
    start = clock_minutes(depart)
    arrival = start + elapsed + ahead
    if arrive_by is None:
        return Timetable(depart, show_clock(arrival), True, None)
    allowed = (clock_minutes(arrive_by) - start - ahead) % _DAY or _DAY
    if limited:
        allowed += _DAY * (len(hours_by_day) - 1)
    return Timetable(depart, show_clock(arrival), elapsed <= allowed, allowed / 60)
