"""What is particular to one domain's answers where they are shown.

Names may come from anybody's text: what a terminal would obey instead of showing is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from planner.answer import Answer

__all__ = ["Domain", "field_lines", "shown", "visible"]


@dataclass(frozen=True)
class Domain:
    """How one domain's results are shown; everything else is the same for all.

    Attributes:
        empty: Fields of the JSON object that only this domain has, where there is no result.
        fields: The same of an answer.
        understood: The constraints as a name and its value in words, a line each.
        show: Prints the result; called where there is one.
        unsatisfied: The sentence after a result that does not keep every wish.
    """

    empty: Mapping[str, Any]
    fields: Callable[[Answer], dict[str, Any]]
    understood: Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]
    show: Callable[[Answer, Console], None]
    unsatisfied: Callable[[Answer], str]


def visible(text: str) -> str:
    """The text without anything that controls a terminal: escapes, bells, overwriting, writing backwards."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def shown(text: str) -> str:
    """The text as rich prints it: visible, and no markup."""
    return escape(visible(text))


def field_lines(constraints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every constraint's name, and its value as a list of words."""
    for name, value in constraints.items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
