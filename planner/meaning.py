"""What a written call means once names are resolved: what the planner would hold to be in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.scoring import wrong_fields
from tools.notation import read_call
from tools.registry import ARGUMENTS, TOOLS
from tools.tool import Questions, Tool, silent

__all__ = ["in_force", "resolved", "right"]


def resolved(tool: Tool, values: Mapping[str, Any]) -> dict[str, Any] | Questions:
    """The constraints of a call in the public schema's fields; what must be asked where it cannot run yet.

    Raises:
        ValueError: If an argument lies beyond what the tool takes; the grammar knows no bounds.
    """
    prepared = tool.prepare(tool.arguments(**values), silent)
    return prepared if isinstance(prepared, Questions) else tool.constraints(prepared)


def in_force(call: str) -> dict[str, Any]:
    """The constraints of a call in the public schema's fields, resolved as far as they can be.

    Raises:
        ValueError: If it is no call of a tool.
    """
    name, values, _ = read_call(call, ARGUMENTS)
    found = resolved(TOOLS[name], values)
    return dict(found.constraints if isinstance(found, Questions) else found)


def right(wanted: str, written: str) -> float:
    """The reward of a call: 1 if every constraint that was meant is in force and no other, else 0.

    Raises:
        ValueError: If what is wanted is no call.
    """
    meant = in_force(wanted)
    try:
        means = in_force(written)
    except ValueError:
        return 0.0
    return float(not wrong_fields(means, meant) and not wrong_fields(meant, means))
