"""Code requests: first turns, composed of what to build, its entities, their relations and its features.

A request is drawn in three steps: the meaning, the words for it in one of several layouts (prose,
terse notes, notation, bullets, numbered requirements, dictation), and the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from lpm_model.data.code.speaker import Habits, Speaker, choices_of, scheme_type
from lpm_model.data.code.words import Fields, Vocabulary, article, plural, snake, spaced
from lpm_model.data.phrases import phrases

__all__ = ["FEATURES", "KINDS", "CodeDraft", "CodeRequests", "Words"]

KINDS = {"rest_api": 0.42, "cli": 0.32, "library": 0.26}
FEATURES = {
    "auth": 0.24, "pagination": 0.22, "search": 0.26, "filter": 0.22, "csv_export": 0.22, "soft_delete": 0.2,
    "timestamps": 0.21, "stats": 0.2,
}  # fmt: skip
# Which fields a feature is naturally tied to.
_FILTERED, _SEARCHED, _SUMMED = ("enum", "bool", "str", "date"), ("str", "text"), ("int", "float")
_FIELDS_OF = {"filter": _FILTERED, "search": _SEARCHED, "stats": _SUMMED}
_LONGEST = 430  # few people write more than this many characters at once
_TRIES = 5


@dataclass
class CodeDraft:
    """A request in the making.

    Attributes:
        kind: What to build.
        entities: Entity -> field -> type, in order of mention.
        relations: As in the public schema.
        features: Wanted features, sorted.
        denied: Features said not to be wanted.
        place: What it is for, without article.
    """

    kind: str
    entities: dict[str, Fields]
    relations: list[list[str]] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    place: str = ""

    @property
    def means(self) -> dict[str, Any]:
        """The meaning in the fields of the public schema, defaults left out."""
        entities = [{"name": name, "fields": dict(fields)} for name, fields in self.entities.items()]
        means: dict[str, Any] = {"kind": self.kind, "entities": entities}
        if self.relations:
            means["relations"] = [list(relation) for relation in self.relations]
        if self.features:
            means["features"] = list(self.features)
        return means


class Words:
    """Phrases for the parts of a request, in one person's words.

    Args:
        rng: Source of chance.
        speaker: The person.
        entities: What may be referred to.
    """

    def __init__(self, rng: Random, speaker: Speaker, entities: Mapping[str, Fields]) -> None:
        self.rng, self.speaker, self.entities = rng, speaker, entities

    def feature(self, feature: str, form: str) -> str:
        """A phrase for a feature: "sentence", "fragment", "noun", "formal" or "without"."""
        name = self.rng.choice(list(self.entities))
        values = self.speaker.forms("e", name)
        wanted = _FIELDS_OF.get(feature, ())
        fitting = [
            (field, kind) for field, kind in self.entities[name].items() if kind.split("(")[0] in wanted
        ]
        if fitting and form != "without":
            chosen, kind = self.rng.choice(fitting)
            values["f"] = self.speaker.field(chosen)
            if choices_of(kind):
                values["v"] = self.speaker.hide(self.rng.choice(choices_of(kind)))
        return self.speaker.pick(phrases("code/features")[feature][form], **values)

    def relation(self, relation: Sequence[str], form: str) -> str:
        """A phrase for a relation: "sentence", "fragment", "formal", "sign" or "dictated"."""
        first, kind, second = relation
        keys = ("c", "p") if kind == "belongs_to" else ("a", "b")
        values = self.speaker.forms(keys[0], first) | self.speaker.forms(keys[1], second)
        said = self.speaker.pick(phrases("code/relations")[kind][form], **values)
        return self.speaker.freeze(said) if form == "sign" else said

    def several(self, features: Sequence[str], form: str) -> str:
        """Several features in one sentence or line."""
        nouns = [self.feature(feature, "noun") for feature in features]
        return self.speaker.pick(phrases("code/features")["together"][form], features=self.enumerated(nouns))

    def enumerated(self, items: Sequence[str]) -> str:
        """Phrases as a list: "search, paging and stats"."""
        comma = self.speaker.hide(",")
        if len(items) > 1 and self.rng.random() < 0.6:
            return f"{comma} ".join(items[:-1]) + f" and {items[-1]}"
        return f"{comma} ".join(items)

    def entity(self, name: str, form: str, untyped: Sequence[str] = (), parent: str | None = None) -> str:
        """A phrase for an entity and its fields.

        Args:
            name: The entity.
            form: "sentence", "fragment", "formal", "bullet" or, together with its parent, "tied".
            untyped: Fields whose type is said elsewhere.
            parent: The entity that it belongs to, for "tied".
        """
        fields, speaker = self.entities[name], self.speaker
        values = speaker.forms("e", name) | (speaker.forms("p", parent) if parent else {})
        values |= {"bare": speaker.bare(fields, untyped), "art": speaker.art(fields, untyped)}
        said = speaker.pick(phrases("code/entities")[form], **values)
        # Without its full stop the last field would run into the next sentence.
        return said[:-1] + speaker.hide(".") if said.endswith(".") else said


class CodeRequests:
    """Draws code requests.

    Args:
        rng: Source of chance.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.vocabulary = Vocabulary(rng)
        self.kinds, self.talk = phrases("code/kinds"), phrases("code/talk")
        self.layouts: dict[Callable[[CodeDraft], str], float] = {
            self._prose: 40, self._terse: 13, self._notation: 19, self._bullets: 9, self._formal: 7,
            self._keyed: 5, self._dictated: 7,
        }  # fmt: skip

    # -- meaning -----------------------------------------------------------------------------

    def draft(self) -> CodeDraft:
        """Draw a meaning."""
        rng = self.rng
        count = rng.choices((1, 2, 3, 4, 5), (31, 39, 22, 6, 2))[0]
        place, entities, links = self.vocabulary.draw(count)
        draft = CodeDraft(rng.choices(list(KINDS), list(KINDS.values()))[0], entities)
        draft.place = place or rng.choice(self.talk["topics"])
        draft.relations = self._relations(list(entities), links)
        fewer = 0.75 if count > 2 else 1.0  # a long list of entities leaves less to say of features
        draft.features = sorted(f for f, share in FEATURES.items() if rng.random() < share * fewer)
        if rng.random() < 0.12:
            draft.denied = [rng.choice([f for f in FEATURES if f not in draft.features] or list(FEATURES))]
            draft.denied = [f for f in draft.denied if f not in draft.features]
        return draft

    def _relations(self, names: list[str], links: list[list[str]]) -> list[list[str]]:
        """The links that are kept, or relations between any entities where there are none."""
        rng = self.rng
        kept = [link for link in links if rng.random() < 0.85]
        if not kept and len(names) > 1 and rng.random() < 0.6:
            first, second = rng.sample(names, 2)
            kept = [[first, rng.choices(("belongs_to", "many_to_many"), (65, 35))[0], second]]
        return kept[:4]

    # -- words -------------------------------------------------------------------------------

    def request(self) -> tuple[str, CodeDraft]:
        """Draw a request: its text and its draft, entities in order of mention."""
        draft = self.draft()
        while True:
            for _ in range(_TRIES):
                layout = self.rng.choices(list(self.layouts), list(self.layouts.values()))[0]
                text = layout(draft)
                if len(text) <= _LONGEST or self.rng.random() < 0.05:
                    return text, draft
            draft = self.draft()

    def _speaker(self, *, plain: bool = False) -> Speaker:
        return Speaker(self.rng, Habits.draw(self.rng, plain=plain))

    def _kind(self, draft: CodeDraft, speaker: Speaker, form: str) -> str:
        """Words for what to build; "frame", "note" and "line" put the kind's name into a frame."""
        values = {
            "place": draft.place,
            "a_place": article(draft.place),
            "list": speaker.listed(list(draft.entities)),
        }
        own, rng = self.kinds[draft.kind], self.rng
        if form in ("frame", "note", "line"):
            key = {"frame": "kind", "note": "bare", "line": "value"}[form]
            name = rng.choice(own["np" if form == "frame" else key])
            return speaker.pick(self.kinds[form], **values, **{key: name})
        return speaker.pick(own[form], **values)

    def _opening(self, draft: CodeDraft, speaker: Speaker) -> str:
        form = "plain" if speaker.habits.words == "plain" and self.rng.random() < 0.5 else "frame"
        return self._kind(draft, speaker, form if self.rng.random() < 0.62 else "sentence")

    def _prose(self, draft: CodeDraft) -> str:
        rng = self.rng
        speaker = self._speaker(plain=rng.random() < 0.35)
        words = Words(rng, speaker, draft.entities)
        untyped = self._told_apart(draft) if rng.random() < 0.25 else {}
        parents = self._tie(draft)
        body = [
            words.entity(
                name, "tied" if name in parents else "sentence", untyped.get(name, ()), parents.get(name)
            )
            for name in draft.entities
        ]
        for name, fields in untyped.items():
            body += [self._type_sentence(speaker, name, f, draft.entities[name][f]) for f in fields]
        body += [words.relation(relation, "sentence") for relation in draft.relations[len(parents) :]]
        body += self._feature_sentences(draft, words)
        if rng.random() < 0.85:
            body.insert(0, self._opening(draft, speaker))
        else:
            body.append(self._kind(draft, speaker, "late"))
        if rng.random() < 0.25:
            body.insert(rng.choice((0, 1, len(body))), rng.choice(self.talk["chatter"]))
        if rng.random() < 0.25:
            body.insert(0, rng.choice(self.talk["opener"]))
        if rng.random() < 0.22:
            body.append(rng.choice(self.talk["closer"]))
        between = rng.choices((" ", "\n", "\n\n"), (86, 8, 6))[0]
        return speaker.say(between.join(body))

    def _tie(self, draft: CodeDraft) -> dict[str, str]:
        """Entities told together with the one they belong to; their relations come first then."""
        parents: dict[str, str] = {}
        for name in draft.entities:
            above = [r[2] for r in draft.relations if r[:2] == [name, "belongs_to"]]
            if len(above) == 1 and self.rng.random() < 0.3:
                parents[name] = above[0]
        tied = [[name, "belongs_to", parent] for name, parent in parents.items()]
        draft.relations = tied + [r for r in draft.relations if r not in tied]
        return parents

    def _told_apart(self, draft: CodeDraft) -> dict[str, list[str]]:
        """Per entity, a field whose type gets a sentence of its own: no other entity has one of this name."""
        every = [f for fields in draft.entities.values() for f in fields]
        chosen: dict[str, list[str]] = {}
        for name, fields in draft.entities.items():
            single = [f for f in fields if every.count(f) == 1]
            if single and self.rng.random() < 0.7:
                chosen[name] = [self.rng.choice(single)]
        return chosen

    def _type_sentence(self, speaker: Speaker, name: str, field_: str, kind: str) -> str:
        spelt = speaker.field(field_)
        values = {"f": spelt, "F": spelt, "is": speaker.is_clause(kind), **speaker.forms("e", name)}
        if self.rng.random() < 0.2:
            wrong = self.rng.choice([k for k in ("str", "int", "float", "date", "bool") if k != kind])
            values["wrong"] = speaker.is_clause(wrong)
            return speaker.pick(phrases("code/entities")["type_corrected"], **values)
        return speaker.pick(phrases("code/entities")["type_sentence"], **values)

    def _feature_sentences(self, draft: CodeDraft, words: Words) -> list[str]:
        rng = self.rng
        wanted = rng.sample(draft.features, len(draft.features))
        out = []
        if len(wanted) > 1 and rng.random() < 0.45:
            cut = rng.randint(2, len(wanted))
            out.append(words.several(wanted[:cut], "sentence"))
            wanted = wanted[cut:]
        absent = [f for f in FEATURES if f not in draft.features]
        for feature in wanted:
            if absent and rng.random() < 0.05:
                other, mine = (words.feature(f, "noun") for f in (rng.choice(absent), feature))
                out.append(words.speaker.pick(phrases("code/features")["corrected"], other=other, mine=mine))
            else:
                out.append(words.feature(feature, "sentence"))
        return out + [words.feature(feature, "without") for feature in draft.denied]

    def _terse(self, draft: CodeDraft) -> str:
        rng, speaker = self.rng, self._speaker()
        words = Words(rng, speaker, draft.entities)
        between = rng.choice(("; ", "\n", ". ", " / ", "; ", "\n"))
        between = between.replace(";", speaker.hide(";")).replace(". ", f"{speaker.hide('.')} ")
        parts = [self._kind(draft, speaker, "note")]
        parts += [words.entity(name, "fragment") for name in draft.entities]
        parts += [words.relation(relation, "fragment") for relation in draft.relations]
        features = [words.feature(f, "fragment") for f in rng.sample(draft.features, len(draft.features))]
        if features:
            parts.append(
                f"{speaker.hide(',')} ".join(features)
                if rng.random() < 0.6
                else words.several(draft.features, "line")
            )
        parts += [words.feature(f, "without").rstrip(".") for f in draft.denied]
        if rng.random() < 0.2:
            parts[1:] = rng.sample(parts[1:], len(parts) - 1) if len(draft.entities) == 1 else parts[1:]
        if parts[0].endswith(":"):
            parts[:2] = [f"{parts[0]} {parts[1]}"]
        return speaker.say(between.join(parts))

    # -- notation ----------------------------------------------------------------------------

    def _block(self, notation: Mapping[str, str], name: str, fields: Fields) -> str:
        cases: dict[str, Callable[[str], str]] = {
            "camel": str, "snake": snake, "table": lambda n: plural(snake(n)),
            "title": lambda n: spaced(n).title(), "spaced": spaced,
        }  # fmt: skip
        written = []
        for name_, kind in fields.items():
            short = "bare" in notation and Vocabulary.implied(name_) == kind and self.rng.random() < 0.7
            typed = scheme_type(notation["types"], kind)
            written.append(notation["bare" if short else "field"].format(f=name_, t=typed))
        joined = notation["join"].join(written)
        return notation["entity"].format(n=cases[notation["case"]](name), fields=joined)

    def _blocks(self, draft: CodeDraft, speaker: Speaker, *, compact: bool) -> str:
        every: Any = phrases("code/notations")
        notations = [n for n in every if not (compact and "\n" in n["entity"])]
        notation = self.rng.choice(notations)
        blocks = [self._block(notation, name, fields) for name, fields in draft.entities.items()]
        return notation["between"].join(speaker.hide(block) for block in blocks)

    def _notation(self, draft: CodeDraft) -> str:
        rng = self.rng
        speaker = Speaker(rng, Habits("camel", "snake", 0.0, "short"))
        words = Words(rng, speaker, draft.entities)
        parts = [self._blocks(draft, speaker, compact=False)]
        form = rng.choice(("sign", "sign", "sentence", "fragment"))
        relations = [words.relation(relation, form) for relation in draft.relations]
        if relations:
            parts.append(
                rng.choice(("\n", "; ", "\n")).join(relations) if form != "sentence" else " ".join(relations)
            )
        if draft.features and rng.random() < 0.6:
            parts.append(words.several(draft.features, rng.choice(("line", "line", "sentence"))))
        elif draft.features:
            parts.append(" ".join(words.feature(f, "sentence") for f in draft.features))
        parts += [words.feature(f, "without") for f in draft.denied]
        if rng.random() < 0.82:
            parts.insert(
                0, self._kind(draft, speaker, rng.choice(("note", "note", "frame", "line", "sentence")))
            )
        else:
            parts.append(self._kind(draft, speaker, "late"))
        return speaker.say_calmly("\n".join(parts)) if rng.random() < 0.6 else speaker.say("\n".join(parts))

    def _keyed(self, draft: CodeDraft) -> str:
        """Lines of "key: value"."""
        rng = self.rng
        speaker = Speaker(rng, Habits("camel", "snake", 0.0, "short"))
        words = Words(rng, speaker, draft.entities)
        upper = rng.random() < 0.15
        keys = [
            ("entities", "relations"),
            ("data", "links"),
            ("models", "relationships"),
            ("records", "relations"),
        ]
        data, links = (key.upper() if upper else key for key in rng.choice(keys))
        lines = [self._kind(draft, speaker, "line")]
        if rng.random() < 0.4:
            lines.insert(0, self._title(draft))
        lines.append(f"{data}:\n{self._blocks(draft, speaker, compact=True)}")
        if draft.relations:
            lines.append(f"{links}: " + "; ".join(words.relation(r, "sign") for r in draft.relations))
        if draft.features:
            lines.append(words.several(draft.features, "line"))
        elif rng.random() < 0.5:
            lines.append(rng.choice(phrases("code/features")["together"]["none"]))
        lines += [words.feature(f, "without") for f in draft.denied]
        return speaker.say_calmly("\n".join(lines))

    def _title(self, draft: CodeDraft) -> str:
        return str(self.rng.choice(self.talk["title"])).format(T=draft.place)

    # -- lists -------------------------------------------------------------------------------

    def _bullets(self, draft: CodeDraft) -> str:
        rng, speaker = self.rng, self._speaker(plain=self.rng.random() < 0.3)
        words = Words(rng, speaker, draft.entities)
        form = rng.choice(("fragment", "sentence"))
        items = [words.entity(name, "bullet") for name in draft.entities]
        items += [words.relation(relation, form) for relation in draft.relations]
        items += [words.feature(f, form) for f in rng.sample(draft.features, len(draft.features))]
        items += [words.feature(f, "without") for f in draft.denied]
        if form == "fragment":
            items = [item.rstrip(".") for item in items]
        bullet = rng.choice(("- ", "- ", "* ", "• ", "+ ", "-- ", "> "))
        opening = rng.choice((self._opening, lambda d, s: self._kind(d, s, "line")))(draft, speaker)
        lines = [opening, *(bullet + item for item in items)]
        if rng.random() < 0.2:
            lines.insert(0, rng.choice(self.talk["opener"]))
        if rng.random() < 0.15:
            lines.append(rng.choice(self.talk["closer"]))
        return speaker.say("\n".join(lines))

    def _formal(self, draft: CodeDraft) -> str:
        rng = self.rng
        style = rng.choice(("spaced", "camel", "title"))
        speaker = Speaker(
            rng, Habits(style, rng.choice(("spaced", "snake")), rng.choice((0.0, 0.5, 1.0)), "short")
        )
        words = Words(rng, speaker, draft.entities)
        items = [self._kind(draft, speaker, "formal")]
        items += [words.entity(name, "formal") for name in draft.entities]
        items += [words.relation(relation, "formal") for relation in draft.relations]
        items += [words.feature(f, "formal") for f in draft.features]
        items += [words.feature(f, "without") for f in draft.denied]
        number = rng.choice(("{}. ", "{}) ", "R{}: ", "REQ-{} ", "§{} ", "({}) ", "1.{} ", "FR{}. ", "[{}] "))
        between = rng.choice(("\n", "\n", " "))
        numbered = [number.format(i + 1) + item for i, item in enumerate(items)]
        if rng.random() < 0.3:
            numbered.insert(0, self._title(draft))
            between = "\n"
        return speaker.say_calmly(between.join(numbered))

    def _dictated(self, draft: CodeDraft) -> str:
        """Speech written down: no punctuation, no capitals, fillers."""
        rng = self.rng
        speaker = Speaker(rng, Habits("spaced", "spaced", rng.choice((0.0, 0.3)), "dictated"))
        words = Words(rng, speaker, draft.entities)
        parts = [self._kind(draft, speaker, "dictated")]
        for name, fields in draft.entities.items():
            values = speaker.forms("e", name) | {"and": speaker.dictated(fields)}
            parts.append(speaker.pick(phrases("code/entities")["dictated"], **values))
        parts += [words.relation(relation, "dictated") for relation in draft.relations]
        spoken = [words.feature(f, "sentence") for f in draft.features]
        spoken += [words.feature(f, "without") for f in draft.denied]
        parts += ["".join(c for c in sentence.lower() if c not in '.,;:!?()"') for sentence in spoken]
        text = parts[0]
        for part in parts[1:]:
            text += f" {rng.choice(self.talk['joiner'])} {part}"
        words_ = text.split(" ")
        for _ in range(rng.randint(0, len(words_) // 12)):
            words_.insert(rng.randrange(len(words_)), rng.choice(self.talk["filler"]).lower())
        return speaker.say_calmly(" ".join(words_))
