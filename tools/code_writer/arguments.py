"""The code tool's arguments as a person means them.

code
build rest_api
entity Patient; name str; birth_date date
entity Appointment; starts_at datetime; status enum(booked,done,cancelled)
link Appointment belongs_to Patient
with auth, filter
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from tools.notation import Choice, Each, Kinds, Line, Plain, Record

__all__ = ["CodeArguments", "Entity"]

TYPES = ("str", "text", "int", "float", "bool", "date", "datetime", "email")
FEATURES = ("auth", "pagination", "search", "filter", "csv_export", "soft_delete", "timestamps", "stats")
RELATIONS = ("belongs_to", "many_to_many")

_ENTITY = "/[A-Z][A-Za-z0-9]{0,39}/"
_FIELD = "/[a-z][a-z0-9_]{0,39}/"
_TYPE = (
    "(" + " | ".join(f'"{name}"' for name in TYPES) + r" | /enum\([^\s,;()]{1,30}(,[^\s,;()]{1,30}){1,11}\)/)"
)


@dataclass(frozen=True)
class TypedFields:
    """Fields with their types, ``title str, due date``."""

    def rule(self, word: str) -> str:
        """``name type, name type``."""
        return f'{_FIELD} " " {_TYPE} (", " {_FIELD} " " {_TYPE})*'

    def write(self, word: str, value: Any) -> str:
        """The fields in order."""
        return ", ".join(f"{name} {kind}" for name, kind in value.items())

    def read(self, rest: str) -> dict[str, str]:
        """Field name -> type."""
        return dict(part.split(" ", 1) for part in rest.split(", "))


@dataclass(frozen=True)
class Relation:
    """Two entities and how they are related, ``link Book belongs_to Author``."""

    def rule(self, word: str) -> str:
        """``word Entity KIND Entity``."""
        kinds = " | ".join(f'" {kind} "' for kind in RELATIONS)
        return f'"{word} " {_ENTITY} ({kinds}) {_ENTITY}'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the three."""
        return " ".join((word, *value))

    def read(self, rest: str) -> list[str]:
        """The three.

        Raises:
            ValueError: If the kind of relation is unknown.
        """
        source, kind, target = rest.split()
        if kind not in RELATIONS:
            raise ValueError(f"no relation is called {kind!r}")
        return [source, kind, target]


class Entity(BaseModel):
    """One entity: its fields and their types; an id is implied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Line("entity", Plain(_ENTITY))]
    fields: Annotated[Mapping[str, str], Line("", TypedFields())] = {}


class CodeArguments(BaseModel):
    """Fields and defaults of the public schema of programs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[
        Literal["rest_api", "cli", "library"] | None, Line("build", Choice(("rest_api", "cli", "library")))
    ] = None
    entities: Annotated[tuple[Entity, ...], Line("entity", Each(Record(Entity)))] = ()
    relations: Annotated[tuple[tuple[str, str, str], ...], Line("link", Each(Relation()))] = ()
    features: Annotated[tuple[str, ...], Line("with", Kinds(FEATURES))] = ()
