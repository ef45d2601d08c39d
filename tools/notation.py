"""The terse lines in which a tool call is written, derived from the tool's typed arguments.

    route
    from Knoxville
    to Cincinnati
    via Lexington, KY; Berea
    any order
    avoid motorways, tolls
    hours 3.5
    leave 06:15
    max 200 mi

The first line names the tool, every other line one argument; an argument at its default has no
line, and the order of the lines is that of the fields. The form takes a third of the tokens of JSON.
A field says how it is written with ``Annotated[type, Line("word", form)]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

__all__ = [
    "Clock",
    "Flag",
    "Form",
    "Kinds",
    "Line",
    "Name",
    "Names",
    "Number",
    "Quantity",
    "grammar",
    "read_call",
    "write_call",
]

# No control characters and no line breaks of any kind: a name is one line of readable text.
_INSIDE = r"[^;,\x00-\x1f\x7f-\x9f\u2028\u2029]"
_EDGE = r"[^\s;,\x00-\x1f\x7f-\x9f\u2028\u2029]"
_NAME = rf"/{_EDGE}{_INSIDE}{{0,38}}{_EDGE}(, [A-Z][A-Z])?/"


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
class Name:
    """One name."""

    def rule(self, word: str) -> str:
        """``word NAME``."""
        return f'"{word} " NAME'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the name."""
        return f"{word} {value}"

    def read(self, rest: str) -> str:
        """The name."""
        return rest.strip()


@dataclass(frozen=True)
class Names:
    """One or more names, between semicolons."""

    def rule(self, word: str) -> str:
        """``word NAME; NAME``."""
        return f'"{word} " NAME ("; " NAME)*'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the names."""
        return f"{word} " + "; ".join(value)

    def read(self, rest: str) -> list[str]:
        """The names in order."""
        return [name.strip() for name in rest.split(";")]


@dataclass(frozen=True)
class Kinds:
    """A non-empty subset of fixed words, in alphabetical order."""

    kinds: tuple[str, ...]

    def rule(self, word: str) -> str:
        """Every subset spelled out."""
        ordered = sorted(self.kinds)
        subsets = (
            [k for i, k in enumerate(ordered) if bits >> i & 1] for bits in range(1, 2 ** len(ordered))
        )
        return "(" + " | ".join(f'"{word} {", ".join(subset)}"' for subset in subsets) + ")"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the kinds."""
        return f"{word} " + ", ".join(sorted(value))

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
        return f'"{word} " /[1-9][0-9]?(\\.[0-9]{{1,2}})?/'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the number without needless zeros."""
        return f"{word} {value:g}"

    def read(self, rest: str) -> float:
        """The number."""
        return float(rest)


@dataclass(frozen=True)
class Clock:
    """A 24-hour clock time."""

    def rule(self, word: str) -> str:
        """``word HH:MM``."""
        return f'"{word} " /([01][0-9]|2[0-3]):[0-5][0-9]/'

    def write(self, word: str, value: Any) -> str:
        """``word`` and the time."""
        return f"{word} {value}"

    def read(self, rest: str) -> str:
        """The time."""
        return rest.strip()


@dataclass(frozen=True)
class Quantity:
    """A whole number with a unit; read as the first unit, rounded.

    Attributes:
        units: Unit -> how many of the first unit one of it is.
    """

    units: Mapping[str, float]

    def rule(self, word: str) -> str:
        """``word 200 mi``."""
        return f'"{word} " /[1-9][0-9]{{0,4}}/ (' + " | ".join(f'" {unit}"' for unit in self.units) + ")"

    def write(self, word: str, value: Any) -> str:
        """``word`` and the quantity: text with its unit, or a number of the first unit."""
        return f"{word} {value}" if isinstance(value, str) else f"{word} {value:.0f} {next(iter(self.units))}"

    def read(self, rest: str) -> int:
        """The quantity in the first unit."""
        number, unit = rest.split()
        return round(float(number) * self.units[unit])


@dataclass(frozen=True)
class Line:
    """Marks a field of a tool's arguments: its line's first word or words, and its form."""

    word: str
    form: Form


def lines_of(arguments: type[BaseModel]) -> dict[str, Line]:
    """Field name -> its line, in the order of the fields.

    Raises:
        TypeError: If a field has no ``Line``.
    """
    found: dict[str, Line] = {}
    for name, info in arguments.model_fields.items():
        line = next((m for m in info.metadata if isinstance(m, Line)), None)
        if line is None:
            raise TypeError(
                f"{arguments.__name__}.{name} does not say how it is written: annotate it with Line"
            )
        found[name] = line
    return found


def grammar(calls: Mapping[str, type[BaseModel]]) -> str:
    """Lark grammar of a call of any of the tools (name -> type of its arguments)."""
    rules = ["start: " + " | ".join(f"call_{name}" for name in calls), f"NAME: {_NAME}"]
    for name, arguments in calls.items():
        parts = []
        for field, line in lines_of(arguments).items():
            rule = f"{name}_{field}"
            rules.append(f'{rule}: {line.form.rule(line.word)} "\\n"')
            parts.append(f"{rule}?")
        rules.append(f'call_{name}: "{name}\\n" ' + " ".join(parts))
    return "\n".join(rules) + "\n"


def write_call(name: str, arguments: type[BaseModel], values: Mapping[str, Any]) -> str:
    """Write a call; values that are missing, None, empty or the field's default have no line."""
    lines = [name]
    for field, line in lines_of(arguments).items():
        value = values.get(field)
        if value is None or value == [] or value == () or value == arguments.model_fields[field].default:
            continue
        lines.append(line.form.write(line.word, value))
    return "\n".join(lines) + "\n"


def read_call(
    text: str, calls: Mapping[str, type[BaseModel]]
) -> tuple[str, dict[str, Any], dict[str, tuple[int, int]]]:
    """Read a written call.

    Returns:
        The tool's name, its arguments as plain values, and where in ``text`` each argument stands.

    Raises:
        ValueError: If the text does not follow the grammar.
    """
    name, _, body = text.partition("\n")
    if name not in calls:
        raise ValueError(f"no tool is called {name!r}")
    by_word = {line.word: (field, line) for field, line in lines_of(calls[name]).items()}
    values: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    position = len(name) + 1
    for row in body.removesuffix("\n").split("\n") if body else ():
        match = next((w for w in by_word if row == w or row.startswith(w + " ")), None)
        if match is None:
            raise ValueError(f"no argument of {name!r} is written {row!r}")
        field, line = by_word[match]
        try:
            values[field] = line.form.read(row[len(match) + 1 :])
        except (KeyError, ValueError) as error:
            raise ValueError(f"cannot read {row!r}: {error}") from error
        places[field] = (position, position + len(row) + 1)
        position += len(row) + 1
    return name, values, places
