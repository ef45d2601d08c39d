"""The persistent-memory decoder: a Llama-family transformer that carries a latent state.

A segment (a turn, a tool result, C tokens of a long text) is read once. After each attention layer the
memory block compresses what every token brings and, at the segment's end, writes it into the state behind
what was read before (``lpm_model.memory``). What comes later reads the state; the segment's own keys and
values are dropped.

Shapes: B batch, T tokens, K slots, L layers, D hidden width, r numbers per slot. The state is one
tensor (B, L, K, r); a slot of zeros is empty and nobody reads it. Slots are read at rotary positions
0..K-1, the newest at the end, and every window starts at K: as far as a text has at most K tokens, what
follows it sees it as if it stood in the window.

Everything here is plain torch: what transformers' own model classes need takes seconds to import, and
reading and writing need none of it. ``lpm_model.modeling`` makes transformers models of the same parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, cast

import torch
from torch import nn
from transformers.cache_utils import Cache

from lpm_model.configuration import LPMConfig
from lpm_model.layers import MLP, LowRankLinear, RMSNorm, Rotary, rotate
from lpm_model.mechanisms import memory_block
from lpm_model.memory import MemoryBlock, filled

__all__ = ["Backbone", "CausalDecoder", "Decoder", "Held", "KeysValues", "Logits", "WithHead", "init_learned"]


KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values that the slots of one layer are read by, each (B, kv_heads, K, head_dim)."""

Held = KeysValues | torch.Tensor
"""What a layer reads: keys and values of the slots, or the state (B, K, r) that its memory block reads."""

Seen = tuple[torch.Tensor, torch.Tensor]
"""What a memory block sees of its layer, both (B, T, D) and normalised: before and after attention."""


class LPMAttention(nn.Module):
    """Grouped-query attention over the state's slots and the window, in one softmax."""

    def __init__(self, config: LPMConfig, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        width = self.heads * self.head_dim + 2 * config.kv_dim
        self.qkv = LowRankLinear(config.hidden_size, width, config.adapter_rank, bias=config.qkv_bias)
        self.o = LowRankLinear(self.heads * self.head_dim, config.hidden_size, config.adapter_rank)
        self.q_norm = RMSNorm(self.head_dim, config.rms_norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(self.head_dim, config.rms_norm_eps) if config.qk_norm else nn.Identity()

    def slots(self, pair: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor]) -> KeysValues:
        """As ``keys_values``, of slots (B, K, 2 * kv_dim), which hold the projections without their bias."""
        if self.qkv.bias is not None:
            pair = pair + self.qkv.bias[-pair.shape[-1] :]
        return self.keys_values(pair, rotary)

    def keys_values(self, pair: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor]) -> KeysValues:
        """Split (B, T, 2 * kv_dim) into rotated keys and values, each (B, kv_heads, T, head_dim)."""
        key, value = pair.unflatten(-1, (2, self.kv_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        return rotate(self.k_norm(key), *rotary), value

    def forward(
        self,
        x: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
        slots: KeysValues | None,
        cache: Cache | None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend.

        Args:
            x: (B, T, D), normalised.
            rotary: Cosine and sine of the positions, each (B, T, head_dim).
            mask: (B, 1, T, S), added to the scores; S counts slots, read here or not, cache and T.
            slots: Keys and values of the state, or None.
            cache: Keys and values of the window so far; extended.

        Returns:
            The attention's output (B, T, D) and the slots' share of it before the output
            projection, (B, T, heads * head_dim), or None without slots.
        """
        batch, length, _ = x.shape
        query, pair = self.qkv(x).split(
            (self.heads * self.head_dim, 2 * self.kv_heads * self.head_dim), dim=-1
        )
        query = query.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)
        query = rotate(self.q_norm(query), *rotary)
        key, value = self.keys_values(pair, rotary)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        if slots is not None:
            key, value = torch.cat((slots[0], key), dim=2), torch.cat((slots[1], value), dim=2)
        # Query heads of one group share a key head: fold the group into the length.
        groups = self.heads // self.kv_heads
        query = query.reshape(batch, self.kv_heads, groups * length, self.head_dim)
        scores = (query @ key.transpose(2, 3)) * self.head_dim**-0.5
        scores = scores.view(batch, self.kv_heads, groups, length, -1)
        scores = scores + mask[:, :, None, :, -scores.shape[-1] :]
        weights = (
            torch.softmax(scores.float(), dim=-1).to(x.dtype).view(batch, self.kv_heads, groups * length, -1)
        )

        def gathered(part: torch.Tensor) -> torch.Tensor:
            return (
                part.view(batch, self.heads, length, self.head_dim).transpose(1, 2).reshape(batch, length, -1)
            )

        if slots is None:
            return self.o(gathered(weights @ value)), None
        count = slots[0].shape[2]
        memory = gathered(weights[..., :count] @ value[:, :, :count])
        window = gathered(weights[..., count:] @ value[:, :, count:])
        return self.o(memory + window), memory


class LPMDecoderLayer(nn.Module):
    """Attention, persistent memory block, MLP."""

    def __init__(self, config: LPMConfig, layer_idx: int) -> None:
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = LPMAttention(config, layer_idx)
        self.memory = memory_block(config) if config.carries_memory(layer_idx) else None
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config.hidden_size, config.intermediate_size, config.hidden_act, config.adapter_rank)

    def forward(
        self,
        x: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
        held: Held | None,
        cache: Cache | None,
    ) -> tuple[torch.Tensor, Seen]:
        """One layer; returns the residual stream (B, T, D) and what its memory block sees of it."""
        normed = self.input_norm(x)
        slots = held if isinstance(held, tuple) else None
        attended, memory = self.attention(normed, rotary, mask, slots, cache)
        x = x + attended
        if self.memory is not None and isinstance(held, torch.Tensor):
            memory = self.memory.read(normed, held)
        if self.memory is not None and memory is not None:
            x = self.memory.merge(x, memory)
        normed_after = self.post_norm(x)
        return x + self.mlp(normed_after), (normed, normed_after)


def init_learned(module: nn.Module, config: LPMConfig) -> None:
    """Initialise what ``module`` itself learns beside the base's weights."""
    if isinstance(module, LowRankLinear) and module.lora_a is not None and module.lora_b is not None:
        nn.init.kaiming_uniform_(module.lora_a, a=5**0.5)
        nn.init.zeros_(module.lora_b)
    elif isinstance(module, MemoryBlock):
        module.reset()
    elif isinstance(module, Backbone):
        nn.init.normal_(module.slot_embeddings, std=config.initializer_range)


class Backbone(nn.Module):
    """The parts and the work of a decoder without its language model head; a class of models builds it."""

    config: LPMConfig

    def build(self, config: LPMConfig) -> None:
        """Make the parts."""
        self.embed_tokens = nn.Embedding.from_pretrained(torch.empty(config.vocab_size, config.hidden_size))
        self.slot_embeddings = nn.Parameter(torch.empty(config.num_slots, config.hidden_size))
        self.layers = nn.ModuleList(LPMDecoderLayer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = Rotary(config)

    @property
    def carriers(self) -> list[tuple[LPMAttention, MemoryBlock]]:
        """Attention and memory block of every layer that carries one, from the first to the last."""
        layers = cast("list[LPMDecoderLayer]", self.layers)
        return [(layer.attention, layer.memory) for layer in layers if layer.memory is not None]

    @property
    def blocks(self) -> list[MemoryBlock]:
        """The memory blocks, of the first layer that carries one to the last."""
        return [block for _, block in self.carriers]

    def forward(
        self,
        input_ids: torch.Tensor | None,
        latent_state: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        write: bool = False,
        drafts: list[torch.Tensor] | None = None,
        decompressed: Sequence[Held] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run tokens through the layers, reading the state and optionally writing the next one.

        Args:
            input_ids: (B, T), left padded if at all, or None for a latent step: the slots alone then run
                through the layers, reading the state and rewriting it.
            latent_state: (B, L, K, r), or None where nothing has been read yet.
            attention_mask: (B, past + T), 1 for tokens and 0 for padding; None means no padding.
            past_key_values: The window so far; extended in place by the tokens.
            write: Whether the segment ends here, and the state is written.
            drafts: What the tokens in ``past_key_values`` bring to the state, call by call; extended in
                place. Needed to write the state of a segment whose start is in the window already.
            decompressed: What ``decompress`` gave for ``latent_state``, where it is read many times.

        Returns:
            Hidden states of the tokens (B, T, D), and the new state (B, L, K, r) if ``write`` else
            the state given.

        Raises:
            ValueError: If the state is to be written and a part of the segment is missing, or rewritten
                where there is none.
        """
        if latent_state is not None and decompressed is None:
            decompressed = self.decompress(latent_state)
        if input_ids is None:
            if latent_state is None or decompressed is None:
                raise ValueError("a latent step needs a state")
            return self._step(latent_state, decompressed)
        device, (batch_size, length) = input_ids.device, input_ids.shape
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if attention_mask is None:
            attention_mask = torch.ones(batch_size, past + length, dtype=torch.long, device=device)
        x, tokens = self.embed_tokens(input_ids), attention_mask.long()
        positions = (tokens.cumsum(-1) - 1).clamp(min=0)[:, past:]
        order = torch.arange(past + length, device=device)
        visible = (order <= order[past:, None]) & tokens.bool()[:, None]
        if latent_state is not None:
            held = filled(latent_state)
            visible = torch.cat((held[:, None].expand(-1, length, -1), visible), dim=-1)
        x, seen = self._layers(x, positions, visible, decompressed, past_key_values)
        if write or drafts is not None:
            drafts = [] if drafts is None else drafts
            drafts.append(self._drafts(seen))
        if write:
            assert drafts is not None
            latent_state = self._written(drafts, seen, latent_state, tokens)
        return self.norm(x), latent_state

    def _layers(
        self,
        x: torch.Tensor,
        positions: torch.Tensor,
        visible: torch.Tensor,
        held: Sequence[Held] | None,
        cache: Cache | None,
    ) -> tuple[torch.Tensor, list[Seen]]:
        """The residual stream after all layers (B, T, D), and what each memory block sees."""
        # A finite floor keeps the rows of padding free of NaN.
        floor = torch.finfo(x.dtype).min
        mask = torch.zeros(visible.shape, dtype=x.dtype, device=x.device).masked_fill(~visible, floor)[
            :, None
        ]
        rotary = self.rotary_emb(x, positions + self.config.num_slots)
        seen: list[Seen] = []
        for index, layer in enumerate(self.layers):
            carries = self.config.carries_memory(index)
            x, of_layer = layer(x, rotary, mask, held[len(seen)] if held and carries else None, cache)
            if carries:
                seen.append(of_layer)
        return x, seen

    def _drafts(self, seen: Sequence[Seen]) -> torch.Tensor:
        """What tokens bring to the state, (B, L, T, r)."""
        return torch.stack(
            [block.draft(*of_layer) for block, of_layer in zip(self.blocks, seen, strict=True)], dim=1
        )

    def _written(
        self,
        drafts: Sequence[torch.Tensor],
        seen: Sequence[Seen],
        latent_state: torch.Tensor | None,
        tokens: torch.Tensor,
    ) -> torch.Tensor:
        """The state after a segment; ``tokens`` (B, past + T) are 1 for its tokens, 0 for padding."""
        brought = torch.cat(list(drafts), dim=2)
        if brought.shape[2] != tokens.shape[1]:
            raise ValueError(
                f"the segment has {tokens.shape[1]} tokens, drafts of {brought.shape[2]} are given"
            )
        if latent_state is None:
            held = tokens.new_zeros(len(tokens), self.config.num_slots, dtype=torch.bool)
        else:
            held = filled(latent_state)
        places = self.blocks[0].places(held, tokens)
        return torch.stack(
            [
                block.write(
                    brought[:, index],
                    after[:, -1:],
                    None if latent_state is None else latent_state[:, index].to(after.dtype),
                    places,
                )
                for index, (block, (_, after)) in enumerate(zip(self.blocks, seen, strict=True))
            ],
            dim=1,
        )

    def _step(
        self, latent_state: torch.Tensor, decompressed: Sequence[Held]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A latent step; no hidden states of tokens, and the state rewritten in its places."""
        held, count = filled(latent_state), self.config.num_slots
        x = self.slot_embeddings.expand(len(held), -1, -1)
        order = torch.arange(count, device=held.device)
        among = (order <= order[:, None]) & held[:, None]
        visible = torch.cat((held[:, None].expand(-1, count, -1), among), dim=-1)
        x, seen = self._layers(x, order.expand(len(held), -1), visible, decompressed, None)
        new = [
            block.rewrite(*of_layer, latent_state[:, index].to(x.dtype))
            for index, (block, of_layer) in enumerate(zip(self.blocks, seen, strict=True))
        ]
        return x[:, :0], torch.stack(new, dim=1)

    def decompress(self, latent_state: torch.Tensor) -> list[Held]:
        """What each memory block reads of a state (B, L, K, r): the same for every token that reads."""
        latent_state = latent_state.to(self.embed_tokens.weight.dtype)
        places = torch.arange(self.config.num_slots, device=latent_state.device)[None]
        rotary = self.rotary_emb(latent_state, places)
        return [
            attention.slots(block.up(state), rotary) if block.reads_slots else state
            for (attention, block), state in zip(self.carriers, latent_state.unbind(1), strict=True)
        ]


class Decoder(Backbone):
    """The decoder without its language model head."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        self.config = config
        self.build(config)


class Logits(NamedTuple):
    """What a decoder with its head gives.

    Attributes:
        logits: (B, T, V), of the tokens that were asked for.
        latent_state: (B, L, K, r) if the call wrote one, else the state it was given (or None).
    """

    logits: torch.Tensor
    latent_state: torch.Tensor | None


class WithHead(nn.Module):
    """What a decoder with a language model head can do; a class of models builds it."""

    config: LPMConfig
    model: Backbone
    lm_head: LowRankLinear

    def build_head(self, config: LPMConfig) -> None:
        """Make the head."""
        self.lm_head = LowRankLinear(config.hidden_size, config.vocab_size, 0)

    def run(
        self, input_ids: torch.Tensor | None, logits_to_keep: int | torch.Tensor = 0, **options: Any
    ) -> Logits:
        """Logits of the tokens.

        Args:
            input_ids: (B, T).
            logits_to_keep: Only the last so many positions, or those given, get logits (0: all of them).
            options: As of ``Backbone.forward``.
        """
        hidden, latent_state = self.model(input_ids, **options)
        kept = hidden[:, -logits_to_keep:] if isinstance(logits_to_keep, int) else hidden[:, logits_to_keep]
        return Logits(self.lm_head(kept), latent_state)

    @property
    def learned_names(self) -> set[str]:
        """Names of the parameters that an adapter file holds: those that training changes, and one more.

        The directions of a narrow state are chosen once (``lpm_model.narrowing``) and not trained.
        """
        directions = "memory.up.weight" if self.narrow else None
        return {
            name
            for name, parameter in self.named_parameters()
            if parameter.requires_grad or (directions and name.endswith(directions))
        }

    @property
    def narrow(self) -> bool:
        """Whether a slot holds fewer numbers than a key and value of its layer."""
        narrower = self.config.state_dim < 2 * self.config.kv_dim
        return narrower and all(block.reads_slots for block in self.model.blocks)

    @contextmanager
    def base_only(self) -> Iterator[None]:
        """Leave out the low-rank updates: without a state the model then is its base. Before folding."""
        maps = [module for module in self.modules() if isinstance(module, LowRankLinear)]
        for module in maps:
            module.updated = False
        try:
            yield
        finally:
            for module in maps:
                module.updated = True

    def fold(self) -> Self:
        """Fold the low-rank updates into the weights for inference; training is over then."""
        for module in self.modules():
            if isinstance(module, LowRankLinear):
                module.fold()
        return self

    def pack(self) -> Self:
        """Hold the folded weights in half precision: on a CPU, tokens then take half of the time."""
        for module in self.modules():
            if isinstance(module, LowRankLinear):
                module.pack()
        return self


class CausalDecoder(WithHead):
    """The decoder with its language model head."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.build_head(config)

    def forward(self, input_ids: torch.Tensor | None, **options: Any) -> Logits:
        """As ``run``."""
        return self.run(input_ids, **options)
