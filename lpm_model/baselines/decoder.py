"""The decoder that all arms share: the project's own, small, from nothing, reading pairs of symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F
from transformers.cache_utils import Cache

from lpm_model.baselines.data import VOCABULARY
from lpm_model.configuration import LPMConfig
from lpm_model.decoder import Backbone, Held, LPMAttention, LPMDecoderLayer
from lpm_model.layers import LowRankLinear, learned_linear
from lpm_model.memory import MemoryBlock

__all__ = [
    "PairEmbedding",
    "Size",
    "SmallBackbone",
    "configuration",
    "lift_parameters",
    "memory_parameters",
    "start",
    "wider",
]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the decoder is.

    Attributes:
        layers: L.
        width: D.
        hidden: Width of the MLP of the arms with a memory; the others' is wider by what the memory holds.
        heads: Of queries; each of ``width / heads`` numbers.
        kv_heads: Of keys and values.
        slots: K, slots a layer of the state.
        state: r, numbers a slot.
    """

    layers: int = 2
    width: int = 128
    hidden: int = 256
    heads: int = 4
    kv_heads: int = 2
    slots: int = 64
    state: int = 96


def configuration(size: Size) -> LPMConfig:
    """The configuration of the arms with a memory."""
    return LPMConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.width,
        intermediate_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        head_dim=size.width // size.heads,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        num_slots=size.slots,
        state_dim=size.state,
        adapter_rank=0,
        base_name="none: trained from nothing",
    )


def memory_parameters(config: LPMConfig) -> int:
    """Learned numbers of the blocks, the slots' embeddings and the lift of a decoder with a memory."""
    width, state, rank = config.hidden_size, config.state_dim, config.gate_rank
    block = width * state + state * 2 * config.kv_dim  # W_down, W_up
    block += (width + state) * rank + rank * 2 * state + 2 * state  # gates
    block += (width + config.num_attention_heads * config.head_dim + width) * config.merge_rank
    return config.num_hidden_layers * block + config.num_slots * width + lift_parameters(config)


def lift_parameters(config: LPMConfig) -> int:
    """Learned numbers of the map from a slot to the start of a latent step."""
    return config.state_dim * config.hidden_size


def wider(config: LPMConfig, numbers: int) -> LPMConfig:
    """The same shape with a wider MLP, by so many learned numbers."""
    config.intermediate_size += round(numbers / (3 * config.hidden_size * config.num_hidden_layers))
    return config


class PairEmbedding(nn.Embedding):
    """What a pair of symbols means: E(second) + R E(first).

    A symbol is the same thing in both places, which R tells apart. The head writes with the same table.
    """

    def __init__(self, width: int) -> None:
        super().__init__(VOCABULARY, width)
        self.turn = learned_linear(width, width)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Embed pairs (B, T) as (B, T, D)."""
        first = F.embedding(input // VOCABULARY, self.weight)
        return F.embedding(input % VOCABULARY, self.weight) + F.linear(first, self.turn.weight)


class SmallBackbone(Backbone):
    """The project's decoder at a small size; everything in it is trained.

    Args:
        config: Its shape.
        memory: Whether its layers carry memory blocks.
    """

    def __init__(self, config: LPMConfig, memory: bool) -> None:
        super().__init__()
        self.config = config
        self.build(config)
        self.embed_tokens = PairEmbedding(config.hidden_size)
        if not memory:
            for layer in cast("list[LPMDecoderLayer]", self.layers):
                layer.memory = None
            self.slot_embeddings = nn.Parameter(torch.empty(0, config.hidden_size))
        self.requires_grad_()
        self.apply(start)
        for layer in cast("list[LPMDecoderLayer]", self.layers):
            look_for_alike(layer.attention)
            if layer.memory is not None:
                hold_alike(layer.attention, layer.memory)

    def vectors(
        self,
        x: torch.Tensor,
        mask: torch.Tensor,
        cache: Cache | None = None,
        held: torch.Tensor | None = None,
        slots: Sequence[Held] | None = None,
    ) -> torch.Tensor:
        """Run vectors through the layers as if they were embedded tokens.

        Args:
            x: (B, T, D).
            mask: (B, past + T), 1 for tokens and 0 for padding.
            cache: The window so far; extended in place.
            held: (B, K), which slots of a state hold something.
            slots: What ``decompress`` gave for the state.

        Returns:
            Normalised hidden states (B, T, D).
        """
        length, total = x.shape[1], mask.shape[1]
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, total - length :]
        order = torch.arange(total, device=x.device)
        visible = (order <= order[total - length :, None]) & mask.bool()[:, None]
        if held is not None:
            visible = torch.cat((held[:, None].expand(-1, length, -1), visible), dim=-1)
        x, _ = self._layers(x, positions, visible, slots, cache)
        return self.norm(x)


@torch.no_grad()
def look_for_alike(attention: LPMAttention) -> None:
    """Start queries as the keys they meet: a position then looks for what is like it.

    So begin trained transformers' queries and keys, and small ones learn far sooner (Trockman and Kolter,
    arXiv 2305.09828).
    """
    heads, size = attention.heads, attention.head_dim
    rows = attention.qkv.weight.unflatten(0, (-1, size))
    keys = rows[heads : heads + attention.kv_heads]
    rows[:heads] = keys.repeat_interleave(heads // attention.kv_heads, dim=0)


@torch.no_grad()
def hold_alike(attention: LPMAttention, block: MemoryBlock) -> None:
    """Start a slot as what a token's key and value are made of, along the r directions they see most.

    So begins the shipped block (``lpm_model.memory``): what attention finds in a window it finds in a state.
    Begun at random, a state is read some thousand steps later than a window, if at all.
    """
    pair = attention.qkv.weight[-len(block.up.weight) :]
    _, _, directions = torch.linalg.svd(pair, full_matrices=False)
    block.down.weight.copy_(directions[: len(block.down.weight)])
    block.up.weight.copy_(pair @ block.down.weight.T)


@torch.no_grad()
def start(module: nn.Module) -> None:
    """Set the numbers of a part that is trained from nothing."""
    if isinstance(module, LowRankLinear):
        nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, PairEmbedding):
        nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
        nn.init.orthogonal_(module.turn.weight)
    elif isinstance(module, MemoryBlock):
        module.reset()
    elif isinstance(module, Backbone):
        nn.init.normal_(module.slot_embeddings, std=module.config.hidden_size**-0.5)
