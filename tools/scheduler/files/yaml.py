"""A project as YAML: everything that the planner knows of one.

    title: Garden
    start: 2027-03-01
    deadline: 2027-03-12
    buffer: 1                       # working days to spare before the deadline
    holidays: true                  # US federal holidays are days off
    weekdays: [mon, tue, wed, thu, fri]
    at_once: false                  # true where people do any number of tasks at a time
    people: {Ola: 1, Crew: 3}       # and how many tasks each can do at a time; may be left out
    days_off:
      - {who: Per, from: 2027-03-03, to: 2027-03-04, part: morning}
      - {from: 2027-03-05}          # everybody
    asof: 2027-03-02                # the day by whose end as much was done as the tasks say
    tasks:
      - {task: clear the beds, days: 2, who: Ola, done: 50%}
      - {task: sow, effort: 3, who: [Ola, "Crew [2]"], after: [clear the beds, "order seeds [SS+2]"]}

A task has the fields that ``files.entries`` names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from tools.scheduler.draft import Draft, DraftTask
from tools.scheduler.files.entries import (
    COLUMNS,
    LISTS,
    WEEKDAYS,
    PlanFileError,
    date_of,
    first_problem,
    number_of,
    task_of,
)
from tools.scheduler.types import Absence, Person

__all__ = ["load_yaml", "project_of", "read_yaml", "text_list"]

_LINE = "\0line"  # no key of a file: YAML allows no such character
_FIELDS = (
    "title", "start", "deadline", "buffer", "holidays", "weekdays", "at_once", "people", "days_off", "asof",
    "tasks",
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Knows the line of every mapping, and neither aliases nor a key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # a few of them inside each other would fill the memory
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise PlanFileError(f"line {line}: aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        line = node.start_mark.line + 1
        found = super().construct_mapping(node, deep=True)
        if len(found) < len(node.value):
            raise PlanFileError(f"line {line}: a key stands here twice")
        return {**found, _LINE: line}


def load_yaml(text: str) -> dict[str, Any]:
    """The file's mapping; every mapping in it knows its line.

    Raises:
        PlanFileError: With the line of what is wrong.
    """
    try:
        found = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanFileError(f"line {line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        if isinstance(error, PlanFileError):
            raise
        raise PlanFileError(f"this is no YAML that can be read: {error}") from error
    if not isinstance(found, dict):
        raise PlanFileError("line 1: a project is a mapping with a list of tasks")
    return found


def read_yaml(text: str) -> Draft:
    """The project of a file.

    Raises:
        PlanFileError: With the line of what is wrong.
    """
    return project_of(load_yaml(text))


def project_of(fields: Mapping[str, Any], more: Collection[str] = ()) -> Draft:
    """The project of a mapping that was loaded; ``more`` are keys that somebody else reads."""
    where = _where(fields)
    _known(fields, (*_FIELDS, *more))
    days = {key: date_of(fields[key], key, where) for key in ("start", "deadline", "asof") if key in fields}
    people = _mapping(fields.get("people") or {}, "people", where)
    try:
        return Draft(
            title=str(fields.get("title", "")),
            tasks=tuple(_task(entry) for entry in _entries(fields, "tasks")),
            people=tuple(
                Person(name=str(name), capacity=int(number_of(places, f"the capacity of {name}", where)))
                for name, places in people.items()
                if name != _LINE
            ),
            absences=tuple(_absence(entry) for entry in _entries(fields, "days_off")),
            one_at_a_time=not _flag(fields, "at_once"),
            weekdays=_weekdays(fields),
            holidays=_flag(fields, "holidays"),
            buffer=number_of(fields.get("buffer", 0), "buffer", where),
            **days,
        )
    except ValidationError as error:
        raise PlanFileError(f"{where}: {first_problem(error)}") from error


def _where(fields: Mapping[str, Any]) -> str:
    return f"line {fields[_LINE]}"


def _known(fields: Mapping[str, Any], keys: Collection[str]) -> None:
    wrong = [str(key) for key in fields if key not in keys and key != _LINE]
    if wrong:
        raise PlanFileError(
            f"{_where(fields)}: nothing is called {wrong[0]!r} here; there are {', '.join(keys)}"
        )


def _mapping(value: object, what: str, where: str) -> dict[Any, Any]:
    if isinstance(value, list):
        return dict.fromkeys(map(str, value), 1)
    if not isinstance(value, dict):
        raise PlanFileError(f"{where}: {what} is a list of names, or names with numbers")
    return value


def _entries(fields: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = fields.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PlanFileError(f"{_where(fields)}: {key} is a list of entries with a name for each value")
    return entries


def _flag(fields: Mapping[str, Any], key: str) -> bool:
    value = fields.get(key, False)
    if not isinstance(value, bool):
        raise PlanFileError(f"{_where(fields)}: {key} is true or false, not {value!r}")
    return value


def _weekdays(fields: Mapping[str, Any]) -> tuple[int, ...]:
    named = [str(day).lower()[:3] for day in text_list(fields.get("weekdays", WEEKDAYS[:5]))]
    if not named or not set(named) <= set(WEEKDAYS):
        raise PlanFileError(f"{_where(fields)}: weekdays are some of {', '.join(WEEKDAYS)}")
    return tuple(sorted({WEEKDAYS.index(day) for day in named}))


def text_list(value: object) -> list[str]:
    """One text or a list of them."""
    if value is None:
        return []
    return [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]


def _absence(entry: Mapping[str, Any]) -> Absence:
    where = _where(entry)
    _known(entry, ("who", "from", "to", "part"))
    if "from" not in entry:
        raise PlanFileError(f"{where}: days off need the day 'from' which they last")
    first = date_of(entry["from"], "from", where)
    try:
        return Absence(
            who=str(entry["who"]) if entry.get("who") else None,
            first=first,
            last=date_of(entry.get("to", first), "to", where),
            part=entry.get("part", "day"),
        )
    except ValidationError as error:
        raise PlanFileError(f"{where}: {first_problem(error)}") from error


def _task(entry: Mapping[str, Any]) -> DraftTask:
    where = _where(entry)
    _known(entry, COLUMNS)
    lists = {key: text_list(entry[key]) for key in LISTS if key in entry}
    return task_of({**entry, **lists}, where)
