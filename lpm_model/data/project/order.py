"""Words for single tasks, and for the order of tasks where it is said apart from them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from lpm_model.data.phrases import phrases
from lpm_model.data.project.names import Who
from lpm_model.data.project.plan import Plan
from lpm_model.data.project.text import Phrase, Text, fill

__all__ = ["ARROWS", "Order"]

ARROWS = (" -> ", " → ", " > ", " >> ", " => ", ", then ")


class Order:
    """Speaks of the tasks of a plan.

    Args:
        rng: Source of chance.
        plan: What is meant.
        text: Words for names, dates and lengths.
        layout: How the whole is laid out.
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

    def _unordered(self) -> list[str]:
        if any(job.after for job in self.plan.jobs) or self.rng.random() > 0.8:
            return []
        return [self.text.pick(self.orders["unordered"][self.form])]

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
        joint = rng.choice(joints if self.text.prose else [*joints, *ARROWS, *ARROWS[:2]])
        words = joint.join(str(self._task(i)) for i in chain)
        templates = self.orders["chain"][self.form]
        if len(chain) < len(self.plan.jobs):
            templates = [t for t in templates if not t.lower().startswith(("first", "start"))]
        return self.text.pick(templates, chain=words)
