"""Project requests and conversations: tasks, who does them, in which order and when.

A request is drawn in three steps: the meaning (``plan``), the words for it (here and in
``layouts``: prose, notes, sections, a table, ...), and the noise. Later turns change the
meaning (``edits``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from lpm_model.data.conversation import Conversation, Conversations, Turn
from lpm_model.data.phrases import phrases
from lpm_model.data.project.edits import Editor
from lpm_model.data.project.goals import GOAL_EDITS, goal_request
from lpm_model.data.project.layouts import LAYOUTS, Body
from lpm_model.data.project.means import all_dates, without_years
from lpm_model.data.project.names import about
from lpm_model.data.project.plan import Plan, Request, draw_plan, year_unsaid
from lpm_model.data.project.text import Phrase, Text, fill, join_sentences, roughened

__all__ = ["ProjectConversations", "request"]

_SHORTEST_SPANS = ("tight", "short")
_GOAL_SHARE = 0.3


def request(rng: Random) -> Request:
    """Draw a first turn."""
    return _Composer(rng, draw_plan(rng)).request()


class _Composer:
    """Words for a plan: the body, and around it dates, absences and talk."""

    def __init__(self, rng: Random, plan: Plan) -> None:
        self.rng, self.plan = rng, plan
        self.frames, self.people = phrases("project/frames"), phrases("project/people")
        self.layout = self._choose_layout()
        prose = rng.random() < LAYOUTS[self.layout][1]
        if prose and plan.style.span in _SHORTEST_SPANS and rng.random() < 0.7:
            plan.style = replace(plan.style, span="digits")
        self.text = Text(rng, plan.style, prose=prose)
        self.text.dictated = self.layout == "sentences" and rng.random() < 0.16
        if self.text.dictated:
            spoken = ("spoken", "spoken_us", "month_day", "day_month", "the_of", "month_day_ordinal")
            plan.style = replace(plan.style, date=rng.choice(spoken), span=rng.choice(("words", "digits")))
            self.text.style = plan.style
        if prose and not plan.verbal and (self.layout != "sentences" or rng.random() < 0.5):
            for job in plan.jobs:
                job.name = job.name.as_noun()
        self.form = "prose" if prose else "note"

    def _choose_layout(self) -> str:
        plan, weights = self.plan, {name: float(weight) for name, (weight, _) in LAYOUTS.items()}
        if not plan.people or plan.alone:
            weights["people"] = 0
        if not plan.stages:
            weights["timeline"] = weights["arrows"] = 0
        if plan.verbal:
            weights["timeline"] /= 3
        if len(plan.jobs) > 6:  # few people write long sentences about so many tasks
            for name in ("sentences", "sections", "memo", "timeline"):
                weights[name] /= 4
        if plan.brief:
            weights |= {"notes": 60, "arrows": weights["arrows"] * 8, "sections": 3, "memo": 0}
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def request(self) -> Request:
        """The text and its meaning."""
        rng, plan = self.rng, self.plan
        body = Body(rng, plan, self.text, self.layout).lines()
        head, tail = self._around()
        if self.form == "prose":
            composed = self._as_prose(head, body, tail)
        else:
            composed = self._as_lines(head, body, tail)
        if self.layout == "memo":
            composed = self._numbered([*head, *body, *tail])
        years = {day.year for day in self._days()}
        text = self.text.finish(
            composed,
            year_everywhere=plan.style.year == "each" or len(years) > 1,
            known_year=self._noted() or year_unsaid(plan, self._days()),
        )
        names = [*(job.name.text for job in plan.jobs), *(who.said for who in plan.people)]
        if self.text.dictated:
            text = self._unmarked(text)
        return Request(plan, roughened(rng, text, names, prose=self.form == "prose"), self._means(composed))

    def _unmarked(self, text: str) -> str:
        """The text as dictated: a breath between sentences, and no marks but those within numbers."""
        breathed = re.sub(r"[.?!]+ ", lambda _: self.rng.choice(self.frames["breath"]), text)
        return re.sub(r"(?<!\d)[.,?!]|[.,?!](?!\d)", "", breathed).lower()

    # -- around the tasks --------------------------------------------------------------------

    def _days(self) -> list[date]:
        plan = self.plan
        ends = [day for day in (plan.start, plan.deadline) if day is not None]
        return ends + [day for gap in plan.absences for day in (gap.first, gap.last)]

    def _noted(self) -> bool:
        """Whether the year of all dates is said in a sentence of its own."""
        days = self._days()
        one_year = len(days) > 1 and len({day.year for day in days}) == 1
        return one_year and self.plan.style.year == "note"

    def _say(self, bank: dict[str, list[str]], **values: Phrase | str) -> str:
        return self.text.pick(bank[self.form], **values)

    def _around(self) -> tuple[list[str], list[str]]:
        """What stands before and after the tasks."""
        rng, frames = self.rng, self.frames
        early = rng.random() < 0.14
        times, rest = self._times(), self._rest(introduced=not early)
        head, tail = (rest, []) if early else ([], rest)
        head, tail = (times + head, tail) if rng.random() < 0.62 else (head, times + tail)
        if self._noted():
            (tail if tail and rng.random() < 0.6 else head).append(
                self._say(frames["year"], year=str(self._days()[0].year))
            )
        if self.plan.alone:
            p = self.text.who(self.plan.people)
            said = self._say(self.people["one"], p=p, ps=f"{p}'s")
            (head if rng.random() < 0.25 else tail).insert(0, said)
        if self.plan.brief:
            return head, tail
        for part in (head, tail):
            if self.form == "prose" and rng.random() < 0.1:
                part.insert(rng.randint(0, len(part)), self.text.pick(frames["chatter"]))
        what = about(rng, self.plan.kind)
        if self.form == "prose" and rng.random() < 0.45:
            head.insert(0, self.text.pick(frames["opener"], about=what))
        elif self.form == "note" and rng.random() < 0.5:
            bank = frames["label"] if rng.random() < 0.7 else frames["opener"]
            head.insert(0, self.text.pick(bank, about=what))
        if rng.random() < (0.25 if self.form == "prose" else 0.1):
            tail.append(self.text.pick(frames["closer"]))
        return head, tail

    def _day(self, when: date) -> str:
        """A date, now and then corrected while speaking."""
        said, wrong = self.text.day(when), when + timedelta(self.rng.choice((3, 5, 7, 10)))
        if self.form == "note" or self.rng.random() > 0.03 or wrong.year != when.year:
            return said
        return fill(self.rng.choice(self.frames["slip_date"]), {"x": self.text.day(wrong), "y": said})

    def _times(self) -> list[str]:
        plan, frames = self.plan, self.frames
        if plan.start and plan.deadline and self.rng.random() < 0.5:
            s, e = self._day(plan.start), self._day(plan.deadline)
            return [self._say(frames["both"], s=s, e=e)]
        said = []
        if plan.start:
            said.append(self._say(frames["start"], s=self._day(plan.start)))
        if plan.deadline:
            said.append(self._say(frames["deadline"], e=self._day(plan.deadline)))
        return said

    def _rest(self, *, introduced: bool) -> list[str]:
        """Absences, and how much one does at once; people not ``introduced`` yet are named in full."""
        plan, text, said = self.plan, self.text, []
        gaps = plan.absences
        together = len(gaps) == 2 and (gaps[0].first, gaps[0].last) == (gaps[1].first, gaps[1].last)
        if together:
            p, q = (text.who([plan.people[gap.who]]) for gap in gaps)
            on = text.period(gaps[0].first, gaps[0].last, prepositional=True)
            r = text.period(gaps[0].first, gaps[0].last, prepositional=False)
            said.append(self._say(self.frames["away_two"], p=p, q=q, on=on, r=r))
        for gap in gaps if not together else []:
            on = text.period(gap.first, gap.last, prepositional=True)
            r = text.period(gap.first, gap.last, prepositional=False)
            p = text.who([plan.people[gap.who]], first=not introduced)
            said.append(self._say(self.frames["away"], p=p, on=on, r=r))
        if plan.several or plan.single:
            at_once = self._say(self.frames["several" if plan.several else "single"])
            said.insert(0 if self.rng.random() < 0.4 else len(said), at_once)
        return said

    # -- the whole ---------------------------------------------------------------------------

    def _as_prose(self, head: list[str], body: list[str], tail: list[str]) -> str:
        if self.rng.random() < 0.75:
            return join_sentences([*head, *body, *tail])
        gap = self.rng.choice(("\n", "\n\n"))
        return gap.join(join_sentences(part) for part in (head, body, tail) if part)

    def _as_lines(self, head: list[str], body: list[str], tail: list[str]) -> str:
        rng = self.rng
        rows = self.layout == "table" or any(line.endswith(":") for line in body)
        if rows or rng.random() < 0.72:
            if tail and rng.random() < 0.1:
                tail.insert(0, rng.choice(self.frames["heads"]["rest"]))
            gap = rng.choice(("\n", "\n", "\n\n"))
            return gap.join("\n".join(part) for part in (head, body, tail) if part)
        # What stands between the tasks must not stand within one.
        inside = "".join(body)
        separators = [s for s in ("; ", ". ", ". ", " | ", " // ", "\n") if s.strip(" ") not in inside]
        separator = rng.choice(separators or ["\n"])
        text = ""
        for line in (*head, *body, *tail):
            text += (" " if text.endswith((":", "?", "!", ".")) else separator) * bool(text) + line
        return text

    def _numbered(self, parts: list[str]) -> str:
        number = self.rng.choice(("{}. ", "{}) ", "({}) ", "§{} ", "{}.\t"))
        return "\n".join(number.format(i + 1) + part for i, part in enumerate(parts))

    # -- the meaning -------------------------------------------------------------------------

    def _means(self, composed: str) -> dict[str, Any]:
        plan, means = self.plan, dict[str, Any]()
        if plan.start:
            means["start"] = plan.start.isoformat()
        if plan.deadline:
            means["deadline"] = plan.deadline.isoformat()
        order = self.text.order(composed)
        places = {job.name: i for i, job in enumerate(plan.jobs)}
        means["tasks"] = []
        for name in order:
            job = plan.jobs[places[name]]
            after = sorted((plan.jobs[j].name for j in job.after), key=order.index)
            task: dict[str, Any] = {"name": name.text, "days": job.days}
            if after:
                task["after"] = [other.text for other in after]
            if job.who:
                task["who"] = [plan.people[w].name for w in job.who]
            means["tasks"].append(task)
        if plan.absences:
            means["days_off"] = [
                {"who": plan.people[a.who].name, "from": a.first.isoformat(), "to": a.last.isoformat()}
                for a in plan.absences
            ]
        if plan.several:
            means["one_at_a_time"] = False
        return means


class ProjectConversations(Conversations):
    """Conversations about a project."""

    def conversation(self) -> Conversation:
        """Draw a conversation."""
        length = self.length()
        goal = self.rng.random() < _GOAL_SHARE
        first = goal_request(self.rng) if goal else request(self.rng)
        editor = Editor(self.rng, first.plan, GOAL_EDITS) if goal else Editor(self.rng, first.plan)
        turns = [Turn(first.user, first.means)]
        days = [date.fromisoformat(when) for when in all_dates(dict(first.means))]
        unsaid = year_unsaid(first.plan, days)
        while len(turns) < length:
            turn = editor.turn([dict(turn.means) for turn in turns])
            if turn is None or (
                unsaid and {when[:4] for when in all_dates(dict(turn.means))} != {f"{days[0].year}"}
            ):
                continue
            turns.append(turn)
        if unsaid:
            turns = [Turn(turn.user, without_years(dict(turn.means))) for turn in turns]
        return Conversation("project", tuple(turns))
