"""The tools that the agent can call. A new tool is one file and one line here."""

from __future__ import annotations

from pydantic import BaseModel

from tools.code_writer.arguments import CodeArguments
from tools.roads.tool import ROUTE_TOOL
from tools.scheduler.tool import PROJECT_TOOL
from tools.tool import Tool

__all__ = ["ARGUMENTS", "TOOLS"]

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (ROUTE_TOOL, PROJECT_TOOL)}

ARGUMENTS: dict[str, type[BaseModel]] = {
    "route": ROUTE_TOOL.arguments,
    "project": PROJECT_TOOL.arguments,
    "code": CodeArguments,
}
"""What the model learns to read, also where no tool acts on it yet."""
