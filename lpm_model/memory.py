"""The persistent memory block: a state buffer behind learned gates, read by every token.

One block stands after each attention layer. Per layer the state S is (batch, K, r): K slots of r
numbers. With D the hidden width and y_j the residual stream at slot position j after attention:

    candidate   c_j = W_down norm(y_j)                        (compression, D -> r)
    gates       f_j, i_j = sigmoid(W_g [norm(y_j); norm(S_j)])  (as an LSTM's, per number)
    write       S'_j = round(f_j * S_j + i_j * c_j)           (once per segment, to four bits)
    read        k_j, v_j = W_up S_j                           (decompression, r -> key and value)
    merge       y <- W_m [y; m]                               (concatenate and project)

where m is the part of the attention's output that came from the slots: queries meet slots and
window in one softmax, so a token reads memory only as far as memory answers better than its window.
W_down starts as the layer's own key and value projections and W_up as the identity, so that slots
speak the language that the pretrained queries understand; W_m starts as [I, 0], so that a decoder
with an empty state equals its base exactly.
"""

from __future__ import annotations

import torch
from torch import nn

from lpm_model.configuration import LPMConfig
from lpm_model.layers import LowRankLinear, learned_linear
from lpm_model.state import rounded

__all__ = ["PersistentMemoryBlock", "chunks"]


def chunks(mask: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the tokens of each row into ``count`` chunks of equal length; a cut may go through a token.

    Args:
        mask: (B, T), 1 for tokens and 0 for padding; at least one token in a row.
        count: K, how many chunks.

    Returns:
        Which share of each chunk is which token, (B, K, T), summing to one over the tokens; and where
        each chunk ends, (B, K), in tokens from the first one.
    """
    place = (mask.cumsum(-1) - 1)[:, None].float()
    width = mask.sum(-1, keepdim=True).float() / count
    end = torch.arange(1, count + 1, device=mask.device) * width
    start = end - width
    shared = torch.minimum(end[..., None], place + 1) - torch.maximum(start[..., None], place)
    return shared.clamp(min=0) * mask[:, None] / width[..., None], end


class PersistentMemoryBlock(nn.Module):
    """State buffer, read and merge of one layer; see the module's docstring for the equations."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        width, state, pair = config.hidden_size, config.state_dim, 2 * config.kv_dim
        self.down = LowRankLinear(width, state, config.adapter_rank // 2)
        self.up = LowRankLinear(state, pair, config.adapter_rank // 2)
        # Where the state is narrower than a key and value, W_down and W_up come from a singular
        # value decomposition and are learned whole.
        learned_whole = state < pair
        self.down.weight.requires_grad_(learned_whole)
        self.up.weight.requires_grad_(learned_whole)
        self.gate_in = learned_linear(width + state, config.gate_rank)
        self.gate_out = learned_linear(config.gate_rank, 2 * state, bias=True)
        attended = config.num_attention_heads * config.head_dim
        self.merge_in = learned_linear(width + attended, config.merge_rank)
        self.merge_out = learned_linear(config.merge_rank, width)
        self.eps = config.rms_norm_eps

    def write(self, normed: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor:
        """The next state of this layer.

        Args:
            normed: (batch, K, D), the normalised residual stream at the slot positions.
            state: (batch, K, r), the state so far, or None where it is empty.

        Returns:
            (batch, K, r).
        """
        candidate = self.down(normed)
        old = torch.zeros_like(candidate) if state is None else state
        scaled = old * torch.rsqrt(old.float().pow(2).mean(-1, keepdim=True) + self.eps).to(old.dtype)
        gates = self.gate_out(self.gate_in(torch.cat((normed, scaled), dim=-1)))
        forget, take = torch.sigmoid(gates).chunk(2, dim=-1)
        return rounded(forget * old + take * candidate)

    def merge(self, hidden: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """Concatenate what was read with the residual stream and project back.

        Args:
            hidden: (batch, length, D), the residual stream after attention.
            memory: (batch, length, heads * head_dim), the slots' share of the attention's output.

        Returns:
            (batch, length, D).
        """
        return hidden + self.merge_out(self.merge_in(torch.cat((hidden, memory), dim=-1)))
