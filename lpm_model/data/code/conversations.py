"""Conversations about a program to build: a request, then what people change their minds about.

Every edit draws its values, changes a copy of what is meant and hands the words for its values to a
hand-written phrase of ``code/edits.yaml``; it gives None where it makes no sense now.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from random import Random

from lpm_model.data.code.requests import FEATURES, KINDS, CodeDraft, CodeRequests, Words
from lpm_model.data.code.speaker import Habits, Speaker, choices_of, holes
from lpm_model.data.code.words import Vocabulary, plural, spaced
from lpm_model.data.conversation import Conversation, Conversations, Turn
from lpm_model.data.phrases import phrases

__all__ = ["CodeConversations"]

_WEIGHTS = {
    "add_entity": 6, "add_entity_tied": 3, "drop_entity": 6, "rename_entity": 5, "add_field": 11,
    "add_fields": 3, "drop_field": 9, "rename_field": 6, "retype_field": 7, "add_choice": 4, "drop_choice": 3,
    "add_relation": 5, "drop_relation": 4, "loosen": 2, "tighten": 1.5, "add_feature": 12,
    "add_two_features": 2.5, "drop_feature": 9, "swap_feature": 2.5, "change_kind": 6, "undo_last": 8,
    "back_to_first": 4, "chatter": 11,
}  # fmt: skip
_TWO_AT_ONCE = 0.1
_MOST_ENTITIES, _MOST_FIELDS = 6, 7

Values = dict[str, str]
Edit = tuple[CodeDraft, Values, bool]
"""What is meant now, words for the phrase, and whether a phrase that names no entity is clear enough."""


class CodeConversations(Conversations):
    """Conversations about a program to build."""

    def __init__(self, rng: Random, turns: tuple[float, ...] = (1.0,)) -> None:
        super().__init__(rng, turns)
        self.requests = CodeRequests(rng)
        self.vocabulary = Vocabulary(rng)
        self.phrases = phrases("code/edits")
        self.edits: dict[str, Callable[[CodeDraft, Speaker], Edit | None]] = {
            key: getattr(self, f"_{key}") for key in _WEIGHTS if hasattr(self, f"_{key}")
        }

    def conversation(self) -> Conversation:
        """Draw a conversation."""
        rng = self.rng
        length = self.length()
        text, draft = self.requests.request()
        turns, history, done = [Turn(text, draft.means)], [draft], [""]
        habits = Habits.draw(rng, plain=rng.random() < 0.4)
        while len(turns) < length:
            step = self._next(history, done, Speaker(rng, habits))
            if step is not None:
                key, said, now = step
                turns.append(Turn(said, now.means))
                history.append(now)
                done.append(key)
        return Conversation("code", tuple(turns))

    def _next(
        self, history: list[CodeDraft], done: list[str], speaker: Speaker
    ) -> tuple[str, str, CodeDraft] | None:
        """One more turn: its edit, its text and what is meant then."""
        rng, now = self.rng, history[-1]
        key = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if key in self.edits and rng.random() < _TWO_AT_ONCE:
            return self._two(now, speaker)
        if key == "undo_last":
            # "Undo" after an undo, or after two changes at once, could mean several things.
            if (
                len(history) < 2
                or done[-1] in ("undo_last", "back_to_first", "two")
                or _same(history[-2], now)
            ):
                return None
            return key, speaker.say(rng.choice(self.phrases[key])), history[-2]
        if key == "back_to_first":
            if len(history) < 2 or _same(history[0], now):
                return None
            return key, speaker.say(rng.choice(self.phrases[key])), history[0]
        if key == "chatter":
            kind = rng.choice(self.requests.kinds[now.kind]["np"])
            values = speaker.forms("e", rng.choice(list(now.entities))) | {"kind_now": kind}
            return key, speaker.say(speaker.pick(self.phrases[key], **values)), now
        edited = self._said(key, now, speaker)
        return edited and (key, speaker.say(edited[0]), edited[1])

    def _said(self, key: str, now: CodeDraft, speaker: Speaker) -> tuple[str, CodeDraft] | None:
        """An edit in clean words, and what is meant after it."""
        edit = self.edits[key](copy.deepcopy(now), speaker)
        if edit is None or _same(edit[0], now):
            return None
        after, values, clear = edit
        templates = self.phrases["add_field" if key == "add_fields" else key]
        if not clear:
            templates = [t for t in templates if holes(t) & {"e", "es", "a_e", "E", "Es", "A_e"}]
        return speaker.pick(templates, **values), after

    def _two(self, now: CodeDraft, speaker: Speaker) -> tuple[str, str, CodeDraft] | None:
        """Two edits in one turn, the second on top of the first."""
        rng, said, after = self.rng, [], now
        keys = rng.sample(list(self.edits), 2)
        for key in keys:
            step = self._said(key, after, speaker)
            # Notation and half sentences do not join well.
            if step is None or not (step[0][0].isupper() or not step[0][0].isascii()):
                return None
            said.append(step[0] if step[0][-1] in ".?!" else f"{step[0]}.")
            after = step[1]
        template = rng.choice(self.phrases["joined"])
        if (
            not template.endswith(("\n{two}", ". {two}", "- {two}", ") {two}", "} {two}"))
            and said[1][:2] != "I "
        ):
            said[1] = said[1][0].lower() + said[1][1:]
        if _same(now, after):  # the second took the first back
            return None
        return "two", speaker.say(template.format(one=said[0], two=said[1])), after

    # -- values ------------------------------------------------------------------------------

    def _entity(self, now: CodeDraft) -> str:
        return self.rng.choice(list(now.entities))

    def _new_name(self, now: CodeDraft) -> str:
        """A name that no entity has and no field is called by."""
        used = {spaced(f) for fields in now.entities.values() for f in fields}
        while True:
            name = self.vocabulary.entity_name(now.entities)
            if not used & {spaced(name), spaced(plural(name))}:
                return name

    def _new_fields(self, now: CodeDraft, name: str, count: int) -> dict[str, str]:
        """Fields that the entity does not have; entities' names are no field's name."""
        taken = {*now.entities.get(name, ()), *map(spaced, now.entities), spaced(name)}
        taken |= {spaced(plural(other)) for other in now.entities}
        fields: dict[str, str] = {}
        for _ in range(count):
            field, kind = self.vocabulary.field(taken | fields.keys())
            fields[field] = kind
        return fields

    @staticmethod
    def _only(now: CodeDraft, field: str) -> bool:
        """Whether no two entities have the field."""
        return sum(field in fields for fields in now.entities.values()) == 1

    def _pair(self, now: CodeDraft) -> tuple[str, str] | None:
        """Two entities without a relation."""
        tied = {frozenset((a, b)) for a, _, b in now.relations}
        pairs = [
            (a, b) for a in now.entities for b in now.entities if a != b and frozenset((a, b)) not in tied
        ]
        return self.rng.choice(pairs) if pairs else None

    # -- entities ----------------------------------------------------------------------------

    def _add_entity(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        if len(now.entities) >= _MOST_ENTITIES:
            return None
        name = self._new_name(now)
        now.entities[name] = self._new_fields(now, name, self.rng.choice((1, 2, 2, 3, 3, 4)))
        fields = now.entities[name]
        return (
            now,
            speaker.forms("e", name) | {"bare": speaker.bare(fields), "art": speaker.art(fields)},
            True,
        )

    def _add_entity_tied(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        parent = self._entity(now)
        edit = self._add_entity(now, speaker)
        if edit is None:
            return None
        now.relations.append([list(now.entities)[-1], "belongs_to", parent])
        return now, edit[1] | speaker.forms("p", parent), True

    def _drop_entity(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        if len(now.entities) < 2:
            return None
        name = self._entity(now)
        del now.entities[name]
        now.relations = [r for r in now.relations if name not in (r[0], r[2])]
        return now, speaker.forms("e", name), True

    def _rename_entity(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        old, new = self._entity(now), self._new_name(now)
        now.entities = {new if name == old else name: fields for name, fields in now.entities.items()}
        now.relations = [[new if word == old else word for word in r] for r in now.relations]
        return now, speaker.forms("e", old) | speaker.forms("n", new), True

    # -- fields ------------------------------------------------------------------------------

    def _added_fields(self, now: CodeDraft, speaker: Speaker, count: int) -> Edit | None:
        name = self._entity(now)
        if len(now.entities[name]) + count > _MOST_FIELDS:
            return None
        fields = self._new_fields(now, name, count)
        now.entities[name] |= fields
        values = speaker.forms("e", name) | {"bare": speaker.bare(fields), "art": speaker.art(fields)}
        return now, values, len(now.entities) == 1

    def _add_field(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._added_fields(now, speaker, 1)

    def _add_fields(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._added_fields(now, speaker, 2)

    def _drop_field(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        name = self._entity(now)
        if len(now.entities[name]) < 2:
            return None
        field = self.rng.choice(list(now.entities[name]))
        clear = self._only(now, field)
        del now.entities[name][field]
        return now, speaker.forms("e", name) | {"f": speaker.field(field)}, clear

    def _rename_field(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        name = self._entity(now)
        old, kind = self.rng.choice(list(now.entities[name].items()))
        (new,) = self._new_fields(now, name, 1)
        # A name that speaks of another type would make it doubtful which type is meant.
        if self.vocabulary.implied(new) != kind and not (
            choices_of(kind) and self.vocabulary.implied(new) is None
        ):
            return None
        clear = self._only(now, old)
        fields = now.entities[name]
        now.entities[name] = {new if field == old else field: of_type for field, of_type in fields.items()}
        return now, speaker.forms("e", name) | {"f": speaker.field(old), "g": speaker.field(new)}, clear

    def _retype_field(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        name = self._entity(now)
        field, kind = self.rng.choice(list(now.entities[name].items()))
        sets = self.vocabulary.tables["choices"].get(field.split("_")[-1])
        if sets and kind == "str":
            new = f"enum({self.rng.choice(sets)})"
        else:
            new = self.vocabulary.retyped(field, kind)
        now.entities[name][field] = new
        values = {"f": speaker.field(field), "is": speaker.type_words(new, "clause")}
        return now, speaker.forms("e", name) | values, self._only(now, field)

    def _enum(self, now: CodeDraft) -> tuple[str, str, list[str]] | None:
        """An entity, its enumerated field and the choices."""
        found = [
            (name, field, choices_of(kind))
            for name, fields in now.entities.items()
            for field, kind in fields.items()
            if choices_of(kind)
        ]
        return self.rng.choice(found) if found else None

    def _chosen(self, now: CodeDraft, speaker: Speaker, *, add: bool) -> Edit | None:
        found = self._enum(now)
        if found is None:
            return None
        name, field, choices = found
        if add:
            choice = self.rng.choice([c for c in self.phrases["new_choices"] if c not in choices])
            choices = [*choices, choice]
        elif len(choices) < 3:
            return None
        else:
            choice = self.rng.choice(choices)
            choices = [c for c in choices if c != choice]
        now.entities[name][field] = f"enum({','.join(choices)})"
        values = {"f": speaker.field(field), "v": speaker.hide(choice)}
        return now, speaker.forms("e", name) | values, self._only(now, field)

    def _add_choice(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._chosen(now, speaker, add=True)

    def _drop_choice(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._chosen(now, speaker, add=False)

    # -- relations ---------------------------------------------------------------------------

    def _add_relation(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        pair = self._pair(now)
        if pair is None:
            return None
        relation = [pair[0], self.rng.choices(("belongs_to", "many_to_many"), (65, 35))[0], pair[1]]
        now.relations.append(relation)
        return now, {"r": Words(self.rng, speaker, now.entities).relation(relation, "sentence")}, True

    def _drop_relation(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        if not now.relations:
            return None
        first, _, second = now.relations.pop(self.rng.randrange(len(now.relations)))
        return now, speaker.forms("e", first) | speaker.forms("p", second), True

    def _turned(self, now: CodeDraft, speaker: Speaker, old: str, new: str) -> Edit | None:
        found = [r for r in now.relations if r[1] == old]
        if not found:
            return None
        relation = self.rng.choice(found)
        relation[1] = new
        return now, speaker.forms("e", relation[0]) | speaker.forms("p", relation[2]), True

    def _loosen(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._turned(now, speaker, "belongs_to", "many_to_many")

    def _tighten(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        return self._turned(now, speaker, "many_to_many", "belongs_to")

    # -- features and kind -------------------------------------------------------------------

    def _feature_words(
        self, now: CodeDraft, speaker: Speaker, feature: str, forms: Mapping[str, str]
    ) -> Values:
        words = Words(self.rng, speaker, now.entities)
        return {hole: words.feature(feature, form) for hole, form in forms.items()}

    def _add_feature(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        absent = [f for f in FEATURES if f not in now.features]
        if not absent:
            return None
        feature = self.rng.choice(absent)
        now.features = sorted([*now.features, feature])
        return now, self._feature_words(now, speaker, feature, {"noun": "noun", "sentence": "sentence"}), True

    def _add_two_features(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        absent = [f for f in FEATURES if f not in now.features]
        if len(absent) < 2:
            return None
        one, two = self.rng.sample(absent, 2)
        now.features = sorted([*now.features, one, two])
        values = self._feature_words(now, speaker, one, {"noun": "noun"})
        return now, values | self._feature_words(now, speaker, two, {"noun2": "noun"}), True

    def _drop_feature(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        if not now.features:
            return None
        feature = self.rng.choice(now.features)
        now.features.remove(feature)
        return now, self._feature_words(now, speaker, feature, {"name": "name", "without": "without"}), True

    def _swap_feature(self, now: CodeDraft, speaker: Speaker) -> Edit | None:
        absent = [f for f in FEATURES if f not in now.features]
        if not now.features or not absent:
            return None
        old, new = self.rng.choice(now.features), self.rng.choice(absent)
        now.features = sorted([*(f for f in now.features if f != old), new])
        values = self._feature_words(now, speaker, old, {"name": "name"})
        return now, values | self._feature_words(now, speaker, new, {"noun": "noun"}), True

    def _change_kind(self, now: CodeDraft, speaker: Speaker) -> Edit:
        now.kind = self.rng.choice([kind for kind in KINDS if kind != now.kind])
        own = self.requests.kinds[now.kind]
        values = {"kind": own["np"], "bare_kind": own["bare"], "late": own["late"]}
        return now, {hole: self.rng.choice(words) for hole, words in values.items()}, True


def _same(one: CodeDraft, other: CodeDraft) -> bool:
    """Whether both mean the same."""
    return one.means == other.means
