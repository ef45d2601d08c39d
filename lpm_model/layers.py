"""Layers the decoder is built of: normalisation, rotary positions, low-rank linear maps, MLP."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from lpm_model.configuration import LPMConfig

__all__ = ["MLP", "LowRankLinear", "RMSNorm", "Rotary", "learned_linear", "rotate"]

_PACKED_FROM = 1 << 16  # numbers
_PACKING_ENGINES = ("x86", "fbgemm")

# Transformers' own table of activations takes seconds to import.
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": functools.partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


class RMSNorm(nn.Module):
    """Root mean square normalisation (Zhang and Sennrich, arXiv 1910.07467), in float32."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim), requires_grad=False)
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension of ``x``."""
        normed = F.rms_norm(x.float(), (x.shape[-1],), eps=self.eps)
        return self.weight * normed.to(x.dtype)


class LowRankLinear(nn.Module):
    """A frozen linear map W plus a learned low-rank update B A (LoRA, arXiv 2106.09685).

    B starts at zero, so the map starts as W. No numbers are set here, unlike in torch's own linear map: where
    there is no storage yet, setting them imports seconds of code.

    Attributes:
        updated: Whether the update counts; without it the map is W.
        packed: After ``pack``, W and the bias as the processor reads them; ``weight`` is then empty.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out_features), requires_grad=False) if bias else None
        self.lora_a: nn.Parameter | None = nn.Parameter(torch.empty(rank, in_features)) if rank else None
        self.lora_b: nn.Parameter | None = nn.Parameter(torch.empty(out_features, rank)) if rank else None
        self.updated = True
        self.packed: torch.ScriptObject | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if self.packed is not None:
            return cast("torch.Tensor", torch.ops.quantized.linear_dynamic_fp16(x, self.packed))
        y = F.linear(x, self.weight, self.bias)
        if self.updated and self.lora_a is not None and self.lora_b is not None:
            y = y + F.linear(F.linear(x, self.lora_a), self.lora_b)
        return y

    @torch.no_grad()
    def fold(self) -> None:
        """Add the update to W for good: inference then costs what the base costs."""
        if self.lora_a is not None and self.lora_b is not None:
            self.weight.add_((self.lora_b.float() @ self.lora_a.float()).to(self.weight.dtype))
            self.lora_a = self.lora_b = None

    @torch.no_grad()
    def pack(self) -> None:
        """Hold W in half precision for good; what is computed with it stays in single precision.

        Where one token meets a matrix, reading the matrix is what takes time: half of the bytes, half of the
        time. A small map stays as it is, and so does every map where torch has no such kernel (x86 has).
        """
        if self.weight.numel() >= _PACKED_FROM and torch.backends.quantized.engine in _PACKING_ENGINES:
            self.packed = torch.ops.quantized.linear_prepack_fp16(self.weight.float(), self.bias)
            self.weight = nn.Parameter(self.weight.new_empty(0), requires_grad=False)


def learned_linear(in_features: int, out_features: int, bias: bool = False) -> LowRankLinear:
    """A linear map that is learned whole; its numbers are not set."""
    linear = LowRankLinear(in_features, out_features, 0, bias)
    return linear.requires_grad_()


class MLP(nn.Module):
    """The gated MLP of Llama (SwiGLU), with gate and up projections in one matrix."""

    def __init__(self, dim: int, hidden: int, activation: str, rank: int) -> None:
        super().__init__()
        self.gate_up = LowRankLinear(dim, 2 * hidden, rank)
        self.down = LowRankLinear(hidden, dim, rank)
        self.act = _ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., dim) to (..., dim)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(self.act(gate) * up)


class Rotary(nn.Module):
    """Cosine and sine of rotary positions (arXiv 2104.09864) as the base has them, scaled ones too."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__()
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Compute the frequencies, on the CPU even where the other parts have no storage yet."""
        rope = self.config.rope_parameters or {}
        with torch.device("cpu"):
            if rope["rope_type"] == "default":
                steps = torch.arange(0, self.config.head_dim, 2) / self.config.head_dim
                frequencies, self.scale = rope["rope_theta"] ** -steps, 1.0
            else:
                frequencies, self.scale = ROPE_INIT_FUNCTIONS[rope["rope_type"]](self.config)
        self.frequencies = nn.Buffer(frequencies, persistent=False)

    @torch.no_grad()
    def forward(self, like: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine, each (B, T, head_dim), of positions (B, T), in the type of ``like``."""
        angles = positions[..., None].float() * self.frequencies.float()
        both = torch.cat((angles, angles), dim=-1)
        return (both.cos() * self.scale).to(like.dtype), (both.sin() * self.scale).to(like.dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Apply rotary positions (arXiv 2104.09864) to ``x`` (batch, heads, length, head_dim).

    ``cos`` and ``sin`` are (batch, length, head_dim).
    """
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos[:, None] + turned * sin[:, None]
