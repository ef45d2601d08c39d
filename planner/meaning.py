"""What a written call means once names are resolved: what the planner would hold to be in force."""

from __future__ import annotations

from typing import Any

from planner.scoring import wrong_fields
from tools.notation import read_call
from tools.registry import ARGUMENTS, TOOLS
from tools.tool import Questions, silent

__all__ = ["in_force", "right"]


def in_force(call: str) -> dict[str, Any]:
    """The constraints of a call in the public schema's fields.

    Raises:
        ValueError: If it is no call of a tool.
    """
    name, values, _ = read_call(call, ARGUMENTS)
    tool = TOOLS[name]
    prepared = tool.prepare(tool.arguments(**values), silent)
    return dict(prepared.constraints if isinstance(prepared, Questions) else tool.constraints(prepared))


def right(wanted: str, written: str) -> float:
    """The reward of a call: 1 if every constraint that was meant is in force and no other, else 0."""
    try:
        return float(not wrong_fields(in_force(written), in_force(wanted)))
    except ValueError:
        return 0.0
