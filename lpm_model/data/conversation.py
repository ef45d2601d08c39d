"""What the generators produce: conversations whose meaning after each turn is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Conversation", "Place", "PlaceNames", "Turn"]

Domain = Literal["route", "project", "code"]


@dataclass(frozen=True, slots=True)
class Place:
    """A town that a request may name: official name, two-letter state, inhabitants."""

    name: str
    state: str
    population: int = 0


@dataclass(frozen=True, slots=True)
class PlaceNames:
    """The names a generator draws from.

    Attributes:
        towns: Towns, largest first.
        nicknames: Ways of naming a town that are not its name ("Philly", "Windy City").
    """

    towns: Sequence[Place]
    nicknames: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What the person says, and the whole meaning in force afterwards.

    Attributes:
        user: The text.
        means: Fields of the public request schema, with places as they were named (canonical
            spelling, the state only where the person gave it) and distances as text with their unit.
    """

    user: str
    means: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of one conversation in one domain."""

    domain: Domain
    turns: Sequence[Turn] = field(default_factory=tuple)
