"""What the generators produce: conversations whose meaning after each turn is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

__all__ = ["Conversation", "Conversations", "Domain", "Place", "PlaceNames", "Turn"]

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


class Conversations(ABC):
    """Draws conversations of one domain, of one turn or several.

    Args:
        rng: Source of chance.
        turns: Weights of conversations of 1, 2, 3, ... turns.
    """

    def __init__(self, rng: Random, turns: tuple[float, ...] = (1.0,)) -> None:
        self.rng, self.turns = rng, turns

    @abstractmethod
    def conversation(self) -> Conversation:
        """Draw a conversation."""

    def length(self) -> int:
        """Draw the number of turns."""
        return self.rng.choices(range(1, len(self.turns) + 1), self.turns)[0]
