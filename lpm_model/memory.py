"""The persistent memory block: a state buffer behind learned gates, read by every token.

One block stands after each attention layer. Per layer the state S is (batch, K, r): K slots of r
numbers, of which some may be empty (all zero). With D the hidden width, x_t the residual stream at
token t of a segment before attention and y_t after it:

    candidate   c_t = W_down norm(x_t)                              (compression, D -> r)
    take        i_t = sigmoid(W_i [norm(y_t); 0])                   (per number of every token)
    forget      f_k = sigmoid(W_f [norm(y_last); norm(S_k)])        (per number of every slot)
    write       S'  = round(P f * S + Q i * c)                      (once per segment, to four bits)
    read        k_j, v_j = W_up S_j                                 (decompression, r -> key and value)
    merge       y <- W_m [y; m]                                     (concatenate and project)

P and Q say which slots and tokens share a new slot (``placement``): while there is room every token gets
a slot of its own and nothing moves but to the left; where there is none, neighbours are averaged, the
oldest first, so that the state keeps its size whatever was read. In a latent step the slots alone run
through the layers, and each is rewritten in its place as in an LSTM, S' = f * S + i * c.

m is the part of the attention's output that came from the slots: queries meet slots and window in one
softmax, so a token reads memory only as far as memory answers better than its window. W_down starts as
the layer's own key and value projections W_kv, (2 * kv_dim, D), seen along r directions, B^T W_kv, and
W_up as B, whose columns are those directions: slots then speak the language that the pretrained queries
understand. With r = 2 * kv_dim, B is the identity; a narrower B comes from the projections
(``lpm_model.retrofit``) or from what they bring of conversations (``lpm_model.narrowing``). W_m starts as
[I, 0], so that a decoder with an empty state equals its base exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from lpm_model.configuration import LPMConfig
from lpm_model.layers import LowRankLinear, learned_linear
from lpm_model.state import rounded

__all__ = ["MemoryBlock", "PersistentMemoryBlock", "filled", "placement"]


def filled(latent_state: torch.Tensor) -> torch.Tensor:
    """Which slots (B, K) of a state (B, L, K, r) hold something: an empty one is all zero."""
    return latent_state[:, 0].ne(0).any(-1)


def placement(held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Where the slots so far and the tokens of a segment go in the next state.

    What is newest stands at the end. Where there is no room, neighbours share a slot as their mean. A
    segment may take half of the slots, and more where they are free; of the slots so far, the newest keep
    their own, three in four of those that are left to them, and the older ones share the rest: what was read
    long ago is thinned again each time.

    Args:
        held: (B, K), which slots hold something; they are the last ones.
        mask: (B, T), 1 for tokens and 0 for padding; at least one token in a row.

    Returns:
        (B, K, K + T): the weight of each slot so far and of each token in each new slot.
    """
    count = held.shape[1]
    old, new = held.sum(-1, keepdim=True), mask.sum(-1, keepdim=True)
    room = torch.where(old > 0, (count - old).clamp(min=count // 2), count)
    taken = torch.minimum(new, room)
    kept = torch.minimum(old, count - taken)
    crisp = 3 * kept // 4
    order, older = held.cumsum(-1) - 1, old - crisp
    shared = order * (kept - crisp) // older.clamp(min=1)
    slots = count - taken - kept + torch.where(order < older, shared, order - old + kept)
    tokens = count - taken + (mask.cumsum(-1) - 1) * taken // new
    places = torch.cat((slots, tokens), dim=-1).clamp(min=0)
    present = torch.cat((held, mask.bool()), dim=-1)
    weights = F.one_hot(places, count).mul(present[..., None]).transpose(1, 2).float()
    return weights / weights.sum(-1, keepdim=True).clamp(min=1)


class MemoryBlock(nn.Module, ABC):
    """What the decoder needs of a memory block, whatever its mechanism (``lpm_model.mechanisms``).

    Attributes:
        reads_slots: Whether the layer's own attention reads the state, as keys and values that ``up`` gives;
            otherwise ``read`` does.
    """

    reads_slots = True
    down: LowRankLinear
    up: LowRankLinear
    merge_in: LowRankLinear
    merge_out: LowRankLinear

    def build_merge(self, config: LPMConfig) -> None:
        """Make the parts of the merge."""
        attended = config.num_attention_heads * config.head_dim
        self.merge_in = learned_linear(config.hidden_size + attended, config.merge_rank)
        self.merge_out = learned_linear(config.merge_rank, config.hidden_size)

    @torch.no_grad()
    def reset(self) -> None:
        """Set the numbers that no base gives; the merge starts as if there were no memory."""
        nn.init.normal_(self.merge_in.weight, std=0.02)
        nn.init.zeros_(self.merge_out.weight)

    @abstractmethod
    def places(self, held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What ``write`` needs to know of a segment, the same in every layer; see ``placement``."""

    @abstractmethod
    def draft(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """What the tokens of a segment bring to the state (batch, T, as much as ``write`` needs of each).

        Args:
            before: (batch, T, D), the normalised residual stream at the tokens before attention.
            after: (batch, T, D), the same after attention.
        """

    @abstractmethod
    def write(
        self, drafts: torch.Tensor, last: torch.Tensor, state: torch.Tensor | None, places: torch.Tensor
    ) -> torch.Tensor:
        """The next state of this layer (batch, K, r), at the end of a segment.

        Args:
            drafts: (batch, T, ...), of all tokens of the segment.
            last: (batch, 1, D), the normalised residual stream at the segment's last token after attention.
            state: (batch, K, r), the state so far, or None where it is empty.
            places: What ``places`` gave for the segment.
        """

    @abstractmethod
    def rewrite(self, before: torch.Tensor, after: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The next state of this layer (batch, K, r) after a latent step.

        Args:
            before: (batch, K, D), the normalised residual stream at the slots before attention.
            after: (batch, K, D), the same after attention.
            state: (batch, K, r).
        """

    def read(self, normed: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """What tokens (batch, T, D) find in the state, (batch, T, heads * head_dim)."""
        raise NotImplementedError(f"the state of {type(self).__name__} is read by attention")

    def merge(self, hidden: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """Concatenate what was read with the residual stream and project back.

        Args:
            hidden: (batch, length, D), the residual stream after attention.
            memory: (batch, length, heads * head_dim), what was read.

        Returns:
            (batch, length, D).
        """
        return hidden + self.merge_out(self.merge_in(torch.cat((hidden, memory), dim=-1)))


class PersistentMemoryBlock(MemoryBlock):
    """State buffer, read and merge of one layer; see the module's docstring for the equations."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        width, state, pair = config.hidden_size, config.state_dim, 2 * config.kv_dim
        self.down = LowRankLinear(width, state, config.adapter_rank // 2)
        self.up = LowRankLinear(state, pair, config.adapter_rank // 2)
        self.gate_in = learned_linear(width + state, config.gate_rank)
        self.gate_out = learned_linear(config.gate_rank, 2 * state, bias=True)
        self.build_merge(config)
        self.eps = config.rms_norm_eps

    @torch.no_grad()
    def reset(self) -> None:
        """Gates start by taking what is new and keeping what was.

        The state is then nearly the tokens' own keys and values.
        """
        for linear in (self.gate_in, self.gate_out):
            nn.init.normal_(linear.weight, std=0.02)
        assert self.gate_out.bias is not None
        nn.init.constant_(self.gate_out.bias, 4.0)
        super().reset()

    def places(self, held: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See ``placement``."""
        return placement(held, mask)

    def draft(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """What the tokens of a segment bring to the state: i * c.

        Args:
            before: (batch, T, D), the normalised residual stream at the tokens before attention.
            after: (batch, T, D), the same after attention.

        Returns:
            (batch, T, r).
        """
        candidate = self.down(before)
        _, take = self._gates(after, torch.zeros_like(candidate))
        return take * candidate

    def write(
        self, drafts: torch.Tensor, last: torch.Tensor, state: torch.Tensor | None, places: torch.Tensor
    ) -> torch.Tensor:
        """The next state of this layer, at the end of a segment.

        Args:
            drafts: (batch, T, r), of all tokens of the segment.
            last: (batch, 1, D), the normalised residual stream at the segment's last token after attention.
            state: (batch, K, r), the state so far, or None where it is empty.
            places: (batch, K, K + T), see ``placement``.

        Returns:
            (batch, K, r).
        """
        count, places = places.shape[1], places.to(drafts.dtype)
        new = places[..., count:] @ drafts
        if state is not None:
            forget, _ = self._gates(last.expand(-1, count, -1), state)
            new = new + places[..., :count] @ (forget * state)
        return rounded(new)

    def rewrite(self, before: torch.Tensor, after: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The next state of this layer after a latent step; empty slots stay empty.

        Args:
            before: (batch, K, D), the normalised residual stream at the slots before attention.
            after: (batch, K, D), the same after attention.
            state: (batch, K, r).

        Returns:
            (batch, K, r).
        """
        forget, take = self._gates(after, state)
        new = forget * state + take * self.down(before)
        return rounded(new * state.ne(0).any(-1, keepdim=True))

    def _gates(self, normed: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Forget and take gates (batch, N, r) of N positions (batch, N, D) and slots (batch, N, r)."""
        scale = torch.rsqrt(state.float().pow(2).mean(-1, keepdim=True) + self.eps).to(state.dtype)
        gates = self.gate_out(self.gate_in(torch.cat((normed, state * scale), dim=-1)))
        forget, take = torch.sigmoid(gates).chunk(2, dim=-1)
        return forget, take
