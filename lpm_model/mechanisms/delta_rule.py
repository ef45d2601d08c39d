"""The gated delta rule (Yang and others, arXiv 2412.06464): the state is a matrix that maps keys to values.

    write   S_t = a_t (I - b_t k_t k_t^T) S_(t-1) + b_t k_t v_t^T
    read    m_t = W_up norm(S^T q_t)

for each of some heads, with keys and queries of K numbers and unit length, values of r / heads numbers, and
a_t and b_t in (0, 1) one number a head. All of a segment's tokens are written at once: with g_t the product
of a up to t, the corrections w solve the triangular system

    w_t = b_t (v_t - g_t S_0^T k_t - sum_(s<t) g_t / g_s (k_t . k_s) w_s)
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from lpm_model.configuration import LPMConfig
from lpm_model.layers import learned_linear
from lpm_model.memory import MemoryBlock
from lpm_model.state import rounded

__all__ = ["DeltaRuleBlock"]


class DeltaRuleBlock(MemoryBlock):
    """An associative memory of the state's size, read beside the attention instead of by it."""

    reads_slots = False

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        self.heads, self.count, self.state_dim = (
            config.num_attention_heads,
            config.num_slots,
            config.state_dim,
        )
        width = config.hidden_size
        self.key = learned_linear(width, self.heads * self.count)
        self.query = learned_linear(width, self.heads * self.count)
        self.down = learned_linear(width, self.state_dim)
        self.gate = learned_linear(width, 2 * self.heads, bias=True)
        self.up = learned_linear(self.state_dim, self.heads * config.head_dim)
        self.build_merge(config)
        self.eps = config.rms_norm_eps

    @torch.no_grad()
    def reset(self) -> None:
        """Projections start by keeping their input's scale, gates by correcting half and keeping most."""
        for linear in (self.key, self.query, self.down, self.up):
            nn.init.normal_(linear.weight, std=linear.weight.shape[1] ** -0.5)
        nn.init.normal_(self.gate.weight, std=0.02)
        assert self.gate.bias is not None
        correct, keep = self.gate.bias.chunk(2)
        nn.init.zeros_(correct)
        nn.init.constant_(keep, 4.0)
        super().reset()

    def places(self, held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, T), 1 for tokens and 0 for padding."""
        return mask

    def draft(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Values, keys, and log odds of both gates of each token: (batch, T, r + heads * (K + 2))."""
        return torch.cat((self.down(before), self.key(before), self.gate(after)), dim=-1)

    def write(
        self, drafts: torch.Tensor, last: torch.Tensor, state: torch.Tensor | None, places: torch.Tensor
    ) -> torch.Tensor:
        """All tokens at once; see ``MemoryBlock.write``."""
        values, keys, odds = drafts.float().split(
            (self.state_dim, self.heads * self.count, 2 * self.heads), dim=-1
        )
        real = places[:, None].float()
        value, key = self._by_head(values), self._unit(keys)
        correct, keep = odds.transpose(1, 2).chunk(2, dim=1)  # each (batch, heads, T)
        correct = torch.sigmoid(correct) * real
        log_kept = (F.logsigmoid(keep) * real).cumsum(-1)
        old = self._by_head(
            torch.zeros_like(values[:, :1]).expand(-1, self.count, -1) if state is None else state
        )
        since = (log_kept[..., :, None] - log_kept[..., None, :]).tril(-1).exp().tril(-1)
        unit = torch.eye(key.shape[2], device=key.device)
        system = unit + correct[..., None] * since * (key @ key.transpose(-1, -2))
        wanted = correct[..., None] * (value - log_kept.exp()[..., None] * (key @ old))
        fixes = torch.linalg.solve_triangular(system, wanted, upper=False, unitriangular=True)
        left = (log_kept[..., -1:] - log_kept).exp()[..., None]
        new = log_kept[..., -1:, None].exp() * old + (key * left).transpose(-1, -2) @ fixes
        return rounded(new.transpose(1, 2).flatten(2).to(drafts.dtype))

    def rewrite(self, before: torch.Tensor, after: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The slots are written as tokens are."""
        return self.write(self.draft(before, after), after[:, -1:], state, state.new_ones(before.shape[:2]))

    def read(self, normed: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """What the queries of tokens (batch, T, D) find, (batch, T, heads * head_dim)."""
        found = self._unit(self.query(normed)).to(state.dtype) @ self._by_head(state)
        flat = found.transpose(1, 2).flatten(2)
        return self.up(F.rms_norm(flat, (self.state_dim,), eps=self.eps))

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        """(batch, N, r) as (batch, heads, N, r / heads)."""
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2).float()

    def _unit(self, rows: torch.Tensor) -> torch.Tensor:
        """Keys or queries (batch, N, heads * K) as (batch, heads, N, K), each of unit length."""
        return F.normalize(rows.float().unflatten(-1, (self.heads, self.count)).transpose(1, 2), dim=-1)
