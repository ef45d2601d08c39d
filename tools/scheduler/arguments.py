"""The project tool's arguments as a person means them.

project
start 2027-01-11
by 2027-03-01
task demo; 2 d; by Ray
task drywall; 1 w; after demo; by Ray, Tess
off Ray; 2027-01-20; 2027-01-22
many at once

Where somebody names a goal and no task, the goal is the title; a day whose year nobody says has none:

project
by 03-01
goal the launch of our web shop
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tools.notation import LABEL, LABELS, Date, Each, Flag, Line, Quantity, Record

__all__ = ["Absence", "ProjectArguments", "Task"]

WORKING_DAYS = {"d": 1.0, "w": 5.0}


class Task(BaseModel):
    """One task: working days, what must be finished before, people or teams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Line("task", LABEL)]
    days: Annotated[float, Field(gt=0), Line("", Quantity(WORKING_DAYS, places=2))]
    after: Annotated[tuple[str, ...], Line("after", LABELS)] = ()
    who: Annotated[tuple[str, ...], Line("by", LABELS)] = ()


class Absence(BaseModel):
    """Somebody's days off, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    who: Annotated[str, Line("off", LABEL)]
    first: Annotated[str, Field(alias="from"), Line("", Date())]
    last: Annotated[str, Field(alias="to"), Line("", Date())]


class ProjectArguments(BaseModel):
    """Fields and defaults of the public schema of projects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[str | None, Line("start", Date())] = None
    deadline: Annotated[str | None, Line("by", Date())] = None
    tasks: Annotated[tuple[Task, ...], Line("task", Each(Record(Task)))] = ()
    days_off: Annotated[tuple[Absence, ...], Line("off", Each(Record(Absence)))] = ()
    one_at_a_time: Annotated[bool, Line("many at once", Flag(False))] = True
    title: Annotated[str | None, Line("goal", LABEL)] = None
