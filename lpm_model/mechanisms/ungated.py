"""The persistent memory block without gates: all that is new is taken, all that was is kept."""

from __future__ import annotations

import torch

from lpm_model.configuration import LPMConfig
from lpm_model.memory import MemoryBlock, PersistentMemoryBlock

__all__ = ["UngatedBlock"]


class UngatedBlock(PersistentMemoryBlock):
    """S' = round(P S + Q c); a latent step adds, S' = round(S + c)."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__(config)
        del self.gate_in, self.gate_out

    def reset(self) -> None:
        """Only the merge has numbers to set."""
        MemoryBlock.reset(self)

    def _gates(self, normed: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones_like(state), torch.ones_like(state)
