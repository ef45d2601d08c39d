"""Names of what people keep records of: entities, fields and the types that fields' names imply."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from random import Random
from typing import Any

from lpm_model.data.phrases import phrases

__all__ = ["TYPES", "Fields", "Vocabulary", "article", "camel", "plural", "snake", "spaced"]

Fields = dict[str, str]

TYPES = ("str", "text", "int", "float", "bool", "date", "datetime", "email")
_COMPOSED_TYPES = (
    "str",
    "str",
    "text",
    "int",
    "int",
    "float",
    "float",
    "bool",
    "date",
    "datetime",
    "email",
    "enum",
)
_IRREGULAR = {
    "shelf": "shelves", "calf": "calves", "leaf": "leaves", "quiz": "quizzes", "hero": "heroes",
    "analysis": "analyses", "hypothesis": "hypotheses",
}  # fmt: skip


def spaced(name: str) -> str:
    """``GymMember`` or ``gym_member`` in words: "gym member"."""
    return "".join(f" {c}" if c.isupper() else c for c in name).strip().lower().replace("_", " ")


def snake(name: str) -> str:
    """``GymMember`` as "gym_member"."""
    return spaced(name).replace(" ", "_")


def camel(words: str) -> str:
    """The words "gym member" as ``GymMember``."""
    return "".join(word.capitalize() for word in words.replace("_", " ").split())


def plural(name: str) -> str:
    """The plural of a name in any spelling: only its end changes."""
    for one, many in _IRREGULAR.items():
        if name.lower().endswith(one):
            return name[: -len(one) + 1] + many[1:]
    if name[-1] in "yY" and name[-2].lower() not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.lower().endswith(("s", "x", "z", "ch", "sh")) else "s")


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    low = words.lower().lstrip("\"'`*")
    vowel = low[:1] in tuple("aeiou") and not low.startswith(
        ("uni", "use", "usa", "eu", "one", "once", "uri", "url")
    )
    return f"{'an' if vowel or low.startswith(('hour', 'honest')) else 'a'} {words}"


@functools.cache
def _implied() -> dict[str, dict[str, str]]:
    """Per place of the word (first, last, exact): word -> type."""
    tables = phrases("code/fields")
    return {
        part: {word: kind for kind, words in tables[part].items() for word in words}
        for part in ("exact", "first", "last")
    }


def _split(fields: str) -> list[str]:
    """The entries of "title, state:enum(a,b)", commas in brackets left alone."""
    out, depth = [""], 0
    for c in fields:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            out.append("")
        else:
            out[-1] += c
    return [entry.strip() for entry in out]


class Domain:
    """What one kind of place keeps records of.

    Attributes:
        place: Noun phrase without article.
        entities: Entity -> its fields.
        links: Pairs of entities with their relation, as in the public schema.
    """

    def __init__(self, entry: dict[str, str], implied: Any) -> None:
        self.place = entry["place"]
        self.entities: dict[str, Fields] = {}
        for name in entry:
            if name not in ("place", "links"):
                pairs = (field.partition(":") for field in _split(entry[name]))
                self.entities[name] = {field: kind or implied(field) for field, _, kind in pairs}
        self.links = [_link(link) for link in entry["links"].split()]


def _link(link: str) -> list[str]:
    for sign, relation in ((">", "belongs_to"), ("~", "many_to_many")):
        first, found, second = link.partition(sign)
        if found:
            return [first, relation, second]
    raise ValueError(link)


@functools.cache
def _domains() -> tuple[Domain, ...]:
    return tuple(Domain(entry, Vocabulary.implied) for entry in phrases("code/domains").values())


@functools.cache
def _field_pool() -> tuple[tuple[str, str], ...]:
    """Every field of every domain with its type."""
    return tuple(
        pair for d in _domains() for fields in d.entities.values() for pair in fields.items() if pair[1]
    )


class Vocabulary:
    """Draws entities and fields, from the domains and composed of words.

    Args:
        rng: Source of chance.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.words = phrases("code/words")
        self.tables = phrases("code/fields")

    @staticmethod
    def implied(field: str) -> str | None:
        """The type that a field's name implies, or None if it must be said."""
        parts, tables = field.split("_"), _implied()
        if field in tables["exact"]:
            return tables["exact"][field]
        if len(parts) > 1 and parts[0] in tables["first"]:
            return tables["first"][parts[0]]
        return tables["last"].get(parts[-1])

    def domain(self) -> Domain:
        """Any domain."""
        return self.rng.choice(_domains())

    # -- entities ----------------------------------------------------------------------------

    def entity_name(self, taken: Iterable[str]) -> str:
        """A composed or borrowed name that shares no word with those taken."""
        rng, words = self.rng, self.words
        used = {word for name in taken for word in spaced(name).split()}
        while True:
            kind = rng.random()
            if kind < 0.3:
                name = rng.choice(words["things"])
            elif kind < 0.7:
                name = rng.choice(words["qualifiers"]) + rng.choice(words["things"])
            elif kind < 0.78:
                name = "".join(
                    rng.choice(words["syllables"]) for _ in range(rng.choice((2, 2, 3)))
                ).capitalize()
            else:
                name = rng.choice(list(self.domain().entities))
            parts = spaced(name).split()
            if not used & {*parts, plural(name).lower()} and len(set(parts)) == len(parts):
                return name

    def qualified(self, name: str) -> str:
        """A longer name that ends in ``name``."""
        qualifier = self.rng.choice(self.words["qualifiers"])
        return name if qualifier.lower() in spaced(name).split() else qualifier + name

    # -- fields ------------------------------------------------------------------------------

    def field(self, taken: Collection[str], kind: str | None = None) -> tuple[str, str]:
        """Name and type of a field.

        Args:
            taken: Names and words that it must not be.
            kind: The type that it must have ("enum" for any enumeration), if any.
        """
        while True:
            if self.rng.random() < 0.4:
                name, of_type = self.rng.choice(_field_pool())
            else:
                name, of_type = self._composed(kind or self.rng.choice(_COMPOSED_TYPES))
            fits = kind in (None, of_type) or (kind == "enum" and of_type.startswith("enum"))
            if fits and name not in taken and spaced(name) not in taken:
                return name, of_type

    def _composed(self, kind: str) -> tuple[str, str]:
        rng, words = self.rng, self.words
        if kind == "enum":
            last = rng.choice(list(self.tables["choices"]))
            choices = f"enum({rng.choice(self.tables['choices'][last])})"
            return (last if rng.random() < 0.6 else f"{rng.choice(words['subjects'])}_{last}"), choices
        if kind == "datetime" or (kind == "date" and rng.random() < 0.4):
            return rng.choice(words["verbs"]) + ("_at" if kind == "datetime" else "_on"), kind
        if kind == "bool" and rng.random() < 0.75:
            if rng.random() < 0.65:
                return f"is_{rng.choice(words['states'])}", kind
            return f"has_{rng.choice(words['parts'])}", kind
        last = rng.choice(words["measures"][kind])
        if kind in ("bool", "text") and rng.random() < 0.5:
            return last, kind
        return f"{rng.choice(words['subjects'])}_{last}", kind

    def retyped(self, name: str, kind: str) -> str:
        """Another type that a person may well choose for the field; the same if there is none."""
        others = self.tables["other"].get(kind, ())
        fixed = name.startswith(("is_", "has_")) or name.endswith(("_on", "_at"))
        rare = kind == "str" and self.rng.random() < 0.7  # few people want a name in several paragraphs
        return kind if fixed or rare or not others else str(self.rng.choice(others))

    # -- all together ------------------------------------------------------------------------

    def draw(self, count: int) -> tuple[str | None, dict[str, Fields], list[list[str]]]:
        """A place (None if the entities have none), ``count`` entities with fields, and fitting relations."""
        rng = self.rng
        domain = self.domain()
        if len(domain.entities) < count or rng.random() < 0.3:
            return None, self._invented(count), []
        names = rng.sample(list(domain.entities), count)
        if rng.random() < 0.7:  # as the domain lists them: the main thing first
            names.sort(key=list(domain.entities).index)
        new = {name: self.qualified(name) if rng.random() < 0.12 else name for name in names}
        most = 6 if count < 3 else 5
        entities = {new[name]: self._some(domain.entities[name], most) for name in names}
        links = [[new[a], kind, new[b]] for a, kind, b in domain.links if a in new and b in new]
        return domain.place, self._without_clashes(entities), links

    def _invented(self, count: int) -> dict[str, Fields]:
        entities: dict[str, Fields] = {}
        for _ in range(count):
            fields: Fields = {}
            if self.rng.random() < 0.5:
                fields[self.rng.choice(("name", "title", "label", "code"))] = "str"
            for _ in range(self.rng.choices((1, 2, 3, 4, 5), (10, 28, 36, 19, 7))[0] - len(fields)):
                name, kind = self.field(fields)
                fields[name] = kind
            name, kind = self.field(fields)
            entities[self.entity_name(entities)] = fields or {name: kind}
        return self._without_clashes(entities)

    def _some(self, fields: Fields, most: int) -> Fields:
        """Some of the fields in their order, at times with one more, at times with other types."""
        rng = self.rng
        number = min(len(fields), most, rng.choices((1, 2, 3, 4), (8, 27, 38, 27))[0])
        kept = sorted(rng.sample(range(len(fields)), number))
        if rng.random() < 0.6:
            kept = list(range(number))
        chosen = {name: kind for i, (name, kind) in enumerate(fields.items()) if i in kept}
        for name, kind in chosen.items():
            if rng.random() < 0.07:
                chosen[name] = self.retyped(name, kind)
        while len(chosen) < most and rng.random() < 0.25:
            name, kind = self.field(chosen)
            chosen[name] = kind
        return chosen

    def _without_clashes(self, entities: dict[str, Fields]) -> dict[str, Fields]:
        """No field is called like an entity: "each book has one author" would be a relation or a field."""
        words = {spaced(name) for name in entities} | {spaced(plural(name)) for name in entities}
        for name, fields in entities.items():
            kept = {field: kind for field, kind in fields.items() if spaced(field) not in words}
            entities[name] = kept or dict([self.field(words)])
        return entities
