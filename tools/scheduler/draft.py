"""A project as somebody wrote it down, in words, in a file or in a template: names not yet resolved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from tools.scheduler.types import Absence, Demand, Estimate, LinkKind, Person

__all__ = ["Draft", "DraftLink", "DraftTask", "merged", "name_key"]

_ARTICLES = {"a", "an", "the"}


def name_key(name: str) -> str:
    """What a name is compared by: no case, no articles, no spaces at its ends or doubled."""
    words = name.casefold().split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DraftLink(_Frozen):
    """What a task waits for, and how; as ``types.Link``, seen from the later task."""

    task: str
    kind: LinkKind = "FS"
    lag: float = 0.0


class DraftTask(_Frozen):
    """One task; durations in working days.

    Attributes:
        days: From begin to end; may be left out where there is an effort or an estimate.
        done: Share of it that is done, 0 to 1.
        began, ended: As of ``types.Report``; only where something is done.
        where: The place in a file that it comes from, for messages; empty if there is none.
    """

    name: str
    days: float | None = None
    effort: float | None = None
    after: tuple[DraftLink, ...] = ()
    who: tuple[Demand, ...] = ()
    either: tuple[str, ...] = ()
    earliest: date | None = None
    latest: date | None = None
    priority: int = Field(default=1, ge=1, le=100)
    estimate: Estimate | None = None
    done: float = Field(default=0.0, ge=0, le=1)
    began: tuple[date, int] | None = None
    ended: tuple[date, int] | None = None
    where: str = ""

    @property
    def length(self) -> float:
        """Working days, or person-days where only the effort is known."""
        if self.days is not None:
            return self.days
        if self.effort is not None:
            return self.effort
        return self.estimate.likely if self.estimate else 0.0


class Draft(_Frozen):
    """A project; see ``types.ScheduleRequest``.

    Attributes:
        people: If any are given, nobody else can be on a task.
        asof: The day by whose end as much was done as the tasks say.
    """

    title: str = ""
    start: date | None = None
    deadline: date | None = None
    tasks: tuple[DraftTask, ...] = ()
    people: tuple[Person, ...] = ()
    absences: tuple[Absence, ...] = ()
    one_at_a_time: bool = True
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    holidays: bool = False
    buffer: float = Field(default=0.0, ge=0)
    asof: date | None = None


def merged(source: Draft, said: Draft) -> Draft:
    """A project from a file or a template with what was said about it.

    What was said counts: days, tasks of the same name with what is said of them, further tasks, absences.
    """
    return source.model_copy(
        update={
            "title": said.title or source.title,
            "start": said.start or source.start,
            "deadline": said.deadline or source.deadline,
            "tasks": tuple(_changed(source.tasks, said.tasks)),
            "absences": (*source.absences, *said.absences),
            "one_at_a_time": source.one_at_a_time and said.one_at_a_time,
        }
    )


def _changed(tasks: Iterable[DraftTask], said: Iterable[DraftTask]) -> Iterable[DraftTask]:
    changes = {name_key(task.name): task for task in said}
    for task in tasks:
        change = changes.pop(name_key(task.name), None)
        if change is None:
            yield task
            continue
        update: dict[str, object] = {"days": change.days, "effort": None, "estimate": None}
        update |= {"after": change.after} if change.after else {}
        update |= {"who": change.who, "either": ()} if change.who else {}
        yield task.model_copy(update=update)
    yield from changes.values()
