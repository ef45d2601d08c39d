"""Small real decoders for tests: the families' own classes, a few layers, random weights."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from lpm_model.modeling import from_base

SIZES: dict[str, Any] = dict(
    vocab_size=211,
    hidden_size=48,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    max_position_embeddings=512,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=2,
)
FAMILIES: dict[str, Any] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"head_dim": 8}),
    "llama3-rope": (
        LlamaConfig,
        LlamaForCausalLM,
        {
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
}
MEMORY: dict[str, Any] = dict(num_slots=4, gate_rank=3, merge_rank=3, adapter_rank=4, segment_length=16)


def tiny_base(family="llama", seed=0):
    config, model, extra = FAMILIES[family]
    torch.manual_seed(seed)
    base = model(config(**SIZES, **extra)).eval()
    for name, parameter in base.named_parameters():  # biases and norms start at 0 and 1: make them matter
        if name.endswith("bias") or "norm" in name:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return base


def tiny_model(family="llama", seed=0, trained=True, **overrides):
    """A retrofitted tiny model; ``trained`` moves every learned parameter off its start."""
    model = from_base(tiny_base(family, seed), **(MEMORY | overrides))
    if trained:
        generator = torch.Generator().manual_seed(seed + 1)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def byte_tokenizer():
    """A real fast tokenizer of single bytes with the base's marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {c: i + 3 for i, c in enumerate(alphabet)} | {"<unk>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    inner = Tokenizer(models.BPE(vocab, [], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    return tokenizer
