"""The tools that the agent can call. A new tool is one file and one line here."""

from __future__ import annotations

from pydantic import BaseModel

from tools.code_writer.tool import CODE_TOOL
from tools.roads.tool import ROUTE_TOOL
from tools.scheduler.tool import PROJECT_TOOL
from tools.tool import Tool

__all__ = ["ARGUMENTS", "TOOLS"]

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (ROUTE_TOOL, PROJECT_TOOL, CODE_TOOL)}

ARGUMENTS: dict[str, type[BaseModel]] = {name: tool.arguments for name, tool in TOOLS.items()}
"""What the model learns to read."""
