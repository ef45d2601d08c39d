"""Give a pretrained Llama-family decoder a persistent memory, and keep what it learned as an adapter.

The adapter file holds only what training changes (slots, gates, low-rank updates, merges); the base
weights come from the base. A model's fingerprint is a digest of the base, the adapter and the shape of
its memory: a latent state written by one model is refused by another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import PreTrainedConfig

from lpm_model.configuration import LPMConfig
from lpm_model.decoder import WithHead, init_learned
from lpm_model.layers import Rotary

__all__ = [
    "AdapterError",
    "fingerprint",
    "load_adapter",
    "read_adapter",
    "retrofit",
    "save_adapter",
    "with_slots",
]

Retrofitted = TypeVar("Retrofitted", bound=WithHead)

# The fields of ``LPMConfig`` that an adapter was trained with, and what each is read as.
_MEMORY_FIELDS: Mapping[str, type[int] | type[str]] = {
    "num_slots": int,
    "state_dim": int,
    "gate_rank": int,
    "merge_rank": int,
    "adapter_rank": int,
    "mechanism": str,
    "memory_every": int,
}


class AdapterError(ValueError):
    """An adapter file is damaged or does not fit the base."""


def retrofit(
    kind: type[Retrofitted], config: PreTrainedConfig, tensors: Mapping[str, torch.Tensor], **overrides: Any
) -> Retrofitted:
    """Give a Llama, SmolLM, Qwen2 or Qwen3 causal model a memory.

    With an empty state the result computes exactly the base's logits.

    Args:
        kind: ``CausalDecoder``, or ``LPMForCausalLM`` for a transformers model.
        config: The base's configuration.
        tensors: The base's state dict in transformers' Llama naming; its tensors are shared, not copied.
        overrides: Fields of ``LPMConfig`` to set, e.g. ``num_slots=32``.

    Raises:
        ValueError: If the family is not supported.
    """
    lpm_config = LPMConfig.from_base_config(config, **overrides)
    # Built without storage: only what the base lacks is allocated and initialised below.
    with torch.device("meta"):
        model = kind(lpm_config)
    copied: dict[str, torch.Tensor] = {
        "model.embed_tokens.weight": tensors["model.embed_tokens.weight"],
        "model.norm.weight": tensors["model.norm.weight"],
        "lm_head.weight": tensors.get("lm_head.weight", tensors["model.embed_tokens.weight"]),
    }
    for i in range(lpm_config.num_hidden_layers):
        prefix = f"model.layers.{i}."
        copied |= _layer_tensors(lpm_config, tensors, prefix)
        if lpm_config.carries_memory(i) and lpm_config.mechanism != "delta_rule":
            copied |= _compression(lpm_config, tensors, prefix)
    missing, unexpected = model.load_state_dict(
        {k: v.float() for k, v in copied.items()}, strict=False, assign=True
    )
    foreign = [name for name in missing if not _is_learned(name)]
    if foreign or unexpected:
        raise ValueError(f"the base's weights do not fit: missing {foreign[:3]}, unexpected {unexpected[:3]}")
    for module in model.modules():
        fresh = [name for name, parameter in module.named_parameters(recurse=False) if parameter.is_meta]
        for name in fresh:
            old = getattr(module, name)
            setattr(
                module, name, torch.nn.Parameter(torch.empty(old.shape, dtype=old.dtype), old.requires_grad)
            )
    model.model.rotary_emb = Rotary(lpm_config)
    with torch.no_grad():
        for module in model.modules():
            init_learned(module, lpm_config)
    if lpm_config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    return model.eval()


def _layer_tensors(
    config: LPMConfig, tensors: Mapping[str, torch.Tensor], prefix: str
) -> dict[str, torch.Tensor]:
    def joined(*names: str) -> torch.Tensor:
        return torch.cat([tensors[prefix + name] for name in names]).float()

    layer = {
        "input_norm.weight": tensors[prefix + "input_layernorm.weight"],
        "post_norm.weight": tensors[prefix + "post_attention_layernorm.weight"],
        "attention.qkv.weight": joined(*(f"self_attn.{p}_proj.weight" for p in "qkv")),
        "attention.o.weight": tensors[prefix + "self_attn.o_proj.weight"],
        "mlp.gate_up.weight": joined("mlp.gate_proj.weight", "mlp.up_proj.weight"),
        "mlp.down.weight": tensors[prefix + "mlp.down_proj.weight"],
    }
    if config.qkv_bias:
        layer["attention.qkv.bias"] = joined(*(f"self_attn.{p}_proj.bias" for p in "qkv"))
    if config.qk_norm:
        layer["attention.q_norm.weight"] = tensors[prefix + "self_attn.q_norm.weight"]
        layer["attention.k_norm.weight"] = tensors[prefix + "self_attn.k_norm.weight"]
    return {prefix + name: tensor for name, tensor in layer.items()}


def _compression(
    config: LPMConfig, tensors: Mapping[str, torch.Tensor], prefix: str
) -> dict[str, torch.Tensor]:
    """W_down and W_up of a layer: together its key and value projections, or the best of rank r."""
    keys_values = [tensors[f"{prefix}self_attn.{p}_proj.weight"] for p in "kv"]
    pair = torch.cat(keys_values).float()  # (2 * kv_dim, D)
    if config.state_dim == 2 * config.kv_dim:
        down, up = pair, torch.eye(config.state_dim)
    else:
        # The best rank-r factorisation of the projection (Eckart and Young, 1936).
        # In the numbers of an adapter file, so that what is read from one gives the same projections.
        up = torch.linalg.svd(pair, full_matrices=False).U[:, : config.state_dim].bfloat16().float()
        down = up.T @ pair
    return {f"{prefix}memory.down.weight": down, f"{prefix}memory.up.weight": up}


def _is_learned(name: str) -> bool:
    return ".memory." in name or "lora_" in name or name.endswith("slot_embeddings")


def save_adapter(model: WithHead, path: str | Path, note: Mapping[str, str] | None = None) -> None:
    """Write what training changed as bfloat16 safetensors.

    Args:
        model: The model, not folded.
        path: Target file, replaced once the new one is whole.
        note: Facts to keep in the file's header (data version, seed, steps, ...).
    """
    learned = model.learned_names
    tensors = {
        k: v.detach().to("cpu", torch.bfloat16).contiguous()
        for k, v in model.named_parameters()
        if k in learned
    }
    memory = {name: getattr(model.config, name) for name in _MEMORY_FIELDS}
    header = {"base": model.config.base_name, "memory": json.dumps(memory)} | dict(note or {})
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    save_file(tensors, part, metadata=header)
    part.replace(target)


def read_adapter(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], dict[str, str]]:
    """Read an adapter: its tensors, the fields of ``LPMConfig`` it was trained with, its header.

    Raises:
        AdapterError: If the file is missing or damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        fields = json.loads(header["memory"]).items()
        memory = {name: _MEMORY_FIELDS[name](value) for name, value in fields}
    except (OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise AdapterError(f"cannot read the adapter {path}: {error}") from error
    return tensors, memory, header


def with_slots(tensors: Mapping[str, torch.Tensor], count: int) -> dict[str, torch.Tensor]:
    """An adapter for another number of slots: each slot's embedding goes to its neighbours.

    Nothing else of an adapter depends on the number of slots, and the embeddings are what slots start a
    latent step from.
    """
    old = tensors["model.slot_embeddings"]
    return dict(tensors) | {"model.slot_embeddings": old[torch.arange(count) * len(old) // count].clone()}


def load_adapter(model: WithHead, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put an adapter's tensors into a retrofitted, unfolded model.

    Raises:
        AdapterError: If names or shapes differ: the adapter was trained on another base.
    """
    parameters = dict(model.named_parameters())
    learned = model.learned_names
    if learned != set(tensors):
        odd = sorted(learned ^ set(tensors))
        raise AdapterError(f"the adapter does not fit this base: {len(odd)} names differ, e.g. {odd[0]}")
    for name, tensor in tensors.items():
        if parameters[name].shape != tensor.shape:
            raise AdapterError(
                f"the adapter does not fit this base: {name} is {tuple(tensor.shape)}, "
                f"expected {tuple(parameters[name].shape)}"
            )
    with torch.no_grad():
        for name, tensor in tensors.items():
            parameters[name].copy_(tensor)
        if model.narrow and not any(name.endswith("memory.down.weight") for name in tensors):
            for attention, block in model.model.carriers:
                # The base's keys and values along the directions that the adapter keeps.
                block.down.weight.copy_(block.up.weight.T @ attention.qkv.weight[-2 * model.config.kv_dim :])


def fingerprint(model: WithHead) -> str:
    """Digest (hex) of the base, the memory's shape and what was learned; before folding.

    Parameters count in bfloat16. Projections that were found from the base's do not: those of another machine
    differ in the last bits.
    """
    digest = hashlib.sha256(repr((model.config.base_name, model.config.state_shape)).encode())
    learned = model.learned_names
    for name, parameter in sorted(model.named_parameters()):
        if name in learned or not _is_learned(name):
            digest.update(name.encode())
            digest.update(
                parameter.detach().to("cpu", torch.bfloat16).contiguous().view(torch.uint8).numpy().data
            )
    return digest.hexdigest()
