"""Lays a project out as people write it: sentences, notes, sections, per person, along time, as a table.

A layout states every task with its length, who does it and what it waits for, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lpm_model.data.dates import adjective
from lpm_model.data.project.order import ARROWS, Order
from lpm_model.data.project.text import Phrase, fill, glued, join_sentences, possessive

__all__ = ["LAYOUTS", "Body"]

# Layout: weight, and how likely it is written in sentences.
LAYOUTS = {
    "sentences": (27, 1.0), "notes": (19, 0.0), "sections": (18, 0.55), "memo": (4, 0.8),
    "people": (11, 0.5), "timeline": (13, 1.0), "arrows": (5, 0.0), "table": (8, 0.0),
}  # fmt: skip


class Body(Order):
    """States the tasks of a plan in one layout, one of ``LAYOUTS``."""

    def lines(self) -> list[str]:
        """The parts of the text, each a sentence or a line."""
        lines: list[str] = getattr(self, f"_by_{self.layout}")()
        return lines

    # -- task by task, in sentences ----------------------------------------------------------

    def _by_sentences(self) -> list[str]:
        rng, jobs, lines = self.rng, self.plan.jobs, []
        i, known = 0, set[int]()
        while i < len(jobs):
            after = jobs[i].after
            pair = i + 1 < len(jobs) and after and jobs[i + 1].after == after
            if pair and rng.random() < 0.4 and not self.text.dictated and self.slip is None:
                x, y = self._detailed(i), self._detailed(i + 1)
                lines.append(self.text.pick(self.tasks["pair"], a=self._tasks(after), x=x, y=y))
                i += 2
                continue
            lines.append(self._sentence(i, known))
            known |= set(jobs[i].who)
            chained = i + 1 < len(jobs) and jobs[i + 1].after == [i]
            if not after and not chained and self.plan.shape != "none" and rng.random() < 0.25:
                lines[-1] = join_sentences([lines[-1], rng.choice(self.tasks["free"])])
            i += 1
        return lines + self._unordered()

    def _sentence(self, i: int, known: set[int]) -> str:
        rng, jobs, job = self.rng, self.plan.jobs, self.plan.jobs[i]
        who = [] if self.plan.alone else job.who
        again = i > 0 and len(who) == 1 and jobs[i - 1].who == who and rng.random() < 0.5
        values: dict[str, Phrase | str] = {"t": self._task(i), "d": self._span(i)}
        if who:
            values["p"] = self._who(i, first=not set(who) <= known)
            values["ps"] = possessive(values["p"])
        last = self.plan.closing and i == len(jobs) - 1
        key = "all_" if last else self._dependency(i)
        if job.after and key not in ("next_", "both_", "all_"):
            values["a"] = self._tasks(job.after)
        if job.name.form == "do":
            if last:
                values["a"] = Phrase("everything else")
            elif key == "both_":
                values["a"] = Phrase("both of those", True)
            return self.text.pick(self.tasks[_do_key(key, values)], **values)
        if again and self.slip != ("who", i) and key in ("", "a", "next_"):
            she = self.plan.people[who[0]].pronoun
            her = {"she": "her", "he": "him", "they": "them"}[she]
            bank = {"": "again_d", "a": "again_da", "next_": "again_next"}[key]
            templates = self.tasks[bank]
            spoken = [t for t in templates if "{she}" in t or "{She}" in t]
            # A team is not spoken of as one person, and "they" takes another verb than the name.
            rest = [t for t in templates if t not in spoken and "{her}" not in t and "person" not in t]
            if self.plan.people[who[0]].team or she == "they":
                templates = rest
            return self.text.pick(templates, she=she, She=she.capitalize(), her=her, **values)
        bank = {"a": "da", "next_": "next_d", "both_": "both_d", "all_": "all_d", "": "d"}[key]
        if who:
            bank = {"da": "dap"}.get(bank, f"{bank}p")
        templates = self.tasks[bank]
        before_noun = adjective(rng, job.n, job.unit)
        if before_noun and rng.random() < 0.1:
            values["dj"] = before_noun
        else:
            templates = self._without(templates, "{dj}")
        return self.text.pick(templates, **values)

    @staticmethod
    def _without(templates: list[str], hole: str) -> list[str]:
        rest = [t for t in templates if hole not in t]
        return rest if len(rest) < len(templates) else templates

    def _dependency(self, i: int) -> str:
        """How a task's dependency can be said: "next_" after the one before, "both_", "a" by name."""
        after = self.plan.jobs[i].after
        if after == [i - 1] and self.rng.random() < 0.5:
            return "next_"
        if after == [i - 2, i - 1] and self.rng.random() < 0.45:
            return "both_"
        return "a" if after else ""

    # -- notes -------------------------------------------------------------------------------

    def _by_notes(self) -> list[str]:
        rng = self.rng
        styles = self.tasks["notes"]
        if any(job.name.text[-1].isdigit() for job in self.plan.jobs):  # not "batch 7 5 days"
            styles = [s for s in styles if s["d"] not in (" {d}", " x {d}")]
        style = rng.choice(styles)
        bullet = rng.choice(("- ", "- ", "* ", "", "", "• ", "#"))
        numbers = rng.choice(("{n}. ", "{n}) ", "#{n} ", "({n}) "))
        numbered = bullet == "#" or rng.random() < 0.12
        by_number = numbered and rng.random() < 0.5
        said_free = rng.random() < 0.5
        titled = rng.random() < 0.2
        lines = []
        for i, job in enumerate(self.plan.jobs):
            values: dict[str, Phrase | str] = {"t": self._task(i), "d": self._span(i)}
            who = job.who and not self.plan.alone
            if who:
                values["p"] = self._who(i)
            closing = self.plan.closing and i == len(self.plan.jobs) - 1
            if closing:
                rest = rng.choice(("everything else", "all the others", "all of the above"))
                values["a"] = Phrase(rest, rest != "everything else")
            elif by_number and job.after:
                hash_ = "#" if numbers.startswith("#") else ""
                values["a"] = self.text.listed([f"{hash_}{j + 1}" for j in job.after])
            elif job.after:
                values["a"] = self._tasks(job.after)
            line = ""
            for part, template in style.items():
                if part == "f":
                    line += template if not job.after and said_free else ""
                elif part == "d2" or (part == "d" and "d2" in style):
                    line += fill(template, values) if (part == "d2") == bool(who) else ""
                elif part in values:
                    line += fill(template, values)
            head = numbers.format(n=i + 1) if numbered else "" if bullet == "#" else bullet
            lines.append(head + line)
        if rng.random() < 0.25 and not titled:
            lines.insert(0, rng.choice(self.frames["heads"]["tasks"]))
        return lines + self._unordered()

    # -- first the tasks, then who, then the order -------------------------------------------

    def _by_sections(self) -> list[str]:
        heads = self.form == "note" and self.layout == "sections" and self.rng.random() < 0.7
        groups = [("tasks", self._listed()), ("who", self._who_lines()), ("order", self._order_lines())]
        if self.rng.random() < 0.3:
            groups[1], groups[2] = groups[2], groups[1]
        lines = []
        for head, parts in groups:
            if heads and parts:
                lines.append(self.rng.choice(self.frames["heads"][head]))
            lines += parts if self.form == "note" else [join_sentences(parts)] if parts else []
        return lines

    def _by_memo(self) -> list[str]:
        return self._by_sections()

    def _items(self, indices: Sequence[int]) -> list[str]:
        acts = any(self.plan.jobs[i].name.form == "do" for i in indices)
        numbered = any(self.plan.jobs[i].name.text[-1].isdigit() for i in indices)
        unfit = {"{d} of {t}"} if acts else set[str]()
        unfit |= {"{t} {d}"} if numbered else set[str]()  # not "batch 7 5 days"
        bank = [t for t in self.people["item"] if t not in unfit]
        template = fill(self.rng.choice(bank), {"t": "{t}", "d": "{d}"})
        words = []
        for i in indices:
            task, span = self._task(i), self._span(i)
            words.append(template.format(t=task, d=span))
        return words

    def _listed(self) -> list[str]:
        """The tasks and how long they take."""
        rng, jobs = self.rng, self.plan.jobs
        everything = list(range(len(jobs)))
        if self.form == "note" and rng.random() < 0.7:
            return self._items(everything)
        by_span: dict[str, list[int]] = {}
        for i in everything:
            by_span.setdefault(jobs[i].days, []).append(i)
        if self.plan.verbal and rng.random() < 0.7:
            items = [f"{self._task(i)} ({self._span(i)})" for i in everything]
            return [
                self.text.pick(self.people["items_do"], items=", ".join(items[:-1]) + f" and {items[-1]}")
            ]
        if len(jobs) <= 5 and self.slip is None and rng.random() < 0.12:
            spans = self.text.listed([self._span(i) for i in everything])
            return [self.text.pick(self.people["respectively"], names=self._tasks(everything), spans=spans)]
        if len(by_span) < len(jobs) and self.slip is None and rng.random() < 0.25:
            return self._grouped(list(by_span.values()))
        items = self._items(everything)
        comma = ", " if not any("," in item for item in items) else "; "
        joined = comma.join(items[:-1]) + rng.choice((f"{comma}and ", " and ", comma)) + items[-1]
        return [self.text.pick(self.people["items"], items=joined)]

    def _grouped(self, groups: list[list[int]]) -> list[str]:
        lines = []
        for group in groups:
            span = self._span(group[0])
            if len(group) == 1:
                value: dict[str, Phrase | str] = {"t": self._task(group[0]), "d": span}
                lines.append(self.text.pick([t for t in self.tasks["d"] if "{dj}" not in t], **value))
                continue
            bank = "each_two" if len(group) == 2 and self.rng.random() < 0.3 else "each"
            lines.append(self.text.pick(self.people[bank], ts=self._tasks(group), d=span))
        return lines

    def _who_lines(self) -> list[str]:
        """Who does what; nothing for one person alone, which is said elsewhere."""
        if self.plan.alone:
            return []
        groups = self._shares()
        lines = [self._does(who, self._tasks(indices), indices) for who, indices in groups.items() if who]
        if lines and () in groups and self.rng.random() < 0.5:
            lines.append(self.text.pick(self.people["nobody"][self.form], ts=self._tasks(groups[()])))
        return lines

    def _shares(self) -> dict[tuple[int, ...], list[int]]:
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, job in enumerate(self.plan.jobs):
            groups.setdefault(tuple(job.who), []).append(i)
        return groups

    def _does(self, who: tuple[int, ...], ts: Phrase, indices: Sequence[int]) -> str:
        p = self.text.who(self._people(who))
        values: dict[str, Phrase | str] = {"p": p, "ps": possessive(p), "ts": ts, "t": ts}
        if self.form == "prose" and all(self.plan.jobs[i].name.form == "do" for i in indices):
            acts = (str(self.text.task(self.plan.jobs[i].name, act=True)) for i in indices)
            for i, act in zip(indices, acts, strict=True):
                ts = Phrase(ts.text.replace(str(self._task(i)), act), ts.plural)
            return self.text.pick(self.people["list_do"], **values | {"ts": ts})
        values["theirs"] = "theirs"
        return self.text.pick(self.people["does"][self.form], **values)

    # -- person by person --------------------------------------------------------------------

    def _by_people(self) -> list[str]:
        lines = []
        groups = self._shares()
        template = self.rng.choice(("{t} ({d})", "{t} ({d})", "{t} [{d}]", "{t} {d}", "{t} - {d}"))
        bracketed = self.text.prose or any(job.name.text[-1].isdigit() for job in self.plan.jobs)
        template = "{t} ({d})" if bracketed else template
        for who, indices in groups.items():
            items = [
                Phrase(template.format(t=self._task(i), d=self._span(i)), self.plan.jobs[i].name.plural)
                for i in indices
            ]
            ts = self.text.listed(items)
            if who:
                lines.append(self._does(who, ts, indices))
            else:
                lines.append(self.text.pick(self.people["nobody"][self.form], ts=ts, t=ts))
        return lines + self._order_lines()

    # -- along time --------------------------------------------------------------------------

    def _by_timeline(self) -> list[str]:
        stages, lines, bank = self.plan.stages, [], self.people
        for k, stage in enumerate(stages):
            several, before = len(stage) > 1, len(stages[k - 1]) if k else 0
            if k == 0:
                key = "firsts" if several else "first"
            elif before > 1:
                key = "joineds" if several else "joined" if before == 2 else "joined_many"
            elif several:
                key = "thens"
            else:
                key = "last" if k == len(stages) - 1 and self.rng.random() < 0.7 else "then"
            words = self.text.listed([self._detailed(i) for i in stage])
            templates = bank[key] if len(stage) < 3 else [t for t in bank[key] if "neither" not in t]
            lines.append(self.text.pick(templates, x=words, xs=words))
        return lines

    def _by_arrows(self) -> list[str]:
        arrow = self.rng.choice(ARROWS[:5])
        parallel = self.rng.choice((" + ", " || ", " & ", " and "))
        stages = [
            parallel.join(str(self._detailed(i)) for i in stage)
            if len(stage) == 1
            else "[" + parallel.join(str(self._detailed(i)) for i in stage) + " in parallel]"
            for stage in self.plan.stages
        ]
        return [arrow.join(stages)]

    # -- rows --------------------------------------------------------------------------------

    def _by_table(self) -> list[str]:
        rng, jobs, frames = self.rng, self.plan.jobs, self.frames
        staffed = not self.plan.alone and any(job.who for job in jobs)
        ordered = any(job.after for job in jobs)
        columns = ["name", "days", *(["who"] if staffed else []), *(["after"] if ordered else [])]
        tail = columns[1:]
        rng.shuffle(tail)
        columns = ["name", *tail] if rng.random() < 0.6 else columns
        separator = rng.choice((" | ", " | ", ",", ", ", ";", "; ", "\t", " / "))
        empty, inner = rng.choice(frames["empty"]), rng.choice((" + ", " & ", " and ", "+"))
        numbered = ordered and rng.random() < 0.2
        only_days = all(job.unit == "d" for job in jobs) and rng.random() < 0.6
        rows = []
        for i, job in enumerate(jobs):
            after = [str(j + 1) if numbered else str(self._task(j)) for j in job.after]
            if self.plan.closing and i == len(jobs) - 1 and not numbered and rng.random() < 0.7:
                after = ["all others"]
            cells = {
                "name": str(self._task(i)),
                "days": f"{job.n:g}" if only_days else self._span(i),
                "who": inner.join(glued(p.name) for p in self._people(job.who)) or empty,
                "after": inner.join(after) or empty,
            }
            row = [cells[column] for column in columns]
            rows.append(separator.join([str(i + 1), *row] if numbered else row))
        if numbered or only_days or ordered or rng.random() < 0.7:
            heads = [rng.choice(frames["columns"][column]) for column in columns]
            if only_days:
                heads[columns.index("days")] = rng.choice(("days", "Days", "DAYS", "working days"))
            rows.insert(0, separator.join(["#", *heads] if numbered else heads))
        if separator == " | " and rng.random() < 0.4:
            rows = [f"| {row} |" for row in rows]
        return rows + self._unordered()


def _do_key(key: str, values: dict[str, Any]) -> str:
    """The bank for something one does."""
    if key == "next_":
        return "do_nextp" if "p" in values else "do_next"
    return "do_d" + ("a" if "a" in values else "") + ("p" if "p" in values else "")
