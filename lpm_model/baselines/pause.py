"""Pause tokens (Goyal and others, arXiv 2310.02226): a fixed token stands in the place of every thought."""

from __future__ import annotations

from dataclasses import replace

import torch

from lpm_model.baselines.arm import Arm, Known
from lpm_model.baselines.data import PAUSE
from lpm_model.flops import Forward

__all__ = ["PauseTokens"]


class PauseTokens(Arm):
    """Room to compute in, without more depth: all pauses run in one pass."""

    thinks = True

    def prompt(self, known: Known, asked: torch.Tensor, thoughts: int) -> torch.Tensor:
        """The question and the pauses."""
        pauses = torch.full((len(asked), thoughts), PAUSE)
        return super().prompt(known, torch.cat((asked, pauses), dim=1), 0)

    def embedded(self, thoughts: int, hops: int) -> int:
        """With the pauses."""
        return super().embedded(thoughts, hops) + thoughts

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """One pass, longer by the pauses."""
        (call,) = super().calls(facts, thoughts, hops)
        return [replace(call, tokens=call.tokens + thoughts)]
