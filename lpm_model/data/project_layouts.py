"""Lays a project out as people write it: sentences, notes, sections, per person, along time, as a table.

A layout states every task with its length, who does it and what it waits for, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from lpm_model.data.project_plan import Plan
from lpm_model.data.project_names import Who
from lpm_model.data.project_text import Phrase, Text, fill, glued, join_sentences
from lpm_model.data.route import phrases

__all__ = ["Body", "LAYOUTS"]

# Layout: weight, and how likely it is written in sentences.
LAYOUTS = {
    "sentences": (27, 1.0), "notes": (19, 0.0), "sections": (18, 0.55), "memo": (4, 0.8),
    "people": (11, 0.5), "timeline": (13, 1.0), "arrows": (5, 0.0), "table": (8, 0.0),
}  # fmt: skip
_ARROWS = (" -> ", " → ", " > ", " >> ", " => ", ", then ")


class Body:
    """States the tasks of a plan in one layout.

    Args:
        rng: Source of chance.
        plan: What is meant.
        text: Words for names, dates and lengths.
        layout: One of ``LAYOUTS``.
    """

    def __init__(self, rng: Random, plan: Plan, text: Text, layout: str) -> None:
        self.rng, self.plan, self.text, self.layout = rng, plan, text, layout
        self.tasks, self.orders, self.people, self.frames = (
            phrases(f"project/{name}") for name in ("tasks", "orders", "people", "frames")
        )
        self.form = "prose" if text.prose else "note"
        self.slip: tuple[str, int] | None = None
        if text.prose and rng.random() < 0.1:
            self.slip = (rng.choice(("span", "span", "who")), rng.randrange(len(plan.jobs)))
        self.details = rng.choice(
            ("{t} ({d}, {p})", "{t} ({p}, {d})", "{t} ({d}; {p})", "{t} by {p} ({d})", "{t} ({d} / {p})")
        )

    def lines(self) -> list[str]:
        """The parts of the text, each a sentence or a line."""
        lines: list[str] = getattr(self, f"_by_{self.layout}")()
        return lines

    # -- words of one task -------------------------------------------------------------------

    def _task(self, i: int) -> Phrase:
        return self.text.task(self.plan.jobs[i].name)

    def _tasks(self, indices: Sequence[int]) -> Phrase:
        return self.text.listed([self._task(i) for i in indices])

    def _span(self, i: int) -> str:
        job = self.plan.jobs[i]
        said = self.text.span(job.n, job.unit)
        if self.slip != ("span", i):
            return said
        wrong = self.text.span(job.n + self.rng.choice((1, 2)), job.unit)
        return fill(self.rng.choice(self.frames["slip_span"]), {"x": wrong, "y": said})

    def _people(self, who: Sequence[int]) -> list[Who]:
        return [self.plan.people[w] for w in who]

    def _who(self, i: int, *, first: bool = True) -> Phrase:
        said = self.text.who(self._people(self.plan.jobs[i].who), first=first)
        others = [p for w, p in enumerate(self.plan.people) if w not in self.plan.jobs[i].who]
        if self.slip != ("who", i) or not others or len(self.plan.jobs[i].who) != 1:
            return said
        wrong = self.text.who([self.rng.choice(others)])
        slip = fill(self.rng.choice(self.frames["slip_who"]), {"x": str(wrong), "y": str(said)})
        return Phrase(slip, said.plural)

    def _detailed(self, i: int) -> Phrase:
        job = self.plan.jobs[i]
        if not job.who or self.plan.alone:
            return Phrase(f"{self._task(i)} ({self._span(i)})", job.name.plural)
        words = self.details.format(t=self._task(i), d=self._span(i), p=self._who(i))
        return Phrase(words, job.name.plural)

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
            if not after and not chained and self.plan.shape != "none" and rng.random() < 0.15:
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
        if job.n == int(job.n) and rng.random() < 0.1:
            values["dj"] = glued(f"{int(job.n)}-{'day' if job.unit == 'd' else 'week'}")
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

    def _unordered(self) -> list[str]:
        if any(job.after for job in self.plan.jobs) or self.rng.random() > 0.8:
            return []
        return [self.text.pick(self.orders["unordered"][self.form])]

    # -- notes -------------------------------------------------------------------------------

    def _by_notes(self) -> list[str]:
        rng, style = self.rng, self.rng.choice(self.tasks["notes"])
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
                values["a"] = Phrase(rng.choice(("everything else", "all the others", "all of the above")))
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
        bank = [t for t in self.people["item"] if not (acts and t == "{d} of {t}")]
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
                value = {"t": self._task(group[0]), "d": span}
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
            return self.text.pick(self.people["list_do"], **values)
        values["theirs"] = "theirs"
        return self.text.pick(self.people["does"][self.form], **values)

    # -- person by person --------------------------------------------------------------------

    def _by_people(self) -> list[str]:
        lines = []
        groups = self._shares()
        template = self.rng.choice(("{t} ({d})", "{t} ({d})", "{t} [{d}]", "{t} {d}", "{t} - {d}"))
        template = "{t} ({d})" if self.text.prose else template
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

    # -- the order apart ---------------------------------------------------------------------

    def _order_lines(self) -> list[str]:
        rng, jobs = self.rng, self.plan.jobs
        if not any(job.after for job in jobs):
            return self._unordered()
        lines: list[tuple[int, str]] = []
        told = set[int]()
        if self.plan.closing:
            told.add(len(jobs) - 1)
        for chain in self._chains(told):
            if len(chain) > 2 and rng.random() < 0.65:
                lines.append((chain[0], self._chain(chain)))
                told |= set(chain[1:])
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, job in enumerate(jobs):
            if job.after and i not in told:
                groups.setdefault(tuple(job.after), []).append(i)
        for after, group in groups.items():
            lines += self._waits(after, group)
        free = [i for i, job in enumerate(jobs) if not job.after]
        if rng.random() < 0.3:
            bank = "frees" if len(free) > 1 else "free"
            ts = self._tasks(free)
            lines.append((free[0], self.text.pick(self.orders[bank][self.form], ts=ts, t=ts)))
        if rng.random() < 0.85:
            lines.sort(key=lambda line: line[0])
        else:
            rng.shuffle(lines)
        said = [line for _, line in lines]
        if self.plan.closing:
            said.append(self.text.pick(self.orders["all"][self.form], t=self._task(len(jobs) - 1)))
        return said

    def _waits(self, after: tuple[int, ...], group: list[int]) -> list[tuple[int, str]]:
        """Sentences for tasks that wait for the same."""
        a = self._tasks(after)
        if len(group) > 1 and self.rng.random() < 0.75:
            ts = self._tasks(group)
            nor = " nor ".join(str(self._task(i)) for i in group)
            bank = self.orders["group" if len(group) == 2 else "many"][self.form]
            return [(group[0], self.text.pick(bank, ts=ts, a=a, nor=nor))]
        bank = self.orders["after"][self.form]
        return [(i, self.text.pick(bank, t=self._task(i), a=a)) for i in group]

    def _chains(self, told: set[int]) -> list[list[int]]:
        """Tasks one after the other, each waiting for the one before only."""
        jobs, used, chains = self.plan.jobs, set(told), []
        for i in range(len(jobs)):
            if i in used:
                continue
            chain = [i]
            while following := [k for k in range(len(jobs)) if k not in used and jobs[k].after == chain[-1:]]:
                chain.append(self.rng.choice(following))
                used.add(chain[-1])
            chains.append(chain)
        return chains

    def _chain(self, chain: list[int]) -> str:
        rng = self.rng
        joints = [", then ", ", then ", " and then ", ", after that ", ", followed by ", ", next "]
        joint = rng.choice(joints if self.text.prose else [*joints, *_ARROWS, *_ARROWS[:2]])
        words = joint.join(str(self._task(i)) for i in chain)
        templates = self.orders["chain"][self.form]
        if len(chain) < len(self.plan.jobs):
            templates = [t for t in templates if not t.lower().startswith(("first", "start"))]
        return self.text.pick(templates, chain=words)

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
        arrow = self.rng.choice(_ARROWS[:5])
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


def possessive(p: Phrase | str) -> str:
    """Whose something is: "Tess's", "the plumbers'"."""
    words = str(p)
    return f"{words}'" if words.endswith("s") and isinstance(p, Phrase) and p.plural else f"{words}'s"


def _do_key(key: str, values: dict[str, Any]) -> str:
    """The bank for something one does."""
    if key == "next_":
        return "do_nextp" if "p" in values else "do_next"
    return "do_d" + ("a" if "a" in values else "") + ("p" if "p" in values else "")
