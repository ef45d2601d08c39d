"""Requests that name a goal and no task: "plan the launch of our web shop by 1 March"."""

from __future__ import annotations

from random import Random
from typing import Any

from lpm_model.data.phrases import phrases
from lpm_model.data.project.names import about, resources
from lpm_model.data.project.plan import (
    Absence,
    Plan,
    Request,
    draw_absence,
    draw_style,
    draw_window,
    year_unsaid,
)
from lpm_model.data.project.text import Text, join_sentences, roughened

__all__ = ["GOAL_EDITS", "goal_request"]

GOAL_EDITS = {
    "start_set": 5, "start_drop": 1.5, "start_later": 1, "deadline_set": 7, "deadline_drop": 2,
    "deadline_later": 1.5, "off_shift": 2, "off_drop": 1.5, "undo": 3, "first": 1.5, "chatter": 5,
}  # fmt: skip
"""Weights of later turns, as ``edits.WEIGHTS``: those that need no task."""

_LONGEST = 38  # characters of a goal: a title of the notation is short


def goal_request(rng: Random) -> Request:
    """Draw a first turn; its plan has no jobs."""
    bank, frames = phrases("project/goals"), phrases("project/frames")
    goal, act = _goal(rng, bank)
    plan = Plan(goal, "none", [], [], [], draw_style(rng))
    prose = rng.random() < 0.7
    form = "prose" if prose else "note"
    text = Text(rng, plan.style, prose=prose)
    start, end = draw_window(rng, rng.choice((21, 45, 90, 180)))
    asked = rng.choices(("both", "start", "deadline", "neither"), (14, 14, 46, 26))[0]
    plan.start = start if asked in ("both", "start") else None
    plan.deadline = end if asked in ("both", "deadline") else None
    folded = plan.deadline is not None and plan.start is None and rng.random() < 0.65
    kind = ("act" if act else "thing") + ("_by" if folded else "")
    said = [text.pick(bank[kind], g=goal, **({"e": text.day(end)} if folded else {}))]
    if plan.start and plan.deadline and rng.random() < 0.5:
        said.append(text.pick(frames["both"][form], s=text.day(start), e=text.day(end)))
    else:
        if plan.start:
            said.append(text.pick(frames["start"][form], s=text.day(start)))
        if plan.deadline and not folded:
            said.append(text.pick(frames["deadline"][form], e=text.day(end)))
    if rng.random() < 0.22:
        plan.people = resources(rng, 1, 0.15, [])
        first, last = draw_absence(rng, start, end)
        plan.absences = [Absence(0, first, last)]
        away = {on: text.period(first, last, prepositional=on == "on") for on in ("on", "r")}
        said.append(text.pick(frames["away"][form], p=text.who(plan.people), **away))
    if prose and rng.random() < 0.12:
        said.append(rng.choice(frames["closer"]))
    composed = join_sentences(said) if prose else rng.choice(("; ", ", ", "\n", " / ")).join(said)
    ends = [day for day in (plan.start, plan.deadline) if day is not None]
    days = [*ends, *(day for gap in plan.absences for day in (gap.first, gap.last))]
    words = text.finish(
        composed,
        year_everywhere=plan.style.year == "each" or len({day.year for day in days}) > 1,
        known_year=year_unsaid(plan, days),
    )
    names = [goal, *(who.said for who in plan.people)]
    return Request(plan, roughened(rng, words, names, prose=prose), _means(plan, goal))


def _goal(rng: Random, bank: dict[str, Any]) -> tuple[str, bool]:
    """A goal in words, and whether they say what to do ("move the office") or name a thing."""
    while True:
        drawn = rng.random()
        if drawn < 0.3:
            goal, act = about(rng, rng.choice(list(phrases("project/kinds")))), False
        elif drawn < 0.65:
            of = rng.choice(bank["subjects"].split(";")).strip()
            goal, act = rng.choice(bank["nouns"]).format(x=of), False
        else:
            of = rng.choice(bank["subjects"].split(";")).strip()
            goal, act = rng.choice(bank["verbs"]).format(x=of), True
        if len(goal) <= _LONGEST:
            return goal, act


def _means(plan: Plan, goal: str) -> dict[str, Any]:
    means: dict[str, Any] = {"title": goal}
    if plan.start:
        means["start"] = plan.start.isoformat()
    if plan.deadline:
        means["deadline"] = plan.deadline.isoformat()
    if plan.absences:
        means["days_off"] = [
            {"who": plan.people[gap.who].name, "from": gap.first.isoformat(), "to": gap.last.isoformat()}
            for gap in plan.absences
        ]
    return means
