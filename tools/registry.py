"""The tools that the agent can call. A new tool is one file and one line here."""

from __future__ import annotations

from tools.roads.tool import ROUTE_TOOL
from tools.tool import Tool

__all__ = ["TOOLS"]

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (ROUTE_TOOL,)}
