"""A schedule as one HTML page that needs no network: Gantt chart, dependencies, load and checks.

The page holds everything (``page/``); its content security policy forbids any request. Horizontal places are
in pixels from the first day, vertical ones in rows; the line of today is drawn by the page itself, when it
is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined

from tools.scheduler.calendar import Calendar
from tools.scheduler.load import load_of
from tools.scheduler.types import (
    QUARTERS,
    Link,
    ScheduleAnswer,
    ScheduledTask,
    ScheduleRequest,
)
from tools.tool import Check

__all__ = ["render_gantt"]

ROW = 30
"""Height of a row in pixels."""

_WIDE, _LEAST_DAY, _MOST_DAY = 1000, 2.0, 40.0  # pixels: of a chart that fits, and of a day
_BAR_TOP, _BAR = 7, 16  # pixels from a row's top, and of a bar's height
_MARGIN_DAYS = 2
_LEAST_BEYOND = timedelta(days=14)
_LABEL = 24  # pixels that the number of a day needs


@dataclass(frozen=True)
class _Bar:
    """A task in the chart; places in pixels."""

    number: int
    task: ScheduledTask
    x: float
    width: float
    top: int
    milestone: bool
    done: float
    planned: tuple[float, float] | None  # place and width of the baseline


@dataclass(frozen=True)
class _Arrow:
    before: int
    after: int
    path: str
    critical: bool


@dataclass(frozen=True)
class _Cell:
    """A person's load on a day; the height as a share of the row."""

    x: float
    height: float
    over: bool
    words: str


class _Scale:
    """Days and quarters as pixels."""

    def __init__(self, first: date, last: date) -> None:
        self.first = first - timedelta(days=_MARGIN_DAYS)
        self.days = (last - self.first).days + 1 + _MARGIN_DAYS
        self.day = min(max(_WIDE / self.days, _LEAST_DAY), _MOST_DAY)

    @property
    def width(self) -> float:
        return round(self.days * self.day, 1)

    def x(self, day: date, gone: int = 0) -> float:
        return round(((day - self.first).days + gone / QUARTERS) * self.day, 1)

    def every(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]


def render_gantt(
    request: ScheduleRequest,
    answer: ScheduleAnswer,
    title: str,
    checks: Sequence[Check] = (),
    warnings: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        request: What was planned.
        answer: The plan.
        title: Heading of the page, any text.
        checks: What was checked.
        warnings: Sentences for the person.
    """
    moments = [day for task in (*answer.tasks, *request.baseline) for day in (task.start, task.end)]
    first, last = min(request.start, *moments), max(moments)
    if request.deadline is not None and request.deadline - last <= max(last - first, _LEAST_BEYOND):
        last = max(last, request.deadline)  # one that is far away would leave no room for the bars
    scale = _Scale(first, last)
    bars = _bars(request, answer, scale)
    by_name = {bar.task.task: bar for bar in bars}
    critical = set(pairwise(answer.critical_path))
    load = load_of(request, answer)
    environment = Environment(
        loader=PackageLoader("tools.scheduler", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("gantt.html").render(
        title=title,
        request=request,
        answer=answer,
        bars=bars,
        arrows=[_arrow(link, by_name, critical) for link in request.links],
        people=[
            (person, sum(load[person.name].values()), _cells(load[person.name], person.capacity, scale))
            for person in request.people
        ],
        spare=_spare(request, answer),
        closed=_closed(request, scale),
        months=_months(scale),
        ticks=_ticks(scale),
        scale=scale,
        row=ROW,
        bar_top=_BAR_TOP,
        bar_height=_BAR,
        checks=checks,
        broken=[check for check in checks if not check.satisfied],
        warnings=warnings,
    )


def _bars(request: ScheduleRequest, answer: ScheduleAnswer, scale: _Scale) -> list[_Bar]:
    """The tasks in order of time."""
    done = {event.task: event.share for event in request.happened}
    before = {task.task: task for task in request.baseline}
    ordered = sorted(answer.tasks, key=lambda task: (task.start, task.begins, task.end, task.ends))
    bars = []
    for number, task in enumerate(ordered):
        x, end = scale.x(task.start, task.begins), scale.x(task.end, task.ends)
        planned = None
        if (was := before.get(task.task)) is not None:
            left = scale.x(was.start, was.begins)
            planned = left, round(scale.x(was.end, was.ends) - left, 1)
        milestone = (task.start, task.begins) == (task.end, task.ends)
        width = round(end - x, 1)
        share = done.get(task.task, 0.0)
        bars.append(_Bar(number, task, x, width, number * ROW, milestone, round(share * width, 1), planned))
    return bars


def _arrow(link: Link, bars: dict[str, _Bar], critical: Set[tuple[str, str]]) -> _Arrow:
    """From one end of a bar to one end of another, around what lies between."""
    before, after = bars[link.before], bars[link.after]
    x1 = before.x + (before.width if link.kind[0] == "F" else 0)
    x2 = after.x + (after.width if link.kind[1] == "F" else 0)
    out, into = (5 if link.kind[0] == "F" else -5), (-6 if link.kind[1] == "S" else 6)
    y1, y2 = (bar.top + _BAR_TOP + _BAR / 2 for bar in (before, after))
    turn = x1 + out
    if link.kind == "FS" and x2 - x1 >= out - into:
        path = f"M{x1:g} {y1:g}H{turn:g}V{y2:g}H{x2:g}"
    else:
        between = y1 + (ROW / 2 if y2 > y1 else -ROW / 2)
        path = f"M{x1:g} {y1:g}H{turn:g}V{between:g}H{x2 + into:g}V{y2:g}H{x2:g}"
    return _Arrow(before.number, after.number, path, (link.before, link.after) in critical)


def _cells(load: dict[date, float], capacity: int, scale: _Scale) -> list[_Cell]:
    most = max(capacity, *load.values()) if load else capacity
    return [
        _Cell(
            scale.x(day), round(taken / most, 3), taken > capacity + 1e-9, f"{day}: {taken:g} of {capacity}"
        )
        for day, taken in sorted(load.items())
    ]


def _spare(request: ScheduleRequest, answer: ScheduleAnswer) -> float:
    """Working days between the last end and the deadline; 0 where there is none."""
    if request.deadline is None:
        return 0.0
    calendar = Calendar(request.start, request.weekdays, request.absences, request.holidays)
    last = max((task.end, task.ends) for task in answer.tasks)
    slots = calendar.slots_before(request.deadline, QUARTERS) - calendar.slots_before(*last)
    return max(slots, 0) / QUARTERS


def _closed(request: ScheduleRequest, scale: _Scale) -> list[tuple[float, float]]:
    """Place and width of the days on which nobody works, neighbours together."""
    calendar = Calendar(scale.first, request.weekdays, request.absences, request.holidays)
    spans: list[tuple[float, float]] = []
    for day in scale.every():
        if calendar.slots_before(day) == calendar.slots_before(day, QUARTERS):
            x = scale.x(day)
            if spans and abs(sum(spans[-1]) - x) < 0.2:
                spans[-1] = spans[-1][0], spans[-1][1] + scale.day
            else:
                spans.append((x, scale.day))
    return spans


def _months(scale: _Scale) -> list[tuple[float, str]]:
    """Where a month begins, and its name."""
    return [
        (scale.x(day), f"{day:%B %Y}" if scale.day * 28 > 90 else f"{day:%b %y}")
        for place, day in enumerate(scale.every())
        if day.day == 1 or (place == 0 and day.day < 25)
    ]


def _ticks(scale: _Scale) -> list[tuple[float, str]]:
    """Days with their number: all of them, or Mondays, as many as there is room for."""
    if scale.day >= _LABEL:
        return [(scale.x(day), str(day.day)) for day in scale.every()]
    weeks = next((n for n in (1, 2, 4) if n * 7 * scale.day >= _LABEL), None)
    if weeks is None:
        return []
    mondays = [day for day in scale.every() if day.weekday() == 0]
    return [(scale.x(day), str(day.day)) for day in mondays[::weeks]]
