"""How one person spells names, words types and lists fields within one text; and noise that spares names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from string import Formatter
from typing import Any

from lpm_model.data.code.words import Vocabulary, article, camel, plural, snake, spaced
from lpm_model.data.noise import NUMBER_WORDS, disturb
from lpm_model.data.phrases import phrases

__all__ = ["Habits", "Speaker", "choices_of", "holes", "scheme_type"]

_FIRST_VEIL = 0xE000  # private use: no letter, so noise passes over it
# Misspelt, these would name another type, or say the opposite.
_KEEP = {
    *NUMBER_WORDS, "date", "time", "text", "day", "long", "short", "number", "whole", "many", "with",
    "without", "must", "need", "never", "drop", "keep", "yes", "string", "float", "integer", "decimal",
    "list", "lists", "just", "page", "pages", "login", "email", "mail", "have", "tool",
}  # fmt: skip

_WHEN = {
    ("on", "date"): ("the day it was {verb}", "the date it was {verb}", "which day it was {verb}"),
    ("at", "datetime"): ("the day and time it was {verb}", "date and time it was {verb}"),
}
# Fields named by mistake, and how that is mended.
_SLIPS = ("weight", "color", "price", "number", "code", "size", "rank", "country", "date", "level", "height")
_TAKEN_BACK = (
    " - no,",
    " - sorry,",
    "... no,",
    "... I mean",
    " - no wait,",
    " - scratch that,",
    " or rather",
)
_SLIP_SHARE = 0.02


def holes(template: str) -> set[str]:
    """The placeholders of a phrase."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def choices_of(kind: str) -> list[str]:
    """The choices of "enum(a,b)"; none for other types."""
    return kind[5:-1].split(",") if kind.startswith("enum(") else []


def _wordings(choices: Sequence[str]) -> dict[str, str]:
    """An enumeration's choices in each way that type words may ask for."""
    head, last = ", ".join(choices[:-1]), choices[-1]
    return {
        "comma": ", ".join(choices),
        "bare": ",".join(choices),
        "quoted": ", ".join(f"'{choice}'" for choice in choices),
        "or": f"{head} or {last}" if head else last,
        "and": f"{head} and {last}" if head else last,
        "slash": "/".join(choices),
        "pipe": "|".join(choices),
    }


def scheme_type(vocabulary: str, kind: str) -> str:
    """A type in one of the vocabularies of ``types.yaml`` ("sql", "py", ...)."""
    words: Mapping[str, str] = phrases("code/types")[vocabulary]
    choices = choices_of(kind)
    return words["enum"].format(**_wordings(choices)) if choices else words[kind]


@dataclass(frozen=True, slots=True)
class Habits:
    """What stays the same throughout one text.

    Attributes:
        entity: Spelling of entities: "spaced", "title", "camel" or "snake".
        field: Spelling of fields: "spaced", "snake", "camel" or "quoted".
        explicit: Share of types that are said although the field's name implies them.
        words: Register of type words: "short" or "plain".
    """

    entity: str
    field: str
    explicit: float
    words: str

    @staticmethod
    def draw(rng: Random, *, plain: bool) -> Habits:
        """Habits of a person; ``plain`` of one who knows no programming."""
        if plain:
            return Habits("spaced", "spaced", rng.choice((0.0, 0.1, 0.4)), "plain")
        return Habits(
            rng.choices(("spaced", "title", "camel", "snake"), (50, 12, 32, 6))[0],
            rng.choices(("spaced", "snake", "camel", "quoted"), (50, 42, 3, 5))[0],
            rng.choice((0.0, 0.1, 0.3, 0.6, 1.0)),
            rng.choices(("short", "plain"), (75, 25))[0],
        )


class Speaker:
    """Puts names and types into phrases, and then noise around them.

    What must survive noise is hidden behind one private-use character each and put back at the end.

    Args:
        rng: Source of chance.
        habits: The person's habits.
    """

    def __init__(self, rng: Random, habits: Habits) -> None:
        self.rng, self.habits = rng, habits
        self.types = phrases("code/types")
        self._hidden: list[str] = []

    # -- hiding ------------------------------------------------------------------------------

    def hide(self, text: str) -> str:
        """A character that stands for ``text``, which noise cannot change then."""
        self._hidden.append(text)
        return chr(_FIRST_VEIL + len(self._hidden) - 1)

    def _reveal(self, text: str, *, lower: bool = False, upper: bool = False) -> str:
        out = []
        for c in text:
            hidden = self._hidden_in(c)
            # "GymMember" written small could no longer be told from one word.
            if hidden != c and not _has_inner_capital(hidden):
                hidden = hidden.lower() if lower else hidden.upper() if upper else hidden
            out.append(hidden)
        return "".join(out)

    def freeze(self, text: str) -> str:
        """Hide a phrase together with the names that are hidden in it."""
        return self.hide("".join(self._hidden_in(c) for c in text))

    def _hidden_in(self, c: str) -> str:
        index = ord(c) - _FIRST_VEIL
        return self._hidden[index] if 0 <= index < len(self._hidden) else c

    def say(self, text: str) -> str:
        """The text with noise, names put back."""
        noisy = disturb(self.rng, text, phrases("code/talk")["filler"], _KEEP)
        lowered = noisy == noisy.lower() and text != text.lower()
        return self._reveal(noisy, lower=lowered, upper=noisy.isupper())

    def say_calmly(self, text: str) -> str:
        """The text without noise, names put back."""
        return self._reveal(text)

    # -- names -------------------------------------------------------------------------------

    def entity(self, name: str) -> str:
        """The entity as this person spells it."""
        style = self.habits.entity
        if style == "camel":
            return name
        return snake(name) if style == "snake" else spaced(name).title() if style == "title" else spaced(name)

    def forms(self, key: str, name: str) -> dict[str, str]:
        """Placeholder -> an entity's name in singular and plural, with article, and at a sentence's start."""
        one = self.entity(name)
        many = plural(one)
        return {
            key: self.hide(one),
            f"{key}s": self.hide(many),
            f"a_{key}": self.hide(article(one)),
            f"q_{key}": self.hide(f'"{one}"'),
            key.upper(): self.hide(self._opening(one)),
            f"{key.upper()}s": self.hide(self._opening(many)),
            f"A_{key}": self.hide(self._opening(article(one))),
        }

    def _opening(self, words: str) -> str:
        return words if self.habits.entity == "snake" else words[0].upper() + words[1:]

    def listed(self, names: Sequence[str]) -> str:
        """Several entities in the plural: "books, authors and sales"."""
        many = [self.hide(plural(self.entity(name))) for name in names]
        if len(many) == 1:
            return many[0]
        comma = self.hide(",")
        last = " and " if self.rng.random() < 0.9 else " & "
        return f"{comma} ".join(many[:-1]) + last + many[-1]

    def _spelt(self, field: str, kind: str = "") -> str:
        """The field as this person spells it, without veil."""
        style = self.habits.field
        code_like = field.startswith(("is_", "has_")) or field.endswith(("_on", "_at", "_by"))
        if style == "camel":
            return field.split("_")[0] + camel("_".join(field.split("_")[1:]))
        if style == "snake" or (style == "spaced" and code_like and self.habits.words != "dictated"):
            return field
        if style == "spaced" and field == kind == "email":
            return self.rng.choice(("email", "email", "e-mail", "e-mail address", "email address"))
        return f"'{spaced(field)}'" if style == "quoted" else spaced(field)

    def field(self, field: str, kind: str = "") -> str:
        """The field as this person spells it; its type, if given, may show in the spelling."""
        return self.hide(self._spelt(field, kind))

    # -- types -------------------------------------------------------------------------------

    def type_words(self, kind: str, register: str) -> str:
        """Words for a type: "short", "plain", "clause" or "lead"."""
        choices = choices_of(kind)
        words: str = self.rng.choice(self.types["enum" if choices else kind][register])
        return self.hide(words.format(**_wordings(choices))) if choices else words

    def _gloss(self, field: str, kind: str) -> str:
        """What stands in brackets after a field: its type, at times by what the field tells."""
        verb, _, when = field.partition("_")
        if verb in phrases("code/words")["verbs"] and (when, kind) in _WHEN and self.rng.random() < 0.4:
            return self.rng.choice(_WHEN[when, kind]).format(verb=verb)
        return self.type_words(kind, self.habits.words)

    def must_say(self, field: str, kind: str) -> bool:
        """Whether the type is said: it must be unless the field's name implies it."""
        return Vocabulary.implied(field) != kind or self.rng.random() < self.habits.explicit

    def is_clause(self, kind: str) -> str:
        """What stands after "NAME is"."""
        return self.type_words(kind, "clause")

    # -- lists of fields ---------------------------------------------------------------------

    def bare(self, fields: Mapping[str, str], untyped: Sequence[str] = ()) -> str:
        """Fields without articles: "title, price (decimal)".

        Args:
            fields: Names and types.
            untyped: Those whose type is said elsewhere.
        """
        form = self.rng.choices(("paren", "colon", "space", "dash"), (64, 16, 14, 6))[0]
        vocabulary = self.rng.choice(("scheme", "pipes"))
        items = []
        for name, kind in fields.items():
            item = self.field(name, kind)
            if name not in untyped and self.must_say(name, kind):
                code = self.hide(scheme_type(vocabulary, kind))
                if form == "paren" or self.habits.words == "plain":
                    item += f" ({self._gloss(name, kind)})"
                else:
                    item += {"colon": f": {code}", "space": f" {code}", "dash": f" - {code}"}[form]
            items.append(item)
        comma = self.hide(",")
        if len(items) > 1 and self.rng.random() < 0.4:
            return f"{comma} ".join(items[:-1]) + f" and {items[-1]}"
        return f"{comma} ".join(items)

    def art(self, fields: Mapping[str, str], untyped: Sequence[str] = ()) -> str:
        """Fields with articles: "a title, how many pages and a price (decimal)"."""
        items = [
            self._with_article(name, None if name in untyped else kind, kind) for name, kind in fields.items()
        ]
        if len(items) == 1:
            return items[0]
        last = " and " if self.rng.random() < 0.85 else f"{self.hide(',')} and "
        return f"{self.hide(',')} ".join(items[:-1]) + last + items[-1]

    def _slip(self, fields: Mapping[str, str]) -> str:
        """Now and then another field that is taken back at once: "a weight, no wait, "."""
        wrong = self.rng.choice(_SLIPS)
        if wrong in fields or self.rng.random() >= _SLIP_SHARE:
            return ""
        return f"{self.hide(article(wrong))}{self.rng.choice(_TAKEN_BACK)} "

    def _with_article(self, name: str, kind: str | None, true_kind: str) -> str:
        """One field with article, its type if that has to be said."""
        rng, tables = self.rng, phrases("code/fields")
        if kind == "int" and name in tables["plural_counts"] and rng.random() < 0.35:
            return f"how many {self.field(name)}"
        if kind == "bool" and name in tables["adjectives"] and rng.random() < 0.5:
            return f"whether it is {self.field(name)}"
        spelt = self._spelt(name, true_kind)
        plain_name = "_" in spelt or _is_plural(name) or true_kind == "bool"
        said = self.hide(spelt if plain_name else article(spelt))
        if kind is None or not self.must_say(name, kind):
            return said
        if rng.random() < 0.3:
            return f"{self.type_words(kind, 'lead')} called {self.hide(spelt)}"
        if rng.random() < 0.15 and not choices_of(kind):
            return f"{said} as {self.type_words(kind, 'clause')}"
        return f"{said} ({self._gloss(name, kind)})"

    def dictated(self, fields: Mapping[str, str]) -> str:
        """Fields as they are spoken: "a title and a price which is a decimal"."""
        rng, items = self.rng, []
        for name, kind in fields.items():
            words = spaced(name)
            code_like = name.startswith(("is_", "has_")) or name.endswith(("_on", "_at", "_by"))
            item = self.hide(words if code_like or _is_plural(name) or kind == "bool" else article(words))
            if self.must_say(name, kind):
                said = self.type_words(kind, "clause")
                if choices_of(kind):
                    said = self.hide(f"either {_wordings(choices_of(kind))['or'].replace(',', ' or')}")
                item += rng.choice((" which is ", " that's ", " as in ", " and that's ")) + said
            items.append(item)
        return rng.choice((" and ", " and ", " and um ", " then ", f"{self.hide(' comma ')}")).join(items)

    # -- phrases -----------------------------------------------------------------------------

    def pick(self, templates: Sequence[str], **values: Any) -> str:
        """A phrase whose placeholders all have values, filled."""
        fitting = [template for template in templates if holes(template) <= values.keys()]
        return self.rng.choice(fitting).format(**values)


def _has_inner_capital(text: str) -> bool:
    """Whether case holds the words of some name apart, as in ``GymMember``."""
    return any(a.islower() and b.isupper() for a, b in pairwise(text))


def _is_plural(name: str) -> bool:
    return name.endswith("s") and not name.endswith(("ss", "us", "is", "species"))
