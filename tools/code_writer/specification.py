"""What is built: a specification whose every name is safe in Python, in SQL, in a path and in a command."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

__all__ = ["EntitySpec", "FieldSpec", "Kind", "Link", "PackageName", "Reference", "Specification"]

Kind = Literal["rest_api", "cli", "library"]


def _importable(name: str) -> str:
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no name of a Python package")
    return name


PackageName = Annotated[str, AfterValidator(_importable)]
"""A name that can be imported: it becomes a folder, and so must not lead out of another."""


class FieldSpec(BaseModel):
    """One field of an entity.

    Attributes:
        name: Attribute, column and key of JSON.
        type: str, text, int, float, bool, date, datetime, email or enum.
        members: Of an enum: name of a member -> its value, in order.
        enum: Of an enum: name of its class.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["str", "text", "int", "float", "bool", "date", "datetime", "email", "enum"]
    members: Mapping[str, str] = {}
    enum: str = ""

    @property
    def is_text(self) -> bool:
        """Whether a search looks into it."""
        return self.type in ("str", "text", "email")

    @property
    def is_number(self) -> bool:
        """Whether statistics sum it up."""
        return self.type in ("int", "float")

    @property
    def is_group(self) -> bool:
        """Whether statistics count its values."""
        return self.type in ("bool", "enum")

    @property
    def is_ranged(self) -> bool:
        """Whether a filter takes a least and a greatest value."""
        return self.type in ("int", "float", "date", "datetime")

    @property
    def has_default(self) -> bool:
        """Whether it may be left out: a long text is then empty, a yes-or-no is no."""
        return self.type in ("text", "bool")


class Reference(BaseModel):
    """That an entity belongs to another.

    Attributes:
        name: Attribute and column that holds the other's id.
        target: Name of the other entity.
        required: False where it may be missing, because a circle could otherwise never begin.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    target: str
    required: bool


class Link(BaseModel):
    """That many of one entity go with many of another, seen from one side.

    Attributes:
        target: Name of the other entity.
        table: Table that holds the pairs.
        own: Column of this side's id.
        other: Column of the other side's id.
        one: The other in names of functions and commands, ``tag``.
        many: The others in a path, ``tags``.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    table: str
    own: str
    other: str
    one: str
    many: str


class EntitySpec(BaseModel):
    """One entity.

    Attributes:
        name: Class.
        said: The name that was asked for.
        module: Module and variable, ``leave_request``.
        plural: Table, ``leave_requests``.
        fields: Its own fields; ``id`` is implied.
        references: What it belongs to.
        links: What goes with it, many to many.
        referrers: Entity and attribute of all that belongs to it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    said: str
    module: str
    plural: str
    fields: tuple[FieldSpec, ...]
    references: tuple[Reference, ...] = ()
    links: tuple[Link, ...] = ()
    referrers: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """Its name in an address."""
        return self.plural.replace("_", "-")

    @property
    def command(self) -> str:
        """Its name in a command."""
        return self.module.strip("_").replace("_", "-")

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.module.strip("_").replace("_", " ")

    @property
    def many_words(self) -> str:
        """Its plural in a sentence."""
        return self.plural.replace("_", " ")

    @property
    def texts(self) -> tuple[FieldSpec, ...]:
        """Fields that a search looks into."""
        return tuple(field for field in self.fields if field.is_text)

    @property
    def numbers(self) -> tuple[FieldSpec, ...]:
        """Fields that statistics sum up."""
        return tuple(field for field in self.fields if field.is_number)

    @property
    def groups(self) -> tuple[FieldSpec, ...]:
        """Fields whose values statistics count."""
        return tuple(field for field in self.fields if field.is_group)

    @property
    def enums(self) -> tuple[FieldSpec, ...]:
        """Fields with fixed values."""
        return tuple(field for field in self.fields if field.type == "enum")

    @cached_property
    def ranges(self) -> tuple[tuple[str, FieldSpec, str], ...]:
        """Filters by a bound: name of the filter, field, operator. None is called like a column."""
        taken = {field.name for field in self.fields} | {reference.name for reference in self.references}
        found = (
            (f"{field.name}_{end}", field, operator)
            for field in self.fields
            if field.is_ranged
            for end, operator in (("min", ">="), ("max", "<="))
        )
        return tuple(entry for entry in found if entry[0] not in taken)


class Specification(BaseModel):
    """A program.

    Attributes:
        package: Name of its Python package.
        kind: What it is.
        entities: In an order in which each comes after what it must belong to.
        features: Sorted.
    """

    model_config = ConfigDict(frozen=True)

    package: PackageName
    kind: Kind
    entities: tuple[EntitySpec, ...]
    features: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, EntitySpec]:
        """Entities by the name of their class."""
        return {entity.name: entity for entity in self.entities}

    @property
    def project(self) -> str:
        """Name of the distribution and of the command."""
        return self.package.replace("_", "-")

    @cached_property
    def tables(self) -> tuple[tuple[str, EntitySpec, Link], ...]:
        """Tables of pairs, each once: name, the side that comes first, and its link."""
        found: dict[str, tuple[str, EntitySpec, Link]] = {}
        for entity in self.entities:
            for link in entity.links:
                found.setdefault(link.table, (link.table, entity, link))
        return tuple(found.values())
