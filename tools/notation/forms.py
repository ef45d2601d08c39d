"""How one argument's value is written in a line: names, numbers, times, choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

__all__ = [
    "LABEL",
    "LABELS",
    "NAME",
    "NAMES",
    "TERMINALS",
    "Choice",
    "Clock",
    "Date",
    "Flag",
    "Form",
    "Kinds",
    "Number",
    "Plain",
    "Quantity",
    "Several",
]

# No control characters and no line breaks of any kind: a name is one line of readable text.
_INSIDE = r"[^;,\x00-\x1f\x7f-\x9f\u2028\u2029]"
_EDGE = r"[^\s;,\x00-\x1f\x7f-\x9f\u2028\u2029]"

TERMINALS = (
    rf"NAME: /{_EDGE}{_INSIDE}{{0,38}}{_EDGE}(, [A-Z][A-Z])?/",
    rf"LABEL: /{_EDGE}({_INSIDE}{{0,58}}{_EDGE})?/",
)
"""Lark terminals that the rules of the forms use: a place's name, any other name."""


def _after(word: str) -> str:
    """Lark for the word and the space after it; nothing where a value stands without a word."""
    return f'"{word} " ' if word else ""


def _joined(word: str, value: str) -> str:
    return f"{word} {value}" if word else value


class Form(Protocol):
    """How one argument's value is written after its word."""

    def rule(self, word: str) -> str:
        """Lark expression of the whole line, without its end."""
        ...

    def write(self, word: str, value: Any) -> str:
        """The line for a value."""
        ...

    def read(self, rest: str) -> Any:
        """The value, from what stands after the word."""
        ...


@dataclass(frozen=True)
class Plain:
    """A text that is written as it is.

    Attributes:
        pattern: Lark terminal, or regular expression between slashes, of the text.
    """

    pattern: str

    def rule(self, word: str) -> str:
        """``word TEXT``."""
        return f"{_after(word)}{self.pattern}"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the text."""
        return _joined(word, value)

    def read(self, rest: str) -> str:
        """The text."""
        return rest.strip()


@dataclass(frozen=True)
class Several:
    """One or more texts that are written as they are.

    Attributes:
        pattern: As of ``Plain``.
        between: What stands between two of them, before a space; it is in none of them.
    """

    pattern: str
    between: str

    def rule(self, word: str) -> str:
        """``word TEXT, TEXT``."""
        return f'{_after(word)}{self.pattern} ("{self.between} " {self.pattern})*'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the texts."""
        return _joined(word, f"{self.between} ".join(value))

    def read(self, rest: str) -> list[str]:
        """The texts in order."""
        return [text.strip() for text in rest.split(self.between)]


NAME = Plain("NAME")
"""A place, ``Springfield, IL``."""

NAMES = Several("NAME", ";")
"""Places, ``Springfield, IL; Peoria``."""

LABEL = Plain("LABEL")
"""A name of anything but a place: no comma in it."""

LABELS = Several("LABEL", ",")
"""Such names."""


_WITHOUT_YEAR = len("MM-DD")


@dataclass(frozen=True)
class Kinds:
    """A non-empty subset of fixed words, in alphabetical order."""

    kinds: tuple[str, ...]

    def rule(self, word: str) -> str:
        """Some first kind, then any of those after it in the alphabet."""
        ordered = sorted(self.kinds)
        chains = (
            " ".join([f'"{first}"', *(f'(", {kind}")?' for kind in ordered[place + 1 :])])
            for place, first in enumerate(ordered)
        )
        return f"{_after(word)}({' | '.join(chains)})"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the kinds."""
        return _joined(word, ", ".join(sorted(value)))

    def read(self, rest: str) -> list[str]:
        """The kinds, sorted."""
        return sorted({kind.strip() for kind in rest.split(",")})


@dataclass(frozen=True)
class Flag:
    """A line without a value; its presence means ``value``."""

    value: Any

    def rule(self, word: str) -> str:
        """The word itself."""
        return f'"{word}"'

    def write(self, word: str, value: Any) -> str:
        """The word."""
        return word

    def read(self, rest: str) -> Any:
        """What the line's presence means."""
        return self.value


@dataclass(frozen=True)
class Number:
    """A positive decimal number below 100."""

    def rule(self, word: str) -> str:
        """``word 3.5``."""
        return f"{_after(word)}/[1-9][0-9]?(\\.[0-9]{{1,2}})?/"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the number without needless zeros."""
        return _joined(word, f"{value:g}")

    def read(self, rest: str) -> float:
        """The number."""
        return float(rest)


@dataclass(frozen=True)
class Clock:
    """A clock time: ``HH:MM`` of 24 hours as a value, ``H:MM am`` or ``H:MM pm`` in the line.

    People mostly say the hour of twelve; a line in their own clock is copied, not computed.
    """

    def rule(self, word: str) -> str:
        """``word H:MM pm``."""
        return f'{_after(word)}/(1[0-2]|[1-9]):[0-5][0-9]/ (" am" | " pm")'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the time."""
        hour, minute = map(int, value.split(":"))
        return _joined(word, f"{hour % 12 or 12}:{minute:02d} {'am' if hour < 12 else 'pm'}")

    def read(self, rest: str) -> str:
        """The time of 24 hours."""
        clock, half = rest.split()
        hour, minute = map(int, clock.split(":"))
        return f"{hour % 12 + 12 * (half == 'pm'):02d}:{minute:02d}"


class Date(Plain):
    """A day, ``YYYY-MM-DD``; or ``MM-DD`` where nobody said the year."""

    def __init__(self) -> None:
        super().__init__("/(20[0-9][0-9]-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])/")

    def read(self, rest: str) -> str:
        """The day, if the calendar has it, or could have it in some year."""
        said = rest.strip()
        date.fromisoformat(said if len(said) > _WITHOUT_YEAR else f"2000-{said}")
        return said


@dataclass(frozen=True)
class Choice:
    """One of fixed words."""

    choices: tuple[str, ...]

    def rule(self, word: str) -> str:
        """``word CHOICE``."""
        choices = " | ".join(f'"{choice}"' for choice in self.choices)
        return f"{_after(word)}({choices})"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the choice."""
        return _joined(word, value)

    def read(self, rest: str) -> str:
        """The choice."""
        if rest not in self.choices:
            raise ValueError(f"{rest!r} is none of {', '.join(self.choices)}")
        return rest


@dataclass(frozen=True)
class Quantity:
    """A number with a unit; read as the first unit.

    Attributes:
        units: Unit -> how many of the first unit one of it is.
        places: Decimal places that the number may have, and that it is rounded to when read.
    """

    units: Mapping[str, float]
    places: int = 0

    def rule(self, word: str) -> str:
        """``word 200 mi``."""
        decimals = f"(\\.[0-9]{{1,{self.places}}})?" if self.places else ""
        number = f"[1-9][0-9]{{0,4}}{decimals}" + (f"|0\\.[0-9]{{1,{self.places}}}" if self.places else "")
        units = " | ".join(f'" {unit}"' for unit in self.units)
        return f"{_after(word)}/{number}/ ({units})"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the quantity: text with its unit, or a number of the first unit."""
        said = value if isinstance(value, str) else f"{round(value, self.places):g} {next(iter(self.units))}"
        return _joined(word, said)

    def read(self, rest: str) -> float:
        """The quantity in the first unit."""
        number, unit = rest.split()
        found = round(float(number) * self.units[unit], self.places)
        return found if self.places else int(found)
