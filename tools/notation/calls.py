"""A call as lines: its grammar, how it is written, how it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tools.notation.forms import TERMINALS, Form

__all__ = ["Each", "Line", "Record", "grammar", "lines_begun", "lines_of", "read_call", "write_call"]


@dataclass(frozen=True)
class Record:
    """A record in one line: ``task drywall; 4 d; after rough-in; by Ray``.

    Attributes:
        record: Type of a record; its first field stands behind the line's word, every further one that
            is not at its default behind "; " and a word of its own, if it has one.
    """

    record: type[BaseModel]

    def rule(self, word: str) -> str:
        """The first field, then the others behind semicolons."""
        (_, (head, _)), *rest = lines_of(self.record).items()
        parts = [head.form.rule(word)]
        for _, (line, info) in rest:
            part = f'("; " {line.form.rule(line.word)})'
            parts.append(part if info.is_required() else f"{part}?")
        return " ".join(parts)

    def write(self, word: str, value: Any) -> str:
        """The record's line."""
        (name, (head, _)), *rest = lines_of(self.record).items()
        parts = [
            line.form.write(line.word, value[key])
            for key, (line, info) in rest
            if _said(info, value.get(key))
        ]
        return "; ".join([head.form.write(word, value[name]), *parts])

    def read(self, rest: str) -> dict[str, Any]:
        """The record.

        Raises:
            ValueError: If a part belongs to no field.
        """
        (name, (head, _)), *others = lines_of(self.record).items()
        first, *parts = rest.split("; ")
        found = {name: head.form.read(first)}
        for part in parts:
            match = next(
                (
                    (key, line)
                    for key, (line, _) in others
                    if key not in found and (not line.word or part.startswith(line.word + " "))
                ),
                None,
            )
            if match is None:
                raise ValueError(f"no part of a record is written {part!r}")
            key, line = match
            found[key] = line.form.read(part[len(line.word) :].strip())
        return found


@dataclass(frozen=True)
class Each:
    """A list, every item in a line of its own that starts with the same word."""

    item: Form

    def rule(self, word: str) -> str:
        """The rule of one item."""
        return self.item.rule(word)

    def write(self, word: str, value: Any) -> str:
        """One item."""
        return self.item.write(word, value)

    def read(self, rest: str) -> Any:
        """One item."""
        return self.item.read(rest)


@dataclass(frozen=True)
class Line:
    """Marks a field of a tool's arguments: its line's first word or words, and its form."""

    word: str
    form: Form


def lines_of(arguments: type[BaseModel]) -> dict[str, tuple[Line, FieldInfo]]:
    """Field name (its alias, where it has one) -> its line and the field, in the order of the fields.

    Raises:
        TypeError: If a field has no ``Line``.
    """
    found: dict[str, tuple[Line, FieldInfo]] = {}
    for name, info in arguments.model_fields.items():
        line = next((m for m in info.metadata if isinstance(m, Line)), None)
        if line is None:
            raise TypeError(
                f"{arguments.__name__}.{name} does not say how it is written: annotate it with Line"
            )
        found[info.alias or name] = line, info
    return found


def lines_begun(arguments: type[BaseModel], text: str) -> list[str]:
    """Names of the fields whose line may begin with ``text``, which is a part of the line or all of it."""
    return [
        field
        for field, (line, _) in lines_of(arguments).items()
        if text and (line.word.startswith(text) or text.startswith((line.word + " ", line.word + "\n")))
    ]


def grammar(calls: Mapping[str, type[BaseModel]]) -> str:
    """Lark grammar of a call of any of the tools (name -> type of its arguments)."""
    rules = ["start: " + " | ".join(f"call_{name}" for name in calls), *TERMINALS]
    for name, arguments in calls.items():
        parts = []
        for field, (line, _) in lines_of(arguments).items():
            rule = f"{name}_{field}"
            rules.append(f'{rule}: {line.form.rule(line.word)} "\\n"')
            parts.append(f"{rule}*" if isinstance(line.form, Each) else f"{rule}?")
        rules.append(f'call_{name}: "{name}\\n" ' + " ".join(parts))
    return "\n".join(rules) + "\n"


def _said(info: FieldInfo, value: Any) -> bool:
    """Whether a value is worth writing: there is one, and it is not the field's default."""
    return not (value is None or value in ([], ()) or value == info.default)


def write_call(name: str, arguments: type[BaseModel], values: Mapping[str, Any]) -> str:
    """Write a call; values that are missing, None, empty or the field's default have no line."""
    lines = [name]
    for field, (line, info) in lines_of(arguments).items():
        if _said(info, values.get(field)):
            every = values[field] if isinstance(line.form, Each) else [values[field]]
            lines += [line.form.write(line.word, value) for value in every]
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
    by_word = {line.word: (field, line) for field, (line, _) in lines_of(calls[name]).items()}
    values: dict[str, Any] = {}
    places: dict[str, tuple[int, int]] = {}
    for row, start, end in _rows(body, len(name) + 1):
        match = next((w for w in by_word if row == w or row.startswith(w + " ")), None)
        if match is None:
            raise ValueError(f"no argument of {name!r} is written {row!r}")
        field, line = by_word[match]
        try:
            value = line.form.read(row[len(match) + 1 :])
        except (KeyError, ValueError) as error:
            raise ValueError(f"cannot read {row!r}: {error}") from error
        if isinstance(line.form, Each):
            values.setdefault(field, []).append(value)
        else:
            values[field] = value
        places[field] = (places.get(field, (start, end))[0], end)
    return name, values, places


def _rows(body: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Each line with the places of its start and of its end in the whole text."""
    for row in body.removesuffix("\n").split("\n") if body else ():
        yield row, position, position + len(row) + 1
        position += len(row) + 1
