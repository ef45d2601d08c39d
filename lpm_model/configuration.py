"""Configuration of the persistent-memory decoder."""

from __future__ import annotations

from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

__all__ = ["LPMConfig"]

# What is taken over, by name, from a Llama-family configuration.
_BASE_FIELDS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_parameters",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "hidden_act",
)


@strict
class LPMConfig(PreTrainedConfig):
    """A Llama-family decoder plus a persistent memory block after every attention layer.

    Args:
        qkv_bias: Whether the query, key and value projections carry a bias (Qwen2 does).
        qk_norm: Whether queries and keys are normalised per head (Qwen3 does).
        num_slots: K, slots of the state per layer.
        state_dim: r, numbers per slot. Must be smaller than ``hidden_size``: the state is
            compressed. ``2 * num_key_value_heads * head_dim`` lets a slot start as an exact key
            and value of its layer.
        gate_rank: Width of the bottleneck of the forget and input gates.
        merge_rank: Rank of the learned part of the concatenate-and-project merge.
        adapter_rank: Rank of the low-rank updates on the base's linear layers.
        segment_length: C, most tokens read before the state is written.
        mechanism: How the state is written and read: "slots" is the design that ships, the others are what it
            is compared with (``lpm_model.mechanisms``).
        memory_every: Every so many layers one carries a memory block, the last one among them.
        base_name: Which weights the decoder was retrofitted to, for error messages.
    """

    model_type = "lpm"

    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int = 3
    head_dim: int = 64
    max_position_embeddings: int = 8192
    hidden_act: str = "silu"
    rms_norm_eps: float = 1e-5
    rope_parameters: dict[str, Any] | None = None
    tie_word_embeddings: bool = True
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    pad_token_id: int | None = 2
    initializer_range: float = 0.02
    qkv_bias: bool = False
    qk_norm: bool = False
    num_slots: int = 64
    state_dim: int = 384
    gate_rank: int = 8
    merge_rank: int = 8
    adapter_rank: int = 32
    segment_length: int = 256
    mechanism: Literal["slots", "ungated", "per_token", "gated_slots", "delta_rule"] = "slots"
    memory_every: int = 1
    base_name: str = "SmolLM2-135M-Instruct"

    @property
    def kv_dim(self) -> int:
        """Numbers in one layer's keys of one token."""
        return self.num_key_value_heads * self.head_dim

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """Shape (layers that carry a block, K, r) of the latent state."""
        return self.num_hidden_layers // self.memory_every, self.num_slots, self.state_dim

    def carries_memory(self, layer: int) -> bool:
        """Whether a layer, counted from 0, carries a memory block."""
        return (layer + 1) % self.memory_every == 0

    def validate_architecture(self) -> None:
        """Refuse a state that is not compressed or not there (called by transformers after construction).

        Raises:
            ValueError: If ``state_dim`` is not below ``hidden_size``, exceeds one key and value or is no
                multiple of the heads that share it, or if ``memory_every`` does not divide the layers.
        """
        if self.memory_every < 1 or self.num_hidden_layers % self.memory_every:
            raise ValueError(f"memory_every {self.memory_every} must divide {self.num_hidden_layers} layers")
        if self.mechanism == "delta_rule" and self.state_dim % self.num_attention_heads:
            raise ValueError(
                f"state_dim {self.state_dim} must be a multiple of {self.num_attention_heads} heads"
            )
        if not 0 < self.state_dim < self.hidden_size:
            raise ValueError(f"state_dim {self.state_dim} must lie below hidden_size {self.hidden_size}")
        if self.state_dim > 2 * self.kv_dim:
            raise ValueError(f"state_dim {self.state_dim} exceeds a layer's key and value, {2 * self.kv_dim}")

    @classmethod
    def from_base_config(cls, base: PreTrainedConfig, **overrides: Any) -> LPMConfig:
        """Derive the configuration from a Llama, SmolLM, Qwen2 or Qwen3 configuration.

        ``state_dim`` defaults to one key and value of a layer where that compresses, else to two
        thirds of the hidden width.

        Raises:
            ValueError: If the family is not supported, a layer slides its attention window, rotary positions
                depend on the length, or the state would not be compressed.
        """
        family = base.model_type
        if family not in {"llama", "qwen2", "qwen3"}:
            raise ValueError(f"cannot retrofit a {family!r} model: only llama, qwen2 and qwen3 decoders")
        if "sliding_attention" in (getattr(base, "layer_types", None) or ()):
            raise ValueError("cannot retrofit a decoder whose layers slide their attention window")
        if (getattr(base, "rope_parameters", None) or {}).get("rope_type") in ("dynamic", "longrope"):
            raise ValueError("cannot retrofit a decoder whose rotary positions depend on the length")
        if getattr(base, "mlp_bias", False) or (family == "llama" and getattr(base, "attention_bias", False)):
            raise ValueError("cannot retrofit a Llama decoder whose output or MLP projections carry a bias")
        values: dict[str, Any] = {name: getattr(base, name) for name in _BASE_FIELDS}
        values["head_dim"] = getattr(base, "head_dim", None) or base.hidden_size // base.num_attention_heads
        values["qkv_bias"] = family == "qwen2"
        values["qk_norm"] = family == "qwen3"
        pair = 2 * base.num_key_value_heads * values["head_dim"]
        values["state_dim"] = pair if pair < base.hidden_size else 2 * base.hidden_size // 3
        try:
            return cls(**(values | overrides))
        except StrictDataclassError as error:
            raise ValueError(str(error)) from error
