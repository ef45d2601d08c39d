"""Later turns about a project: a change, the words for it, and now and then a second one.

What a change makes of the meaning is in ``changes``; the words are in ``edits.yaml``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from random import Random

from lpm_model.data.conversation import Turn
from lpm_model.data.project.changes import Changes, Edit, Words
from lpm_model.data.project.means import Meaning, all_dates, tidy
from lpm_model.data.project.plan import Plan
from lpm_model.data.project.text import fill, join_sentences, roughened

__all__ = ["WEIGHTS", "Editor"]

WEIGHTS = {
    "add_free": 4, "add_after": 6, "add_before": 4, "add_between": 5, "drop": 8, "drop_bridge": 4,
    "rename": 4, "days_set": 9, "days_ask": 4, "days_two": 1.5, "days_more": 1.5, "days_less": 1,
    "who_set": 8, "who_add": 3, "who_drop": 2, "who_hand": 4, "who_swap": 2, "who_all": 1.5, "off_add": 7,
    "off_drop": 3, "off_shift": 3, "start_set": 5, "start_drop": 1.5, "start_later": 1, "deadline_set": 6,
    "deadline_drop": 2, "deadline_later": 1, "after_add": 4, "after_first": 3, "after_drop": 3,
    "after_swap": 2, "after_none": 2, "several_on": 2.5, "several_off": 2, "undo": 6, "first": 2.5,
    "confirm": 2, "chatter": 8,
}  # fmt: skip
_TALK = ("chatter", "confirm", "undo", "first")


class Editor(Changes):
    """Draws later turns of one conversation.

    Args:
        rng: Source of chance.
        plan: What the first turn was about.
        weights: How often each change is drawn.
    """

    def __init__(self, rng: Random, plan: Plan, weights: Mapping[str, float] = WEIGHTS) -> None:
        super().__init__(rng, plan)
        self.weights = weights

    def turn(self, history: list[Meaning]) -> Turn | None:
        """A turn after those of ``history``, or nothing if what was drawn makes no sense."""
        rng, now = self.rng, history[-1]
        self.text = self._new_text()
        key = rng.choices(list(self.weights), list(self.weights.values()))[0]
        edit = self.apply(key, now, history)
        if edit is None:
            return None
        if key == "undo" and self.doubled:  # which of the two?
            return None
        said = [self._say(key, edit)]
        if key not in _TALK and rng.random() < 0.14:
            other = rng.choices(list(self.weights), list(self.weights.values()))[0]
            second = (
                None
                if other in _TALK or _family(other) == _family(key)
                else self.apply(other, edit.means, [])
            )
            if second is not None and not _same_tasks(edit.words, second.words):
                said += [rng.choice(self.phrases["joint"]), self._say(other, second)]
                edit = second
        self.doubled = len(said) > 1
        composed = self._joined(said)
        if key not in ("chatter", "undo", "first"):
            if rng.random() < 0.14:
                composed = f"{rng.choice(self.phrases['opener'])} {composed}"
            if rng.random() < 0.12:
                composed = join_sentences([composed, rng.choice(self.phrases["closer"])])
        text = self._finished(composed, now, edit.means)
        names = [*self.tasks, *(who.said for who in self.people.values())]
        return Turn(roughened(rng, text, names, prose=self.prose), edit.means)

    def apply(self, key: str, now: Meaning, history: list[Meaning]) -> Edit | None:
        """What an edit makes of the meaning."""
        if key == "undo":
            # After an undo, "undo" could mean either way.
            changed = len(history) > 1 and history[-2] != history[-1] and history[-1] not in history[:-1]
            return Edit(copy.deepcopy(history[-2]), {}) if changed else None
        if key == "first":
            far = len(history) > 2 and history[0] != history[-1]
            return Edit(copy.deepcopy(history[0]), {}) if far else None
        if key == "chatter":
            return Edit(copy.deepcopy(now), {})
        made: Callable[[Meaning], Edit | None] = getattr(self, f"_{key}")
        edit = made(copy.deepcopy(now))
        if edit is None or (edit.means == now and key != "confirm") or not _in_time(edit.means):
            return None
        return Edit(tidy(edit.means), edit.words, edit.then)

    # -- words -------------------------------------------------------------------------------

    def _say(self, key: str, edit: Edit) -> str:
        words = {name: value for name, value in edit.words.items() if not name.startswith("_")}
        # A phrase that names more tasks than there are values for is not fit.
        templates = [t for t in self.phrases[key] if _holes(t) <= words.keys()]
        said = fill(self.rng.choice(templates), words)
        return join_sentences([said, edit.then]) if edit.then else said

    @staticmethod
    def _joined(said: list[str]) -> str:
        if len(said) == 1:
            return said[0]
        first, joint, second = said
        return (first if first[-1] in ".?!" or joint.startswith("\n") else f"{first}.") + joint + second

    def _finished(self, composed: str, now: Meaning, means: Meaning) -> str:
        known = {when[:4] for when in all_dates(now)}
        new = {when[:4] for when in all_dates(means)}
        omitted = known == new and len(known) == 1 and self.plan.style.year != "each"
        named = [self.tasks[task["name"]] for task in now.get("tasks", ())]
        return self.text.finish(composed, year_everywhere=not omitted, known_year=omitted, known_tasks=named)


def _in_time(means: Meaning) -> bool:
    """Whether all dates lie in the years that people speak of, the start before the deadline."""
    early_enough = means.get("start", "") < means.get("deadline", "9999")
    return early_enough and all("2025" <= when < "2031" for when in all_dates(means))


def _family(key: str) -> str:
    return key.split("_")[0]


def _same_tasks(one: Words, two: Words) -> bool:
    """Whether two edits speak of the same task."""
    return bool(
        {str(v) for k, v in one.items() if k in "tuvn"} & {str(v) for k, v in two.items() if k in "tuvn"}
    )


def _holes(template: str) -> set[str]:
    return {part.split("}")[0] for part in template.split("{")[1:]}
