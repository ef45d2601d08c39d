"""LPM Planner: an agent that plans on your own machine and proves that every wish holds.

from planner import Planner
answer = Planner().route("New York to Los Angeles, no tolls, stop in Denver")

``answer`` holds the route, every wish with its check, and what it cost: ``planner.answer.Answer``.
"""

import os

# langgraph reads this when it is first imported: of what a session file holds, only known types are built.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from lpm_model.base import BaseError
from planner.agent import Planner
from planner.answer import Answer, Status, UsageReport
from planner.sessions import SessionError

__all__ = ["Answer", "BaseError", "Planner", "SessionError", "Status", "UsageReport"]
