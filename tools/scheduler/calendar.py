"""Working time: the project's calendar as a line of quarters of working days, and who works in which.

A slot is a quarter of a day in which the project works; slots are numbered from the project's start and
nothing else takes time, so that weekends, holidays and closed days lie between two slots. A person who is
away does not work in some slots. A task runs over them: it is interrupted and goes on after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import holidays
import numpy as np

from tools.scheduler.types import QUARTERS, Absence

__all__ = ["Calendar", "Working"]

_ALL, _MORNING, _AFTERNOON = range(QUARTERS), range(QUARTERS // 2), range(QUARTERS // 2, QUARTERS)
_PARTS = {"day": _ALL, "morning": _MORNING, "afternoon": _AFTERNOON}


class Calendar:
    """The slots of a project, made as far as they are needed.

    Attributes:
        absences: Those of people, as given.
    """

    def __init__(
        self,
        start: date,
        weekdays: Iterable[int] = (0, 1, 2, 3, 4),
        absences: Sequence[Absence] = (),
        us_holidays: bool = False,
    ) -> None:
        self.absences = tuple(absence for absence in absences if absence.who is not None)
        self._weekdays = frozenset(weekdays)
        self._closings = tuple(absence for absence in absences if absence.who is None)
        # `country_holidays` adds a year when a day of it is first asked for.
        self._holidays = holidays.country_holidays("US") if us_holidays else {}
        self._start = self._next = start
        self._days: list[date] = []  # days with at least one slot
        self._first: list[int] = []  # the first slot of each
        self._working: list[tuple[int, ...]] = []  # the quarters in which each works
        self._count = 0

    def _quarters(self, day: date) -> tuple[int, ...]:
        """The quarters of a day in which the project works."""
        if day.weekday() not in self._weekdays or day in self._holidays:
            return ()
        closed = {q for c in self._closings if c.first <= day <= c.last for q in _PARTS[c.part]}
        return tuple(q for q in _ALL if q not in closed)

    def _grow(self) -> None:
        """Make the slots of one more calendar day; OverflowError after the year 9999."""
        if working := self._quarters(self._next):
            self._days.append(self._next)
            self._first.append(self._count)
            self._working.append(working)
            self._count += len(working)
        self._next += timedelta(days=1)

    def _reach_day(self, day: date) -> None:
        while self._next <= day:
            self._grow()

    def _reach_slot(self, slot: int) -> None:
        while self._count <= slot:
            self._grow()

    def slots_before(self, day: date, gone: int = 0) -> int:
        """Number of slots before a moment: the day with ``gone`` of its quarters over.

        It is the first slot that may be used from then on, and the end of the last that may be used
        until then. 0 for moments before the start.
        """
        self._reach_day(day)
        place = bisect_left(self._days, day)
        if place == len(self._days):
            return self._count
        if self._days[place] > day:
            return self._first[place]
        return self._first[place] + sum(quarter < gone for quarter in self._working[place])

    def begin(self, slot: int) -> tuple[date, int]:
        """The moment at which a slot begins: its day, and how many of the day's quarters are gone."""
        self._reach_slot(slot)
        place = bisect_right(self._first, slot) - 1
        return self._days[place], self._working[place][slot - self._first[place]]

    def end(self, slot: int) -> tuple[date, int]:
        """The moment at which the slot before this number ends; the begin of the project for 0."""
        if slot == 0:
            return self.begin(0)
        day, quarter = self.begin(slot - 1)
        return day, quarter + 1

    def off(self, absence: Absence) -> list[tuple[int, int]]:
        """The slots that somebody is away in, as ranges without their ends, in order."""
        if absence.part == "day":
            after = absence.last + timedelta(days=1)
            ranges = [(self.slots_before(absence.first), self.slots_before(after))]
        else:
            gone = _PARTS[absence.part]
            days = (absence.last - absence.first).days + 1
            every = (absence.first + timedelta(days=number) for number in range(days))
            ranges = [
                (self.slots_before(day, gone.start), self.slots_before(day, gone.stop)) for day in every
            ]
        return [(first, last) for first, last in ranges if first < last]


@dataclass(frozen=True)
class Working:
    """The slots in which a group of people work together.

    Attributes:
        open: The numbers of those before ``last``, in order.
        last: From this slot on they always work.
    """

    open: np.ndarray
    last: int

    @classmethod
    def without(cls, ranges: Iterable[tuple[int, int]]) -> Working:
        """Everything but some ranges of slots (without their ends)."""
        spans = list(ranges)
        last = max((end for _, end in spans), default=0)
        free = np.ones(last, dtype=bool)
        for first, end in spans:
            free[first:end] = False
        return cls(np.flatnonzero(free), last)

    def rank(self, slot: int) -> int:
        """How many of their slots lie before a slot."""
        return int(self.ranks(np.asarray(slot)))

    def slot(self, rank: int) -> int:
        """Their slot number ``rank``."""
        return int(self.slots(np.asarray(rank)))

    def ranks(self, slots: np.ndarray) -> np.ndarray:
        """``rank`` of many."""
        beyond = np.maximum(slots - self.last, 0)
        return np.searchsorted(self.open, np.minimum(slots, self.last)) + beyond

    def slots(self, ranks: np.ndarray) -> np.ndarray:
        """``slot`` of many."""
        known = len(self.open)
        if not known:
            return ranks + self.last
        return np.where(ranks < known, self.open[np.minimum(ranks, known - 1)], self.last + ranks - known)

    def finish(self, start: int, length: int) -> int:
        """The end of ``length`` slots of work from a slot on at which they work."""
        if length == 0 or start >= self.last:
            return start + length
        return self.slot(self.rank(start) + length - 1) + 1

    def next_start(self, slot: int) -> int:
        """The first of their slots from a slot on."""
        return slot if slot >= self.last else self.slot(self.rank(slot))

    def earliest_start(self, end: int, length: int) -> int:
        """The first start whose work of ``length`` slots, at least one, ends at ``end`` or later."""
        return self.slot(max(self.rank(end - 1) - length + 1, 0)) if end > 0 else self.slot(0)

    def latest_start(self, end: int, length: int) -> int:
        """The last start whose work of ``length`` slots ends at ``end`` or before; below 0 if none."""
        rank = self.rank(max(end, 0)) - length
        return self.slot(rank) if rank >= 0 else rank
