"""Names for projects: what the tasks are called, and who works on them.

Tasks come from hand-written lists of many kinds of project, or are put together from verbs and
objects, so that reading a name means copying it. People have first names from many cultures, some
surnames and titles, and sometimes invented names.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random

from lpm_model.data.phrases import phrases

__all__ = ["TaskName", "Who", "about", "gerund", "resources", "task_names"]

_DOUBLED = {
    "enrol",
    "dig",
    "strip",
    "swap",
    "trim",
    "ship",
    "scan",
    "fit",
    "map",
    "tag",
    "step",
    "knit",
    "run",
    "cut",
}
_SINGULAR_ENDS = ("ss", "us", "is", "ics", "lens")
_SMALL_WORDS = {"the", "a", "of", "and", "team", "crew"}


@dataclass(frozen=True, slots=True)
class TaskName:
    """What a task is called.

    Attributes:
        text: The name, without an article before it.
        form: "the" (a sentence says "the floor plan"), "bare" ("tiling") or "do" ("order tiles").
        plural: Whether a verb with it is plural.
        short: How it may be spoken of later on.
    """

    text: str
    form: str
    plural: bool
    short: str | None = None

    def as_noun(self) -> TaskName:
        """The name as one that can be a subject: "order tiles" becomes "ordering tiles"."""
        return TaskName(gerund(self.text), "bare", False) if self.form == "do" else self

    def clashes(self, other: TaskName) -> bool:
        """Whether mentions of the two could be mistaken for each other."""
        mine = {self.text.lower(), self.as_noun().text.lower(), (self.short or self.text).lower()}
        others = {other.text.lower(), other.as_noun().text.lower(), (other.short or other.text).lower()}
        return any(a in b or b in a for a in mine for b in others)


@dataclass(frozen=True, slots=True)
class Who:
    """A person or a team.

    Attributes:
        name: As the meaning holds it, without an article.
        said: As a sentence says it.
        short: As it may be said later: a first name.
        pronoun: "she", "he" or "they".
        team: Whether it is a team.
        plural: Whether a verb with the name is plural.
    """

    name: str
    said: str
    short: str
    pronoun: str
    team: bool = False
    plural: bool = False


def _plural(name: str) -> bool:
    first, *rest = name.split(" of ")[0].split()
    if first.endswith("ing") and rest[:1] == ["the"]:
        return False
    last = (rest or [first])[-1].lower()
    return last.endswith("s") and not last.endswith(_SINGULAR_ENDS)


def gerund(phrase: str) -> str:
    """The "-ing" form of a verb with what follows it: "strip wallpaper", "stripping wallpaper"."""
    verb, _, rest = phrase.partition(" ")
    if verb.lower() in _DOUBLED:
        verb += verb[-1]
    elif verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        verb = verb[:-1]
    return f"{verb}ing {rest}".rstrip()


@functools.cache
def _names(key: str) -> tuple[str, ...]:
    text = phrases("project/names")[key]
    return tuple(part.strip() for part in (text.split(";") if ";" in text else text.split()))


@functools.cache
def _kind_tasks(kind: str) -> tuple[TaskName, ...]:
    entries = (entry.strip() for entry in phrases("project/kinds")[kind]["tasks"].split(";"))
    return tuple(_parsed(*(part.strip() for part in entry.split("~"))) for entry in entries)


def _parsed(entry: str, short: str | None = None) -> TaskName:
    short = short.removeprefix("the ") if short else None
    if entry.startswith("!"):
        return TaskName(entry[1:], "do", False, short)
    name = entry.removeprefix("the ")
    return TaskName(name, "the" if name != entry else "bare", _plural(name), short)


def _composed(rng: Random, form: str | None) -> TaskName:
    """A name put together; ``form`` "do" asks for something one does."""
    kind = rng.random() if form is None else 0.0
    thing = rng.choice(_names("objects"))
    if kind < 0.45:
        article = "the " if rng.random() < 0.45 else ""
        return TaskName(f"{rng.choice(_names('verbs'))} {article}{thing}", "do", False)
    if kind < 0.87:
        name = f"{thing} {rng.choice(_names('actions'))}"
        bare = name.endswith(("ing", "work", "photos")) or rng.random() < 0.5
        return TaskName(name, "bare" if bare else "the", _plural(name))
    return TaskName(rng.choice(_names("numbered")).format(n=rng.randint(1, 9)), "bare", False)


def about(rng: Random, kind: str) -> str:
    """Words for a project of this kind."""
    return rng.choice(phrases("project/kinds")[kind]["about"].split(";")).strip()


def task_names(rng: Random, count: int, form: str | None = None) -> tuple[str, list[TaskName]]:
    """Names of ``count`` tasks, and the kind of project they belong to.

    Args:
        rng: Source of chance.
        count: How many; none can be mistaken for another.
        form: "do" if all of them must be things one does.
    """
    kind = rng.choice(list(phrases("project/kinds")))
    composed = rng.choices((0.0, 0.3, 1.0), (62, 20, 18))[0]
    pool = [name for name in _kind_tasks(kind) if form is None or name.form == form]
    chosen: list[TaskName] = []
    while len(chosen) < count:
        known = pool and rng.random() >= composed
        name = pool.pop(rng.randrange(len(pool))) if known else _composed(rng, form)
        if not any(name.clashes(other) for other in chosen):
            chosen.append(name)
    return kind, chosen


# -- who -------------------------------------------------------------------------------------


def _invented(rng: Random) -> str:
    starts = ("Br", "K", "Dr", "Z", "T", "M", "V", "Sh", "N", "L", "Qu", "R", "J", "F")
    middles = ("a", "e", "i", "o", "u", "ae", "io")
    ends = ("len", "vik", "ra", "ndo", "sha", "mir", "lo", "ten", "ka", "by", "rin", "zel", "na", "x")
    return rng.choice(starts) + rng.choice(middles) + rng.choice(ends)


def _person(rng: Random) -> Who:
    group, pronoun = rng.choices((("women", "she"), ("men", "he"), ("anyone", "they")), (46, 46, 8))[0]
    first = _invented(rng) if rng.random() < 0.06 else rng.choice(_names(group))
    kind = rng.random()
    if kind < 0.8:
        return Who(first, first, first, pronoun)
    surname = rng.choice(_names("surnames"))
    if kind < 0.92:
        return Who(f"{first} {surname}", f"{first} {surname}", first, pronoun)
    title = rng.choice(phrases("project/names")["titles"])
    if title in ("Mrs", "Ms", "Auntie", "Sister"):
        pronoun = "she"
    elif title in ("Mr", "Uncle"):
        pronoun = "he"
    else:
        pronoun = "they"
    name = f"{title} {surname}"
    if title in ("Uncle", "Auntie"):
        name = f"{title} {rng.choice(_names('men' if title == 'Uncle' else 'women'))}"
    return Who(name, name, name, pronoun)


def _team(rng: Random) -> Who:
    entry = rng.choice(_names("teams"))
    name = entry.removeprefix("the ")
    plural = name.endswith("s") and not name.endswith("ss") and name.islower()
    said = f"our {name}" if entry != name and rng.random() < 0.15 else entry
    return Who(name, said, said, "they", True, plural)


def resources(rng: Random, count: int, team_share: float, tasks: list[TaskName]) -> list[Who]:
    """People and teams whose names share no word with each other or with a task."""
    taken = {word for task in tasks for word in task.text.lower().split()}
    chosen: list[Who] = []
    while len(chosen) < count:
        who = _team(rng) if rng.random() < team_share else _person(rng)
        words = set(who.name.lower().split()) - _SMALL_WORDS
        if not words & taken and not any(who.name in other.name for other in chosen):
            chosen.append(who)
            taken |= words
    return chosen
