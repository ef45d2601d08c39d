"""What a person or a program gets back from the planner."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.tool import Check, Question

__all__ = ["Answer", "Status", "UsageReport"]


class Status(IntEnum):
    """How a turn ended; the values are the program's exit codes."""

    PLANNED = 0
    UNSATISFIED = 3
    NOT_UNDERSTOOD = 4


class UsageReport(BaseModel):
    """What the answer cost; see ``planner.reader.Usage``."""

    model_config = ConfigDict(frozen=True)

    model_calls: int
    tokens_in: int
    tokens_out: int
    latent_steps: int
    seconds: float


class Answer(BaseModel):
    """One turn's outcome.

    Attributes:
        status: Planned, not satisfiable, or not understood.
        tool: The tool that was called; empty if none was.
        constraints: What is in force, in the fields of the public schema, places resolved.
        confidence: Probability of each field as the model read it.
        request: What the tool was asked, or None where it was not run.
        result: The tool's own answer (for a route: ``tools.roads.RouteAnswer``, for a project:
            ``tools.scheduler.types.ScheduleAnswer``, for a program: ``tools.code_writer.types.CodeAnswer``),
            or None.
        checks: Every constraint with its evidence.
        questions: What must be answered first, if anything.
        warnings: What the person should know.
        session: Name of the session that remembers this turn; empty if none does.
        turn: Which turn of the session it was, from 1; 0 where the session is as it was before.
        usage: What it cost.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    status: Status
    tool: str
    constraints: dict[str, Any]
    confidence: dict[str, float]
    request: BaseModel | None = None
    result: BaseModel | None
    checks: tuple[Check, ...]
    questions: tuple[Question, ...]
    warnings: tuple[str, ...]
    session: str
    turn: int
    usage: UsageReport
