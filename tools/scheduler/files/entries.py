"""What stands in a cell or a value of a file: numbers, days, names, links; each error names its place.

A link is a task's name, or one with its kind and lag in working days behind it: ``test [SS+2]``,
``approve [FS-0.5]``, ``order [+3]``. Places of a team stand behind its name: ``crew [2]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, get_args

from pydantic import ValidationError

from tools.scheduler.draft import DraftLink, DraftTask
from tools.scheduler.types import Demand, Estimate, LinkKind
from tools.tool import BadInput

__all__ = [
    "COLUMNS",
    "LISTS",
    "WEEKDAYS",
    "PlanFileError",
    "date_of",
    "demand_text",
    "first_problem",
    "link_text",
    "number_of",
    "share_of",
    "task_of",
]

COLUMNS = (
    "task", "days", "effort", "after", "who", "either", "earliest", "latest", "priority", "best", "likely",
    "worst", "done",
)  # fmt: skip
"""What is said of a task, by the names of its columns."""

LISTS = ("after", "who", "either")
"""Those of them that hold several names."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Their names, from Monday on."""

_KINDS: tuple[LinkKind, ...] = get_args(LinkKind)


class PlanFileError(BadInput):
    """A file that holds no project that can be read; the message says where and why."""


def number_of(value: object, what: str, where: str) -> float:
    """A number of zero or more."""
    try:
        number = float(str(value).strip())
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise PlanFileError(f"{where}: {what} is a number, not {str(value)!r}")
    if number < 0:
        raise PlanFileError(f"{where}: {what} is not negative, as {number:g} is")
    return number


def share_of(value: object, where: str) -> float:
    """A share done: ``60%``, or a number from 0 to 1."""
    text = str(value).strip()
    share = number_of(text.removesuffix("%"), "done", where) / (100 if text.endswith("%") else 1)
    if share > 1:
        raise PlanFileError(f"{where}: done is a share from 0 to 1 or from 0% to 100%, not {text!r}")
    return share


def date_of(value: object, what: str, where: str) -> date:
    """A day as YYYY-MM-DD."""
    if type(value) is date:  # a moment is one, too, but no day
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise PlanFileError(f"{where}: {what} is a day as YYYY-MM-DD, not {str(value)!r}") from None


def _split(text: str) -> tuple[str, str]:
    """A name and what stands in brackets behind it."""
    text = text.strip()
    if text.endswith("]") and "[" in text:
        name, _, rest = text[:-1].rpartition("[")
        return name.strip(), rest.strip()
    return text, ""


def _link(text: str, where: str) -> DraftLink:
    """What a task waits for; see the module's description."""
    name, rest = _split(text)
    kind: LinkKind = "FS"
    for known in _KINDS:
        if rest.upper().startswith(known):
            kind, rest = known, rest[len(known) :]
    try:
        lag = float(rest.strip().removesuffix("d") or 0)
    except ValueError:
        lag = math.nan
    if not name or not math.isfinite(lag):
        raise PlanFileError(f"{where}: a link is 'task', 'task [SS]' or 'task [FS+2]', not {text!r}")
    return DraftLink(task=name, kind=kind, lag=lag)


def link_text(link: DraftLink) -> str:
    """The reverse of ``_link``."""
    if link.kind == "FS" and not link.lag:
        return link.task if _split(link.task)[1] == "" else f"{link.task} [FS]"
    return f"{link.task} [{link.kind}{f'{link.lag:+g}' if link.lag else ''}]"


def _demand(text: str, where: str) -> Demand:
    """Who works on a task, and with how many places."""
    name, rest = _split(text)
    if name and (not rest or (rest.isdecimal() and int(rest) > 0)):
        return Demand(name=name, units=int(rest or 1))
    raise PlanFileError(f"{where}: somebody is a name, or a team with its places 'crew [2]', not {text!r}")


def demand_text(demand: Demand) -> str:
    """The reverse of ``_demand``."""
    plain = demand.units == 1 and _split(demand.name)[1] == ""
    return demand.name if plain else f"{demand.name} [{demand.units}]"


def _estimate(best: float | None, likely: float | None, worst: float | None, where: str) -> Estimate | None:
    """A three-point estimate: all of it or nothing."""
    if best is None and likely is None and worst is None:
        return None
    if best is None or likely is None or worst is None:
        raise PlanFileError(f"{where}: an estimate is best, likely and worst, all three")
    try:
        return Estimate(best=best, likely=likely, worst=worst)
    except ValidationError as error:
        raise PlanFileError(f"{where}: {first_problem(error)}") from None


def task_of(fields: Mapping[str, Any], where: str) -> DraftTask:
    """A task from the values of its columns, those with several names as lists."""
    name = str(fields.get("task") or "").strip()
    if not name:
        raise PlanFileError(f"{where}: the task has no name")

    def number(key: str) -> float | None:
        return number_of(fields[key], key, where) if key in fields else None

    estimate = _estimate(number("best"), number("likely"), number("worst"), where)
    days, effort = number("days"), number("effort")
    if days is None and effort is None and estimate is None:
        raise PlanFileError(f"{where}: {name!r} has no days, no effort and no estimate")
    try:
        return DraftTask(
            name=name,
            days=days,
            effort=effort if days is None else None,
            after=tuple(_link(part, where) for part in fields.get("after", ())),
            who=tuple(_demand(part, where) for part in fields.get("who", ())),
            either=tuple(fields.get("either", ())),
            earliest=date_of(fields["earliest"], "earliest", where) if "earliest" in fields else None,
            latest=date_of(fields["latest"], "latest", where) if "latest" in fields else None,
            priority=int(number("priority") or 1),
            estimate=estimate,
            done=share_of(fields["done"], where) if "done" in fields else 0.0,
            where=where,
        )
    except ValidationError as error:
        raise PlanFileError(f"{where}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
