"""The persistent-memory decoder: a Llama-family transformer that carries a latent state.

A segment (a turn, a tool result, C tokens of a long text) is read once. It is cut into K chunks of
equal length, and a slot stands behind each, as if it were one more token of the text: it starts as the
mean of the chunk's embeddings plus an embedding of its own, and sees what came before it. After each
attention layer the memory block writes what the slots gathered into the state. What comes later reads
the state; the segment's own keys and values are dropped.

Shapes: B batch, T tokens, K slots, L layers, D hidden width, r numbers per slot. The state is one
tensor (B, L, K, r). When they are read, slots sit at rotary positions 0..K-1 and every window starts at
K, whatever was read before, so the state does not depend on how long ago it was written.

Everything here is plain torch: what transformers' own model classes need takes seconds to import, and
reading and writing need none of it. ``lpm_model.modeling`` makes transformers models of the same parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, cast

import torch
from torch import nn
from torch.nn import functional as F
from transformers.cache_utils import Cache

from lpm_model.configuration import LPMConfig
from lpm_model.layers import MLP, LowRankLinear, RMSNorm, Rotary, rotate
from lpm_model.memory import PersistentMemoryBlock, chunks

__all__ = ["Backbone", "CausalDecoder", "Decoder", "KeysValues", "Logits", "WithHead", "init_learned"]


KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values that the slots of one layer are read by, each (B, kv_heads, K, head_dim)."""


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
        written: int,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend.

        Args:
            x: (B, T, D), normalised; the last ``written`` positions are slots being written.
            rotary: Cosine and sine of the positions, each (B, T, head_dim).
            mask: (B, 1, T, S), added to the scores; S counts slots read, cache and T.
            slots: Keys and values of the state, or None.
            cache: Keys and values of the window so far; extended by the tokens, never by the slots.
            written: How many trailing positions are slots.

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
            tokens = length - written
            past_key, past_value = cache.update(key[:, :, :tokens], value[:, :, :tokens], self.layer_idx)
            key = torch.cat((past_key, key[:, :, tokens:]), dim=2) if written else past_key
            value = torch.cat((past_value, value[:, :, tokens:]), dim=2) if written else past_value
        if slots is not None:
            key, value = torch.cat((slots[0], key), dim=2), torch.cat((slots[1], value), dim=2)
        # Query heads of one group share a key head: fold the group into the length.
        groups = self.heads // self.kv_heads
        query = query.reshape(batch, self.kv_heads, groups * length, self.head_dim)
        scores = (query @ key.transpose(2, 3)) * self.head_dim**-0.5
        scores = scores.view(batch, self.kv_heads, groups, length, -1) + mask[:, :, None]
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
        self.memory = PersistentMemoryBlock(config)
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config.hidden_size, config.intermediate_size, config.hidden_act, config.adapter_rank)

    def forward(
        self,
        x: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
        state: torch.Tensor | None,
        slots: KeysValues | None,
        cache: Cache | None,
        written: int,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One layer; returns the residual stream (B, T, D) and, if slots were written, (B, K, r)."""
        attended, memory = self.attention(self.input_norm(x), rotary, mask, slots, cache, written)
        x = x + attended
        if memory is not None:
            x = self.memory.merge(x, memory)
        new_state = self.memory.write(self.input_norm(x[:, -written:]), state) if written else None
        return x + self.mlp(self.post_norm(x)), new_state


def init_learned(module: nn.Module, config: LPMConfig) -> None:
    """Initialise what ``module`` itself learns beside the base's weights."""
    if isinstance(module, LowRankLinear) and module.lora_a is not None and module.lora_b is not None:
        nn.init.kaiming_uniform_(module.lora_a, a=5**0.5)
        nn.init.zeros_(module.lora_b)
    elif isinstance(module, PersistentMemoryBlock):
        nn.init.normal_(module.gate_in.weight, std=0.02)
        nn.init.normal_(module.gate_out.weight, std=0.02)
        # Gates start by taking what is new and keeping a quarter of what was: at the first
        # segment the state is then nearly the slots' own keys and values.
        assert module.gate_out.bias is not None
        forget, take = module.gate_out.bias.chunk(2)
        nn.init.constant_(forget, -1.0)
        nn.init.constant_(take, 3.0)
        nn.init.normal_(module.merge_in.weight, std=0.02)
        nn.init.zeros_(module.merge_out.weight)
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

    def forward(
        self,
        input_ids: torch.Tensor | None,
        latent_state: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        write: bool = False,
        batch_size: int = 1,
        window_ids: torch.Tensor | None = None,
        decompressed: Sequence[KeysValues] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run tokens through the layers, reading the state and optionally writing the next one.

        Args:
            input_ids: (B, T), left padded if at all, or None for a latent step: the slots alone then run
                through the layers, reading the state and writing the next.
            latent_state: (B, L, K, r), or None where nothing has been read yet.
            attention_mask: (B, past + T), 1 for tokens and 0 for padding; None means no padding.
            past_key_values: The window so far; extended in place by the tokens.
            write: Whether the segment ends here: append the slots and write the state.
            batch_size: B where ``input_ids`` is None and there is no state.
            window_ids: (B, past), the tokens that ``past_key_values`` holds; needed to write the state of
                a segment whose start is in the window already.
            decompressed: What ``decompress`` gave for ``latent_state``, where it is read many times.

        Returns:
            Hidden states of the tokens (B, T, D), and the new state (B, L, K, r) if ``write`` else
            the state given.

        Raises:
            ValueError: If the state is to be written and a part of the segment is missing.
        """
        config, device = self.config, self.slot_embeddings.device
        if input_ids is None:
            batch_size = batch_size if latent_state is None else latent_state.shape[0]
            input_ids = torch.empty(batch_size, 0, dtype=torch.long, device=device)
        batch_size, length = input_ids.shape
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if attention_mask is None:
            attention_mask = torch.ones(batch_size, past + length, dtype=torch.long, device=device)
        x, tokens = self.embed_tokens(input_ids), attention_mask.long()
        positions = (tokens.cumsum(-1) - 1).clamp(min=0)[:, past:]
        visible = (
            torch.arange(past + length, device=device)
            <= torch.arange(past, past + length, device=device)[:, None]
        ) & tokens.bool()[:, None]
        if write:
            if past and (window_ids is None or window_ids.shape[1] != past):
                raise ValueError(
                    f"the segment's first {past} tokens are in the window: give them as window_ids"
                )
            segment = input_ids if window_ids is None else torch.cat((window_ids, input_ids), dim=1)
            slots, behind, sees = self._slots(segment, tokens, x)
            x = torch.cat((x, slots), dim=1)
            positions = torch.cat((positions, behind), dim=1)
            visible = F.pad(visible, (0, config.num_slots))
            visible = torch.cat((visible, sees), dim=1)
        if latent_state is not None:
            visible = F.pad(visible, (config.num_slots, 0), value=True)
        # A finite floor keeps the rows of padding free of NaN.
        mask = torch.zeros(visible.shape, dtype=x.dtype, device=device).masked_fill(
            ~visible, torch.finfo(x.dtype).min
        )[:, None]
        rotary = self.rotary_emb(x, positions + config.num_slots)
        if latent_state is not None and decompressed is None:
            decompressed = self.decompress(latent_state.to(x.dtype))
        written = config.num_slots if write else 0
        new_states = []
        for index, layer in enumerate(self.layers):
            state = None if latent_state is None else latent_state[:, index].to(x.dtype)
            slots_read = None if decompressed is None else decompressed[index]
            x, new_state = layer(x, rotary, mask, state, slots_read, past_key_values, written)
            new_states.append(new_state)
        latent_state = torch.stack([s for s in new_states if s is not None], dim=1) if write else latent_state
        return self.norm(x[:, :length]), latent_state

    def decompress(self, latent_state: torch.Tensor) -> list[KeysValues]:
        """Keys and values of a state (B, L, K, r), layer by layer: the same for every token that reads."""
        places = torch.arange(self.config.num_slots, device=latent_state.device)[None]
        rotary = self.rotary_emb(latent_state, places)
        layers = cast("list[LPMDecoderLayer]", list(self.layers))
        return [
            layer.attention.keys_values(layer.memory.up(latent_state[:, index]), rotary)
            for index, layer in enumerate(layers)
        ]

    def _slots(
        self, segment: torch.Tensor, tokens: torch.Tensor, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Slots about to be written.

        Args:
            segment: (B, T), the whole segment, or nothing for a latent step.
            tokens: (B, T), 1 for tokens and 0 for padding.
            like: Whose type the slots take.

        Returns:
            What the slots start as (B, K, D), their positions (B, K), and what each of them sees of the
            tokens and of the slots (B, K, T + K).
        """
        batch, count = len(tokens), self.config.num_slots
        slots = self.slot_embeddings.to(like.dtype).expand(batch, -1, -1)
        among = torch.ones(count, count, dtype=torch.bool, device=tokens.device).tril().expand(batch, -1, -1)
        if not segment.shape[1]:
            return slots, torch.arange(count, device=tokens.device).expand(batch, -1), among
        shares, ends = chunks(tokens, count)
        slots = slots + shares.to(like.dtype) @ self.embed_tokens(segment)
        places = tokens.cumsum(-1) - 1
        sees = (places[:, None] < ends[..., None]) & tokens.bool()[:, None]
        # Half a token behind the chunk: between its last token and the next.
        return slots, ends - 0.5, torch.cat((sees, among), dim=-1)


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
        """Names of the parameters that training changes: what an adapter file holds."""
        return {name for name, parameter in self.named_parameters() if parameter.requires_grad}

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
