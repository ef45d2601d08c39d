"""What people change in a project, and what that makes of the meaning.

Each change takes a copy of the meaning that it may alter, and draws its values. It declines
(``None``) where it makes no sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from lpm_model.data.dates import span, working_day
from lpm_model.data.phrases import phrases
from lpm_model.data.project.means import Meaning, all_dates, busy, find, waits
from lpm_model.data.project.names import TaskName, Who, resources, task_names
from lpm_model.data.project.plan import Plan, draw_absence, draw_span
from lpm_model.data.project.text import Phrase, Text, fill, glued, possessive

__all__ = ["Changes", "Edit", "Words"]

Words = dict[str, Phrase | str]


@dataclass(frozen=True)
class Edit:
    """A meaning after a change, the words for its values, and a sentence that follows."""

    means: Meaning
    words: Words
    then: str = ""


class Changes:
    """The changes of one conversation.

    Args:
        rng: Source of chance.
        plan: What the first turn was about: its people and style.
    """

    def __init__(self, rng: Random, plan: Plan) -> None:
        self.rng, self.plan, self.phrases = rng, plan, phrases("project/edits")
        self.tasks: dict[str, TaskName] = {job.name.text: job.name for job in plan.jobs}
        self.people: dict[str, Who] = {who.name: who for who in plan.people}
        self.met = {plan.people[i].name for job in plan.jobs for i in job.who}
        # Names of a task after "everything else": what is added later must say how it relates to that.
        self.closing = {plan.jobs[-1].name.text} if plan.closing else set[str]()
        self.prose = rng.random() < 0.75
        self.text = self._new_text()
        self.doubled = False  # whether the last turn made two changes

    def _new_text(self) -> Text:
        text = Text(self.rng, self.plan.style, prose=self.prose)
        text.nouns = self.prose and self.rng.random() < 0.8
        return text

    def _task(self, name: str) -> Phrase:
        return self.text.task(self.tasks[name])

    def _named(self, name: str) -> Phrase:
        first = name not in self.met
        self.met.add(name)
        return self.text.who([self.people[name]], first=first)

    def _person(self, means: Meaning, *, new_share: float, other_than: tuple[str, ...] = ()) -> str | None:
        """The name of somebody who works on the project, or of somebody new."""
        known = [name for name in busy(means) if name not in other_than]
        if known and self.rng.random() >= new_share:
            return self.rng.choice(known)
        names = list(self.tasks.values())
        for who in resources(self.rng, 3, 0.2, names):
            if not any(set(who.name.lower().split()) & set(name.lower().split()) for name in self.people):
                self.people[who.name] = who
                return who.name
        return None

    def _new_task(self) -> TaskName | None:
        for name in task_names(self.rng, 3)[1]:
            name = name.as_noun() if self.prose else name
            words = set(name.text.lower().split())
            free = all(not words & set(who.lower().split()) for who in self.people)
            if free and not any(name.clashes(other) for other in self.tasks.values()):
                self.tasks[name.text] = name
                return name
        return None

    def _span(self) -> tuple[str, str]:
        """A length of work: as meant and in words, sometimes corrected while speaking."""
        n, unit = draw_span(self.rng)
        said = self.text.span(n, unit)
        if self.prose and self.rng.random() < 0.04:
            wrong = self.text.span(n + 1, unit)
            said = fill(self.rng.choice(phrases("project/frames")["slip_span"]), {"x": wrong, "y": said})
        return f"{n:g} {unit}", said

    # -- tasks -------------------------------------------------------------------------------

    def _added(self, means: Meaning, after: list[str], before: str | None, **known: str) -> Edit | None:
        name = self._new_task()
        if name is None:
            return None
        days, said = self._span()
        task: dict[str, Any] = {"name": name.text, "days": days, "after": after}
        words: Words = {"n": self.text.task(name), "d": said}
        words |= {hole: self._task(other) for hole, other in known.items()}
        if before is not None:
            waiting = find(means, before)
            waiting["after"] = [t for t in waiting.get("after", []) if t not in after] + [name.text]
        means["tasks"].append(task)
        teams = [other.get("who") for other in means["tasks"][:-1]]
        alone = teams[0] and all(team == teams[0] for team in teams)  # else it would seem to be theirs, too
        if not any(teams) or (not alone and self.rng.random() < 0.5):
            return Edit(means, words)
        p = self._person(means, new_share=0.3)
        if p is None:
            return None
        task["who"] = [p]
        return Edit(
            means,
            words,
            fill(self.rng.choice(self.phrases["add_who"]), {"p": self._named(p), "n": words["n"]}),
        )

    def _add_free(self, means: Meaning) -> Edit | None:
        return None if self._last(means) else self._added(means, [], None)

    def _add_after(self, means: Meaning) -> Edit | None:
        t = self._last(means) or self._any(means)
        return self._added(means, [t], None, t=t)

    def _add_before(self, means: Meaning) -> Edit | None:
        t = self._last(means) or self._any(means)
        return self._added(means, [], t, t=t)

    def _add_between(self, means: Meaning) -> Edit | None:
        pairs = [(a, task["name"]) for task in means["tasks"] for a in task.get("after", [])]
        if not pairs or self._last(means):
            return None
        t, u = self.rng.choice(pairs)
        return self._added(means, [t], u, t=t, u=u)

    def _last(self, means: Meaning) -> str | None:
        """The task after everything else, if there is one."""
        return next((task["name"] for task in means["tasks"] if task["name"] in self.closing), None)

    def _any(self, means: Meaning) -> str:
        name: str = self.rng.choice(means["tasks"])["name"]
        return name

    def _without(self, means: Meaning, name: str, instead: list[str]) -> Meaning:
        tasks = [task for task in means["tasks"] if task["name"] != name]
        for task in tasks:
            if name in task.get("after", []):
                rest = [other for other in task["after"] if other != name]
                task["after"] = rest + [other for other in instead if other not in rest]
        return means | {"tasks": tasks}

    def _drop(self, means: Meaning) -> Edit | None:
        if len(means["tasks"]) < 3:
            return None
        name = self._any(means)
        return Edit(self._without(means, name, []), {"t": self._task(name)})

    def _drop_bridge(self, means: Meaning) -> Edit | None:
        inner = [
            task
            for task in means["tasks"]
            if task.get("after") and any(task["name"] in other.get("after", []) for other in means["tasks"])
        ]
        if len(means["tasks"]) < 3 or not inner:
            return None
        task = self.rng.choice(inner)
        following = [t["name"] for t in means["tasks"] if task["name"] in t.get("after", [])]
        words: Words = {"t": self._task(task["name"])}
        if len(following) == 1 and len(task["after"]) == 1:
            words |= {"u": self._task(following[0]), "v": self._task(task["after"][0])}
        return Edit(self._without(means, task["name"], task["after"]), words)

    def _rename(self, means: Meaning) -> Edit | None:
        old, new = self._any(means), self._new_task()
        if new is None:
            return None
        words: Words = {"t": self._task(old), "n": glued(new.text)}
        for task in means["tasks"]:
            task["name"] = new.text if task["name"] == old else task["name"]
            task["after"] = [new.text if other == old else other for other in task.get("after", [])]
        if old in self.closing:
            self.closing.add(new.text)
        return Edit(means, words)

    # -- how long ----------------------------------------------------------------------------

    def _days_set(self, means: Meaning) -> Edit:
        name = self._any(means)
        find(means, name)["days"], said = self._span()
        return Edit(means, {"t": self._task(name), "d": said})

    _days_ask = _days_set

    def _days_two(self, means: Meaning) -> Edit:
        one, two = self.rng.sample([task["name"] for task in means["tasks"]], 2)
        days, said = self._span()
        find(means, one)["days"] = find(means, two)["days"] = days
        return Edit(means, {"t": self._task(one), "u": self._task(two), "d": said})

    def _changed_by(self, means: Meaning, sign: int) -> Edit | None:
        name = self._any(means)
        number, unit = find(means, name)["days"].split()
        step = self.rng.choice((1, 1, 2, 3)) if unit == "d" else 1
        total = float(number) + sign * step
        if total < 1:
            return None
        find(means, name)["days"] = f"{total:g} {unit}"
        return Edit(means, {"t": self._task(name), "k": self._exactly(step, unit)})

    def _exactly(self, n: int, unit: str) -> str:
        """A span without idioms such as "a fortnight" that do not go with "more" or "later"."""
        style = self.plan.style.span
        return glued(span(self.rng, style, n, unit) if style == "tight" else _counted(n, unit))

    def _days_more(self, means: Meaning) -> Edit | None:
        return self._changed_by(means, 1)

    def _days_less(self, means: Meaning) -> Edit | None:
        return self._changed_by(means, -1)

    # -- who ---------------------------------------------------------------------------------

    def _who_set(self, means: Meaning) -> Edit | None:
        name = self._any(means)
        task = find(means, name)
        p = self._person(means, new_share=0.35, other_than=tuple(task.get("who", ())))
        if p is None:
            return None
        task["who"] = [p]
        return Edit(means, {"t": self._task(name), "p": self._named(p)})

    def _who_add(self, means: Meaning) -> Edit | None:
        alone = [task for task in means["tasks"] if len(task.get("who", ())) == 1]
        if not alone:
            return None
        task = self.rng.choice(alone)
        q = task["who"][0]
        p = self._person(means, new_share=0.3, other_than=(q,))
        if p is None:
            return None
        task["who"] = [q, p]
        return Edit(means, {"t": self._task(task["name"]), "p": self._named(p), "q": self._named(q)})

    def _who_drop(self, means: Meaning) -> Edit | None:
        pairs = [task for task in means["tasks"] if len(task.get("who", ())) == 2]
        if not pairs:
            return None
        task = self.rng.choice(pairs)
        p, q = self.rng.sample(task["who"], 2)
        task["who"] = [q]
        return Edit(means, {"t": self._task(task["name"]), "p": self._named(p), "q": self._named(q)})

    def _hands(self, means: Meaning, change: dict[str, str], p: str, q: str) -> Edit:
        for task in means["tasks"]:
            if "who" in task:
                task["who"] = list(dict.fromkeys(change.get(who, who) for who in task["who"]))
        p_said, q_said = self._named(p), self._named(q)
        words: Words = {"p": p_said, "q": q_said, "ps": possessive(p_said), "qs": possessive(q_said)}
        return Edit(means, words)

    def _who_hand(self, means: Meaning) -> Edit | None:
        away = {gap["who"] for gap in means.get("days_off", ())}
        leaving = [name for name in busy(means) if name not in away]
        if not leaving or len(busy(means)) < 2:
            return None
        q = self.rng.choice(leaving)
        p = self._person(means, new_share=0.5, other_than=(q,))
        return None if p is None else self._hands(means, {q: p}, p, q)

    def _who_swap(self, means: Meaning) -> Edit | None:
        if len(busy(means)) < 2:
            return None
        p, q = self.rng.sample(busy(means), 2)
        return self._hands(means, {p: q, q: p}, p, q)

    def _who_all(self, means: Meaning) -> Edit | None:
        p = self._person(means, new_share=0.3)
        if p is None or means.get("days_off"):
            return None
        for task in means["tasks"]:
            task["who"] = [p]
        return Edit(means, {"p": self._named(p)})

    # -- absences ----------------------------------------------------------------------------

    def _gap(self, means: Meaning) -> tuple[date, date]:
        first, last = self._window(means)
        return draw_absence(self.rng, first, last)

    def _window(self, means: Meaning) -> tuple[date, date]:
        days = [date.fromisoformat(when) for when in all_dates(means)]
        first = min(days, default=working_day(self.rng, date(2025, 1, 2), date(2030, 9, 30)))
        return first, max([*days, first + timedelta(21)])

    def _away(self, means: Meaning, p: str, gap: tuple[date, date]) -> Words:
        said = self._named(p)
        words: Words = {"p": said, "ps": possessive(said)}
        words["on"] = self.text.period(*gap, prepositional=True)
        words["r"] = self.text.period(*gap, prepositional=False)
        return words

    def _off_add(self, means: Meaning) -> Edit | None:
        away = {gap["who"] for gap in means.get("days_off", ())}
        present = [name for name in busy(means) if name not in away]
        if not present:
            return None
        p, gap = self.rng.choice(present), self._gap(means)
        entry = {"who": p, "from": gap[0].isoformat(), "to": gap[1].isoformat()}
        means["days_off"] = [*means.get("days_off", []), entry]
        return Edit(means, self._away(means, p, gap))

    def _gone(self, means: Meaning) -> dict[str, str] | None:
        gaps: list[dict[str, str]] = means.get("days_off", [])
        return self.rng.choice(gaps) if gaps else None

    def _off_drop(self, means: Meaning) -> Edit | None:
        entry = self._gone(means)
        if entry is None:
            return None
        means["days_off"].remove(entry)
        said = self._named(entry["who"])
        return Edit(means, {"p": said, "ps": possessive(said)})

    def _off_shift(self, means: Meaning) -> Edit | None:
        entry = self._gone(means)
        if entry is None:
            return None
        gap = self._gap(means)
        entry["from"], entry["to"] = gap[0].isoformat(), gap[1].isoformat()
        return Edit(means, self._away(means, entry["who"], gap))

    # -- start and end -----------------------------------------------------------------------

    def _start_set(self, means: Meaning) -> Edit:
        first, last = self._window(means)
        latest = date.fromisoformat(means["deadline"]) - timedelta(14) if "deadline" in means else last
        start = working_day(self.rng, min(first, latest) - timedelta(20), max(first, latest))
        means["start"] = start.isoformat()
        return Edit(means, {"s": self.text.day(start)})

    def _deadline_set(self, means: Meaning) -> Edit:
        first, last = self._window(means)
        end = working_day(self.rng, max(first + timedelta(14), last - timedelta(20)), last + timedelta(40))
        means["deadline"] = end.isoformat()
        return Edit(means, {"s": self.text.day(end)})

    @staticmethod
    def _start_drop(means: Meaning) -> Edit | None:
        return Edit(means, {}) if means.pop("start", None) else None

    @staticmethod
    def _deadline_drop(means: Meaning) -> Edit | None:
        return Edit(means, {}) if means.pop("deadline", None) else None

    def _later(self, means: Meaning, field: str) -> Edit | None:
        if field not in means:
            return None
        weeks = self.rng.choice((1, 1, 2, 3))
        means[field] = (date.fromisoformat(means[field]) + timedelta(weeks=weeks)).isoformat()
        return Edit(means, {"k": self._exactly(weeks, "w")})

    def _start_later(self, means: Meaning) -> Edit | None:
        return self._later(means, "start")

    def _deadline_later(self, means: Meaning) -> Edit | None:
        return self._later(means, "deadline")

    # -- order -------------------------------------------------------------------------------

    def _dependency(self, means: Meaning, *, first: bool) -> tuple[dict[str, Any], str] | None:
        """A task that can come to wait for another; the ``first`` thing it waits for, or one more."""
        tasks = [t for t in means["tasks"] if bool(t.get("after")) != first and t["name"] not in self.closing]
        if not tasks:
            return None
        task = self.rng.choice(tasks)
        others = [
            other["name"]
            for other in means["tasks"]
            if other is not task
            and other["name"] not in task.get("after", [])
            and not waits(means, other["name"], task["name"])
            and other["name"] not in self.closing
        ]
        return (task, self.rng.choice(others)) if others else None

    def _after_add(self, means: Meaning, *, first: bool = False) -> Edit | None:
        found = self._dependency(means, first=first)
        if found is None:
            return None
        task, other = found
        task["after"] = [*task.get("after", []), other]
        return Edit(means, {"t": self._task(task["name"]), "u": self._task(other)})

    def _after_first(self, means: Meaning) -> Edit | None:
        return self._after_add(means, first=True)

    def _waiting(self, means: Meaning) -> dict[str, Any] | None:
        tasks = [t for t in means["tasks"] if t.get("after") and t["name"] not in self.closing]
        return self.rng.choice(tasks) if tasks else None

    def _after_drop(self, means: Meaning) -> Edit | None:
        task = self._waiting(means)
        if task is None:
            return None
        other = self.rng.choice(task["after"])
        task["after"].remove(other)
        return Edit(means, {"t": self._task(task["name"]), "u": self._task(other)})

    def _after_swap(self, means: Meaning) -> Edit | None:
        found = self._dependency(means, first=False)
        if found is None:
            return None
        task, new = found
        old = self.rng.choice(task["after"])
        task["after"] = [new if name == old else name for name in task["after"]]
        return Edit(means, {"t": self._task(task["name"]), "u": self._task(new), "v": self._task(old)})

    def _after_none(self, means: Meaning) -> Edit | None:
        task = self._waiting(means)
        if task is None:
            return None
        task["after"] = []
        return Edit(means, {"t": self._task(task["name"])})

    @staticmethod
    def _several_on(means: Meaning) -> Edit:
        return Edit(means | {"one_at_a_time": False}, {})

    @staticmethod
    def _several_off(means: Meaning) -> Edit | None:
        return Edit(means, {}) if "one_at_a_time" in means and not means.pop("one_at_a_time") else None

    def _confirm(self, means: Meaning) -> Edit:
        name = self._any(means)
        number, unit = find(means, name)["days"].split()
        return Edit(means, {"t": self._task(name), "d": self.text.span(float(number), unit)})


def _counted(n: int, unit: str) -> str:
    noun = "day" if unit == "d" else "week"
    return f"one {noun}" if n == 1 else f"{n} {noun}s"
