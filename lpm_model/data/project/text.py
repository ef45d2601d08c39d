"""From templates to text: names, dates and verbs that agree are put in when the text stands.

While a text is composed, a task or a date in it is a single private character. Only in the whole
text is it known which mention comes first (and gives the name in full, or the year).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from lpm_model.data import dates
from lpm_model.data.noise import NUMBER_WORDS, disturb
from lpm_model.data.phrases import phrases
from lpm_model.data.project.names import TaskName, Who
from lpm_model.data.project.plan import Style

__all__ = ["Phrase", "Text", "fill", "glued", "join_sentences", "plain", "possessive", "roughened"]

# Mentions while a text is composed, and a space that noise does not see as one.
_TASK, _ACT, _DATE, _GLUE = 0xE000, 0xE200, 0xE400, "\u00a0"
_MENTIONS = re.compile("[\ue000-\ue7ff]")
_VERBS = {
    "is": "are",
    "isn't": "aren't",
    "was": "were",
    "has": "have",
    "does": "do",
    "goes": "go",
    "relies": "rely",
}
# Words that a slip or a shorthand would turn into another date or number.
_KEPT = {
    *NUMBER_WORDS, "to", "for", "too", "may", "march", "january", "february", "april", "june", "july",
    "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday", "thursday",
    "friday", "till", "until", "not", "after", "both", "each", "first", "last", "fortnight", "couple",
}  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """Words for a value, and whether a verb with them is plural."""

    text: str
    plural: bool = False

    def __str__(self) -> str:
        return self.text


def _agree(verb: str, plural: bool) -> str:
    if not plural:
        return verb
    return _VERBS.get(verb, verb.removesuffix("s"))


def fill(template: str, values: Mapping[str, Phrase | str]) -> str:
    """Put values into a template; ``<takes>`` agrees with {t}, ``<a.is>`` with {a}."""

    def verb(match: re.Match[str]) -> str:
        subject = values.get(match[1] or ("t" if "t" in values else "ts"))
        return _agree(match[2], isinstance(subject, Phrase) and subject.plural)

    return re.sub(r"<(?:(\w+)\.)?([\w']+)>", verb, template).format(**values)


def glued(text: str) -> str:
    """The text as one word for noise: neither misspelt nor interrupted."""
    return text.replace(" ", _GLUE)


def plain(text: str) -> str:
    """The text with ordinary spaces."""
    return text.replace(_GLUE, " ")


def keep_words(names: Sequence[str]) -> set[str]:
    """Lower-case words that noise must leave alone: those of the names, and of numbers and dates."""
    return _KEPT | {word for name in names for word in name.lower().split()}


def roughened(rng: Random, text: str, names: Sequence[str], *, prose: bool) -> str:
    """Noise that leaves names, numbers and the marks between them alone."""
    fillers = phrases("project/frames")["filler"] if prose else []
    return plain(disturb(rng, text, fillers, keep_words(names), marks=False))


def possessive(p: Phrase | str) -> str:
    """Whose something is: "Tess's", "the plumbers'"."""
    words = str(p)
    return f"{words}'" if words.endswith("s") and isinstance(p, Phrase) and p.plural else f"{words}'s"


def join_sentences(parts: Sequence[str]) -> str:
    """Sentences with the marks that were left out between them."""
    text = ""
    for part in parts:
        if text:
            text += "\n" if text.endswith(("\n", "##")) else " " if text[-1] in ".!?,:;)" else ". "
        text += part
    return text


def capitalised(text: str) -> str:
    """The text with a capital letter at the beginning of each sentence."""
    return re.sub(
        r"(^|[.!?]\s+|\n\s*|^\W+)([a-z])(?![a-z]*[A-Z])",
        lambda m: m[1] + m[2].upper(),
        text,
    )


class Text:
    """Puts words for tasks, people, dates and lengths into templates, in one person's style.

    Args:
        rng: Source of chance.
        style: How this person writes dates and lengths.
        prose: Whether names take articles, as in sentences.
    """

    def __init__(self, rng: Random, style: Style, *, prose: bool) -> None:
        self.rng, self.style, self.prose = rng, style, prose
        self.tasks: list[TaskName] = []
        self.dates: list[Callable[[bool], str]] = []
        self.shortened = rng.choice((0.0, 0.0, 0.3, 0.7))
        self.nouns = prose  # whether "order tiles" is later spoken of as "ordering tiles"
        self.initials = not prose and rng.random() < 0.3  # "Order tiles" at the head of a line
        self.joint = rng.choice((" and ", " and ", " and ", " & ", " + ")) if not prose else " and "
        self.oxford = rng.random() < 0.2
        self.dictated = False
        self._favourites: dict[tuple[str, ...], list[str]] = {}

    # -- values ------------------------------------------------------------------------------

    def task(self, name: TaskName, *, act: bool = False) -> Phrase:
        """A mention of a task; as an ``act`` it follows "to" or "will", and stays as it is."""
        if name not in self.tasks:
            self.tasks.append(name)
        return Phrase(chr((_ACT if act else _TASK) + self.tasks.index(name)), name.plural)

    def listed(self, phrases_: Sequence[Phrase | str]) -> Phrase:
        """Several mentions joined by commas and "and"."""
        words = [str(p) for p in phrases_]
        if len(words) == 1:
            only = phrases_[0]
            return only if isinstance(only, Phrase) else Phrase(only)
        if len(words) == 2 or self.dictated:
            return Phrase(self.joint.join(words), True)
        comma = "," if self.oxford and self.prose else ""
        return Phrase(f"{', '.join(words[:-1])}{comma}{self.joint}{words[-1]}", True)

    def who(self, people: Sequence[Who], *, first: bool = True) -> Phrase:
        """A mention of people or teams; not the ``first`` one may be short."""
        said = []
        for who in people:
            short = not first and self.rng.random() < 0.6
            name = who.said if self.prose else who.name
            said.append(Phrase(glued(who.short if short and not who.team else name), who.plural))
        if len(said) == 1:
            return said[0]
        joint = self.rng.choice((" and ", " and ", " with ") if self.prose else (" and ", " + ", " & ", "/"))
        return Phrase(joint.join(str(p) for p in said), joint != " with " or said[0].plural)

    def span(self, n: float, unit: str) -> str:
        """A length of work."""
        return glued(dates.span(self.rng, self.style.span, n, unit))

    def _dated(self, say: Callable[[bool], str]) -> str:
        self.dates.append(say)
        return chr(_DATE + len(self.dates) - 1)

    def day(self, when: date) -> str:
        """A date."""
        return self._dated(lambda year: dates.day(self.style.date, when, year))

    def period(self, first: date, last: date, *, prepositional: bool) -> str:
        """A day or a period."""
        return self._dated(
            lambda year: dates.period(
                self.rng, self.style.date, first, last, year, prepositional=prepositional
            )
        )

    # -- templates ---------------------------------------------------------------------------

    def pick(self, templates: Sequence[str], **values: Phrase | str) -> str:
        """A template that this person likes, filled."""
        rng = self.rng
        fitting = [t for t in templates if not self.dictated or not set(t) & set("()[]:;=-/?")] or templates
        key = tuple(fitting)
        if key not in self._favourites:
            self._favourites[key] = rng.sample(list(fitting), min(len(fitting), rng.choice((1, 2, 2, 3, 4))))
        liked = self._favourites[key] if rng.random() < 0.75 else list(fitting)
        return fill(rng.choice(liked), values)

    # -- the whole text ----------------------------------------------------------------------

    def finish(
        self,
        text: str,
        *,
        year_everywhere: bool,
        known_year: bool = False,
        known_tasks: Collection[TaskName] = (),
    ) -> str:
        """Put names and dates into the composed text.

        Args:
            text: The text with its private characters.
            year_everywhere: Whether each date needs its year.
            known_year: Whether no date needs its year, since it was said before or is said in words.
            known_tasks: Tasks that were named before this text.
        """
        seen = {i for i, name in enumerate(self.tasks) if name in known_tasks}
        dated = known_year

        def mention(match: re.Match[str]) -> str:
            nonlocal dated
            code = ord(match[0])
            if code >= _DATE:
                with_year = year_everywhere or not dated
                dated = True
                return glued(self.dates[code - _DATE](with_year))
            index = (code - _TASK) % (_ACT - _TASK)
            before = text[max(0, match.start() - 4) : match.start()].lower()
            words = self._named(self.tasks[index], index in seen and code < _ACT, before)
            seen.add(index)
            return glued(words)

        whole = _MENTIONS.sub(mention, text)
        return capitalised(whole) if self.prose else whole

    def order(self, text: str) -> list[TaskName]:
        """The tasks of a composed text by first mention."""
        mentions = ((ord(c) - _TASK) % (_ACT - _TASK) for c in text if _TASK <= ord(c) < _DATE)
        return [self.tasks[index] for index in dict.fromkeys(mentions)]

    def _named(self, name: TaskName, again: bool, before: str) -> str:
        words, form = name.text, name.form
        if again and name.short and self.rng.random() < self.shortened:
            words = name.short
        elif again and form == "do" and self.nouns:
            words = name.as_noun().text
        if self.initials:
            words = words[0].upper() + words[1:]
        article = form == "the" and self.prose and not before.endswith((" no ", "the ")) and before != "no "
        return f"the {words}" if article else words
