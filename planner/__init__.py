"""LPM Planner: an agent that plans on your own machine and proves that every wish holds.

    from planner import Planner
    answer = Planner().route("New York to Los Angeles, no tolls, stop in Denver")
"""

from lpm_model.base import BaseError
from planner.agent import Planner
from planner.answer import Answer, Status, UsageReport
from planner.sessions import SessionError

__all__ = ["Answer", "BaseError", "Planner", "SessionError", "Status", "UsageReport"]
