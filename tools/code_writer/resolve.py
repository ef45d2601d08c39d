"""From what was read to a specification: every name made safe, or a question.

What can be put right without guessing is put right, and said: a reserved word, a relation that is named
twice, a circle. What cannot be put right is asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tools.code_writer.arguments import FEATURES, RELATIONS, TYPES, CodeArguments, Entity
from tools.code_writer.names import (
    RESERVED_CLASSES,
    RESERVED_ENUMS,
    RESERVED_PLURALS,
    module_of,
    plural,
    reserved_field,
    snake,
    words_of,
)
from tools.code_writer.specification import EntitySpec, FieldSpec, Kind, Link, Reference, Specification
from tools.tool import Question

__all__ = ["Resolved", "resolve"]

_MOST_ENTITIES, _MOST_FIELDS, _LONGEST = 200, 100, 40
_SUFFIX: dict[Kind, str] = {"rest_api": "api", "cli": "cli", "library": "lib"}
_DERIVED = ("Create", "Update", "Read", "Query", "Service")


@dataclass(frozen=True)
class Resolved:
    """A specification, and what was changed to make it one."""

    specification: Specification
    warnings: tuple[str, ...]


@dataclass
class _Notes:
    questions: list[Question] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def ask(self, where: str, said: str | None, reason: str, candidates: tuple[str, ...] = ()) -> None:
        self.questions.append(Question(field=where, said=said, reason=reason, candidates=candidates))


@dataclass
class _Draft:
    """An entity on its way: what it is called, and what belongs to it so far."""

    said: str
    name: str
    module: str
    plural: str
    fields: list[FieldSpec]
    references: list[Reference] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    referrers: list[tuple[str, str]] = field(default_factory=list)


def resolve(call: CodeArguments, package: str | None = None) -> Resolved | tuple[Question, ...]:
    """Make a specification of a call.

    Args:
        call: What was read.
        package: Name that the program's package has already; None for a new one.

    Returns:
        The specification with warnings, or what must be asked first.
    """
    notes = _Notes()
    if call.kind is None:
        notes.ask("kind", None, "what to build was not understood", ("rest_api", "cli", "library"))
    if not call.entities:
        notes.ask("entities", None, "no kind of record was understood: say what the program keeps")
    if len(call.entities) > _MOST_ENTITIES:
        reason = f"{len(call.entities)} kinds of records are too many: {_MOST_ENTITIES} at most"
        notes.ask("entities", None, reason)
    for feature in call.features:
        if feature not in FEATURES:
            notes.ask("features", feature, f"there is no feature {feature!r}", FEATURES)
    if notes.questions or call.kind is None:
        return tuple(notes.questions)
    drafts = _entities(call.entities, notes)
    if not notes.questions:
        _relate(drafts, call.relations, notes)
        for draft in drafts:
            if len(draft.fields) > _MOST_FIELDS:
                notes.ask("entities", draft.said, f"{draft.said!r} has more than {_MOST_FIELDS} fields")
    if notes.questions:
        return tuple(notes.questions)
    first = drafts[0].module.strip("_")
    return Resolved(
        Specification(
            package=package or f"{first}_{_SUFFIX[call.kind]}",
            kind=call.kind,
            entities=tuple(_finished(draft) for draft in _ordered(drafts)),
            features=tuple(sorted(set(call.features))),
        ),
        tuple(notes.warnings),
    )


def _finished(draft: _Draft) -> EntitySpec:
    return EntitySpec(
        name=draft.name,
        said=draft.said,
        module=draft.module,
        plural=draft.plural,
        fields=tuple(draft.fields),
        references=tuple(draft.references),
        links=tuple(draft.links),
        referrers=tuple(draft.referrers),
    )


def _entities(said: tuple[Entity, ...], notes: _Notes) -> list[_Draft]:
    drafts: list[_Draft] = []
    modules: dict[str, str] = {}
    plurals: dict[str, str] = {}
    classes = Counter("".join(word.capitalize() for word in words_of(entity.name)) for entity in said)
    for entity in said:
        words = _words("entities", entity.name, notes)
        if words is None:
            continue
        name = entity.name if _is_class(entity.name) else "".join(word.capitalize() for word in words)
        stem = next((name.removesuffix(end) for end in _DERIVED if name.endswith(end)), "")
        if name in RESERVED_CLASSES or (stem and stem in classes):
            words, name = [*words, "record"], name + "Record"
        if name != entity.name:
            notes.warnings.append(f"{_quoted(entity.name)} is called {name} in the code")
        module = snake(words)
        if module in modules:
            reason = (
                f"{_quoted(entity.name)} and {_quoted(modules[module])} would have the same name in the code"
            )
            notes.ask("entities", entity.name, f"{reason}: say which to keep, or another name")
            continue
        modules[module] = entity.name
        many = plural(words)
        if many in RESERVED_PLURALS or many in plurals:
            taken = f", {plurals[many]} has {many} already" if many in plurals else ""
            many = f"{module}_records"
            notes.warnings.append(f"the table of {name} is called {many}{taken}")
        plurals[many] = name
        drafts.append(_Draft(entity.name, name, module_of(words), many, _fields(name, module, entity, notes)))
    _name_enums(drafts)
    return drafts


def _name_enums(drafts: list[_Draft]) -> None:
    """Give every class of fixed values a name that no other class has."""
    taken = {draft.name + end for draft in drafts for end in ("", *_DERIVED)} | RESERVED_ENUMS
    for draft in drafts:
        for place, found in enumerate(draft.fields):
            if found.enum:
                name = found.enum
                while name in taken:
                    name += "Choice"
                taken.add(name)
                draft.fields[place] = found.model_copy(update={"enum": name})


def _is_class(name: str) -> bool:
    return name.isascii() and name.isalnum() and name[0].isupper() and len(words_of(name)) > 0


def _words(where: str, said: str, notes: _Notes) -> list[str] | None:
    """A name's words, or None where it cannot be written and is asked about."""
    words = words_of(said)
    if not words:
        notes.ask(where, said, f"{_quoted(said)} cannot be written in Latin letters: give it another name")
        return None
    if len(snake(words)) > _LONGEST:
        notes.ask(where, said, f"{_quoted(said)} is longer than {_LONGEST} letters: give it a shorter name")
        return None
    return ["n" + words[0], *words[1:]] if words[0][0].isdigit() else words


def _quoted(said: str) -> str:
    """A name as it was said, cut where it is too long to be shown."""
    return repr(said if len(said) <= 2 * _LONGEST else said[: 2 * _LONGEST] + "…")


def _fields(entity: str, module: str, said: Entity, notes: _Notes) -> list[FieldSpec]:
    found: dict[str, FieldSpec] = {}
    for name, kind in said.fields.items():
        if name == "id":
            notes.warnings.append(f"{entity} has an id anyway")
            continue
        words = _words("entities", name, notes)
        if words is None:
            continue
        safe = snake(words)
        if safe in ("created_at", "updated_at", "deleted_at") or reserved_field(safe):
            safe = f"{module.strip('_')}_{safe}"
        if safe != name:
            notes.warnings.append(f"the field {_quoted(name)} of {entity} is called {safe} in the code")
        if safe in found:
            notes.ask("entities", name, f"{entity} would have two fields called {safe}: say another name")
            continue
        made = _field(entity, safe, kind, notes)
        if made is not None:
            found[safe] = made
    if not said.fields and not notes.questions:
        notes.warnings.append(f"no field of {entity} was named: it has a name")
        return [FieldSpec(name="name", type="str")]
    return [*found.values()] or [FieldSpec(name="name", type="str")]


def _field(entity: str, name: str, kind: str, notes: _Notes) -> FieldSpec | None:
    if kind in TYPES:
        return FieldSpec.model_validate({"name": name, "type": kind})
    if not (kind.startswith("enum(") and kind.endswith(")")):
        notes.ask("entities", name, f"{_quoted(kind)} is no type of a field", TYPES)
        return None
    values = list(dict.fromkeys(value.strip() for value in kind[5:-1].split(",") if value.strip()))
    if not values or not all(value.isprintable() and len(value) <= _LONGEST for value in values):
        notes.ask("entities", name, f"the values of {entity}.{name} were not understood")
        return None
    members: dict[str, str] = {}
    for value in values:
        words = words_of(value) or ["value"]
        member = snake(words).upper()
        member = f"VALUE_{member}" if member[0].isdigit() or member == "MRO" else member
        number = 2
        while member in members:
            member, number = f"{member.rstrip('0123456789').rstrip('_')}_{number}", number + 1
        members[member] = value
    title = "".join(word.capitalize() for word in words_of(name))
    return FieldSpec(name=name, type="enum", members=members, enum=entity + title)


def _relate(drafts: list[_Draft], relations: tuple[tuple[str, str, str], ...], notes: _Notes) -> None:
    by_said = {draft.said: draft for draft in drafts} | {draft.name: draft for draft in drafts}
    seen: set[tuple[str, str, str]] = set()
    for source, kind, target in relations:
        if kind not in RELATIONS:
            notes.ask("relations", kind, f"{_quoted(kind)} is no relation", RELATIONS)
            continue
        unknown = [name for name in (source, target) if name not in by_said]
        if unknown:
            names = tuple(draft.said for draft in drafts[:6])
            for name in unknown:
                reason = f"{_quoted(name)} is related to something, but not among the records"
                notes.ask("relations", name, reason, names)
            continue
        left, right = by_said[source], by_said[target]
        pair = (left.name, right.name) if kind == "belongs_to" else _sorted_pair(left, right)
        if (kind, *pair) in seen:
            notes.warnings.append(f"{source} {kind.replace('_', ' ')} {target} is said twice and built once")
            continue
        seen.add((kind, *pair))
        if kind == "belongs_to":
            _belong(left, right, drafts, notes)
        else:
            _link(left, right)
    for draft in drafts:
        draft.referrers = [
            (other.name, reference.name)
            for other in drafts
            for reference in other.references
            if reference.target == draft.name
        ]


def _sorted_pair(left: _Draft, right: _Draft) -> tuple[str, str]:
    first, second = sorted((left.name, right.name))
    return first, second


def _belong(left: _Draft, right: _Draft, drafts: list[_Draft], notes: _Notes) -> None:
    name = f"parent_{right.module.strip('_')}_id" if left is right else f"{right.module.strip('_')}_id"
    if reserved_field(name):  # of an Item or a Model, for instance
        name = f"{left.module.strip('_')}_{name}"
        notes.warnings.append(f"what says which {right.name} {left.name} belongs to is called {name}")
    if any(field.name == name for field in left.fields):
        left.fields = [field for field in left.fields if field.name != name]
        notes.warnings.append(
            f"the field {name} of {left.name} is what says which {right.name} it belongs to"
        )
        if not left.fields:
            left.fields = [FieldSpec(name="name", type="str")]
    circle = _needs(right, left.name, drafts)
    if circle:
        way = "itself" if left is right else f"{right.name}, which needs {left.name}"
        notes.warnings.append(f"{left.name} belongs to {way}: it may be made without")
    left.references.append(Reference(name=name, target=right.name, required=not circle))


def _needs(start: _Draft, name: str, drafts: list[_Draft]) -> bool:
    """Whether an entity is, or must belong by any way to, the one of this name."""
    by_name = {draft.name: draft for draft in drafts}
    waiting, seen = [start.name], set[str]()
    while waiting:
        current = waiting.pop()
        if current == name:
            return True
        if current not in seen:
            seen.add(current)
            waiting += [r.target for r in by_name[current].references if r.required]
    return False


def _link(left: _Draft, right: _Draft) -> None:
    one, two = left.module.strip("_"), right.module.strip("_")
    if left is right:
        table, columns = f"{one}_related_{left.plural}", (f"{one}_id", f"related_{one}_id")
        sides = [(left, columns, right, f"related_{one}", f"related_{right.plural}")]
    else:
        table, columns = f"{one}_{right.plural}_links", (f"{one}_id", f"{two}_id")
        sides = [
            (left, columns, right, two, right.plural),
            (right, (columns[1], columns[0]), left, one, left.plural),
        ]
    for side, (own, other), partner, single, many in sides:
        side.links.append(Link(target=partner.name, table=table, own=own, other=other, one=single, many=many))


def _ordered(drafts: list[_Draft]) -> list[_Draft]:
    """Each after what it must belong to, else in the order in which they were named."""
    done: list[_Draft] = []
    while len(done) < len(drafts):
        names = {draft.name for draft in done}
        done += [
            draft
            for draft in drafts
            if draft.name not in names and all(r.target in names for r in draft.references if r.required)
        ][:1]
    return done
