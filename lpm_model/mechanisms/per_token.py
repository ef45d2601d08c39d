"""The persistent memory block written after every token instead of once for a segment.

Each token shifts the slots, or has two of them share one where there is no room, and its own forget gates
look at the state that the token before it left. Rounding stays at the segment's end, where the state is kept.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from lpm_model.configuration import LPMConfig
from lpm_model.memory import PersistentMemoryBlock, placement
from lpm_model.state import rounded

__all__ = ["PerTokenBlock"]


class PerTokenBlock(PersistentMemoryBlock):
    """S_t = P_t f_t * S_(t-1) + q_t i_t * c_t, with f_t = sigmoid(W_f [norm(y_t); norm(S_(t-1))])."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__(config)
        self.width, self.state_dim = config.hidden_size, config.state_dim

    def places(self, held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Where slots and token go, token by token: (batch, T, K, K + 1). Padding moves nothing."""
        count = held.shape[1]
        stay = F.pad(torch.eye(count, device=held.device), (0, 1))
        steps = []
        for real in mask.bool().unbind(1):
            moved = placement(held, torch.ones_like(mask[:, :1]))
            steps.append(torch.where(real[:, None, None], moved, stay))
            held = torch.where(real[:, None], moved.gt(0).any(-1), held)
        return torch.stack(steps, dim=1)

    def draft(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Each token's i * c and its own part of the forget gates: (batch, T, r + rank)."""
        own = F.linear(after, self.gate_in.weight[:, : self.width])
        return torch.cat((super().draft(before, after), own), dim=-1)

    def write(
        self, drafts: torch.Tensor, last: torch.Tensor, state: torch.Tensor | None, places: torch.Tensor
    ) -> torch.Tensor:
        """Token after token; see ``MemoryBlock.write``."""
        count, places = places.shape[2], places.to(drafts.dtype)
        brought, own = drafts.split((self.state_dim, drafts.shape[-1] - self.state_dim), dim=-1)
        if state is None:
            state = drafts.new_zeros(len(drafts), count, self.state_dim)
        for token in range(drafts.shape[1]):
            step = places[:, token]
            real = step[..., count:].amax((1, 2), keepdim=True)
            scale = torch.rsqrt(state.pow(2).mean(-1, keepdim=True) + self.eps)
            seen = own[:, token, None] + F.linear(state * scale, self.gate_in.weight[:, self.width :])
            forget, _ = torch.sigmoid(self.gate_out(seen)).chunk(2, dim=-1)
            kept = torch.where(real > 0, forget, 1.0) * state
            state = step[..., :count] @ kept + step[..., count:] * brought[:, token, None]
        return rounded(state)
