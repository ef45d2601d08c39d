"""When two meanings are the same: field by field, names without case, articles and punctuation.

The order of a list counts only where the person's order does: stops that are to be visited in turn. Fields
of an entity beyond those that were wanted do not count against a reading.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

__all__ = ["plain_name", "wrong_fields"]

_ARTICLES = {"the", "a", "an"}
_IN_NAMES = " ,.-_"


def wrong_fields(means: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names of the fields in which ``means`` differs from ``wanted``, both in the public schema's fields."""
    return [
        field
        for field in sorted({*means, *wanted})
        if _comparable(field, means, wanted) != _comparable(field, wanted, wanted)
    ]


def _comparable(field: str, means: Mapping[str, Any], wanted: Mapping[str, Any]) -> Any:
    value = means.get(field)
    if isinstance(value, str):
        return plain_name(value)
    if not isinstance(value, list | tuple):
        return value
    parts: dict[str, Callable[[Any], Any]] = {
        "tasks": _task,
        "days_off": _absence,
        "relations": _relation,
        "entities": functools.partial(_entity, counted=_fields_of(wanted.get("entities") or ())),
    }
    comparable: Callable[[Any], Any] = parts.get(field, plain_name)
    found = [comparable(part) for part in value]
    in_order = field == "via" and wanted.get("via_order") != "any"
    return found if in_order else sorted(found)


def plain_name(text: Any) -> str:
    """A name as it is compared: in small letters, without articles and punctuation."""
    kept = "".join(c if c.isalnum() or c in _IN_NAMES else " " for c in str(text).lower())
    return " ".join(word for word in kept.split() if word not in _ARTICLES)


def _task(task: Mapping[str, Any]) -> tuple[Any, ...]:
    after, who = (tuple(sorted(map(plain_name, task.get(key) or ()))) for key in ("after", "who"))
    return plain_name(task["name"]), float(task["days"]), after, who


def _relation(relation: Collection[str]) -> tuple[str, ...]:
    return tuple(map(plain_name, relation))


def _absence(absence: Mapping[str, Any]) -> tuple[str, ...]:
    return plain_name(absence["who"]), absence["from"], absence["to"]


def _entity(entity: Mapping[str, Any], counted: Mapping[str, Collection[str]]) -> tuple[Any, ...]:
    name = plain_name(entity["name"])
    fields = {plain_name(key): plain_name(kind) for key, kind in (entity.get("fields") or {}).items()}
    return name, tuple(sorted((key, kind) for key, kind in fields.items() if key in counted.get(name, ())))


def _fields_of(entities: Collection[Mapping[str, Any]]) -> dict[str, set[str]]:
    return {plain_name(e["name"]): set(map(plain_name, e.get("fields") or {})) for e in entities}
