"""Tiny decoders that speak: a few layers, and a real tokenizer of single bytes."""

import torch

from lpm_model.modeling import from_base
from tests.tiny import FAMILIES, MEMORY, SIZES, byte_tokenizer

TOKENIZER = byte_tokenizer()


def talking_base(family="llama", seed=0):
    config, model, extra = FAMILIES[family]
    torch.manual_seed(seed)
    base = model(config(**SIZES | {"vocab_size": len(TOKENIZER)}, **extra)).eval()
    for name, parameter in base.named_parameters():  # random weights of a size at which a word can be sure
        if parameter.dim() == 2:
            parameter.data *= 25 if "lm_head" in name or "embed" in name else 6
    return base


def talking_model(family="llama", seed=0, **overrides):
    """Retrofitted, untrained."""
    torch.manual_seed(seed)
    return from_base(talking_base(family, seed), **(MEMORY | overrides))


def save_base(folder, family="llama", seed=0):
    """A base on disk as a person would have it."""
    talking_base(family, seed).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder
