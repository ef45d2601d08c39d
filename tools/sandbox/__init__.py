"""Run commands that nobody has read: confined, limited, without a network, or not at all.

``find_sandbox`` tries what the machine offers. Where it returns None nothing must be run, and the person
is told so.
"""

from __future__ import annotations

from tools.sandbox.find import find_sandbox
from tools.sandbox.types import Limits, Outcome, Sandbox

__all__ = ["Limits", "Outcome", "Sandbox", "find_sandbox"]
