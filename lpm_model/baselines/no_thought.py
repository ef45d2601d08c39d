"""No thought: the answer follows the question, and no chain was ever seen."""

from __future__ import annotations

import sys

from lpm_model.baselines.arm import Arm

__all__ = ["NoThought"]


class NoThought(Arm):
    """Trained on answers alone in every stage."""

    def removed(self, stage: int) -> int:
        """All of them."""
        return sys.maxsize
