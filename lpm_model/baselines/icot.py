"""iCoT (Deng and others, arXiv 2405.14838): the chain is removed step by step, and nothing replaces it."""

from __future__ import annotations

from lpm_model.baselines.arm import Arm

__all__ = ["ICoT"]


class ICoT(Arm):
    """The curriculum alone."""
