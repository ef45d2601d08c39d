"""Gated slot attention (Zhang and others, arXiv 2409.07146): every token is written into every slot.

    keep    a_t = sigmoid(W_a norm(y_t))                    (one number a slot)
    write   S_t = a_t S_(t-1) + (1 - a_t) c_t               (token by token, here in closed form)

with y_t and c_t as in ``lpm_model.memory``. The slots are read as there: keys and values W_up S, one softmax
of slots and window. Slots start with spans of memory that differ, or they would all hold the same.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from lpm_model.configuration import LPMConfig
from lpm_model.layers import learned_linear
from lpm_model.memory import MemoryBlock, PersistentMemoryBlock
from lpm_model.state import rounded

__all__ = ["GatedSlotsBlock"]

_SHORTEST, _LONGEST = 0.0, 5.0  # log odds of keeping a slot at the start


class GatedSlotsBlock(PersistentMemoryBlock):
    """Compression, read and merge as they ship; another way to write."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__(config)
        self.gate_in = learned_linear(config.hidden_size, config.gate_rank)
        self.gate_out = learned_linear(config.gate_rank, config.num_slots, bias=True)
        self.state_dim = config.state_dim

    @torch.no_grad()
    def reset(self) -> None:
        """Slots start with spans of memory that differ."""
        for linear in (self.gate_in, self.gate_out):
            nn.init.normal_(linear.weight, std=0.02)
        assert self.gate_out.bias is not None
        self.gate_out.bias.copy_(torch.linspace(_LONGEST, _SHORTEST, len(self.gate_out.bias)))
        MemoryBlock.reset(self)

    def places(self, held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, T), 1 for tokens and 0 for padding."""
        return mask

    def draft(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Each token's c and its log odds of keeping each slot: (batch, T, r + K)."""
        return torch.cat((self.down(before), self.gate_out(self.gate_in(after))), dim=-1)

    def write(
        self, drafts: torch.Tensor, last: torch.Tensor, state: torch.Tensor | None, places: torch.Tensor
    ) -> torch.Tensor:
        """All tokens at once; see ``MemoryBlock.write``."""
        brought, odds = drafts.split((self.state_dim, drafts.shape[-1] - self.state_dim), dim=-1)
        real = places[..., None].to(drafts.dtype)
        log_keep = F.logsigmoid(odds.float()) * real
        total = log_keep.sum(1)
        kept_after = (total[:, None] - log_keep.cumsum(1)).exp()  # by the tokens that come later
        weights = (kept_after * torch.sigmoid(-odds.float()) * real).to(drafts.dtype)
        new = weights.transpose(1, 2) @ brought
        if state is not None:
            new = new + total.exp().to(drafts.dtype)[..., None] * state
        return rounded(new)

    def rewrite(self, before: torch.Tensor, after: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The slots are written as tokens are."""
        return self.write(self.draft(before, after), after[:, -1:], state, state.new_ones(before.shape[:2]))
