"""Fewer numbers a slot, so that a state of the same size has more slots: along which directions, and how.

What a layer's tokens bring to the state varies along few directions: of the 384 numbers of a key and value
of SmolLM2-135M, 192 directions carry 99 percent. They are measured on conversations, and turned at random
among themselves, so that all numbers of a slot are alike and rounding to four bits hurts none more than
another (as in QuaRot, arXiv 2404.00456). An adapter is then rewritten along them: nothing starts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from lpm_model.decoder import WithHead
from lpm_model.objective import Reading

__all__ = ["directions", "narrowed"]


@torch.no_grad()
def directions(model: WithHead, readings: Iterable[Reading], state_dim: int) -> list[torch.Tensor]:
    """The directions (2 * kv_dim, state_dim), with columns of length one, that keep most of what is brought.

    Args:
        model: A retrofitted model whose slots hold a whole key and value.
        readings: Conversations, whose segments are read.
        state_dim: r, how many directions to keep.

    Returns:
        For each memory block its directions, in bfloat16 as an adapter holds them.

    Raises:
        ValueError: If the slots are narrow already, or ``state_dim`` is not below their width.
    """
    layers, _, width = model.config.state_shape
    if model.narrow or not 0 < state_dim < width:
        raise ValueError(f"cannot narrow slots of {width} numbers to {state_dim}")
    second = torch.zeros(layers, width, width, dtype=torch.float64)
    for reading in readings:
        state: torch.Tensor | None = None
        for rows, kept in zip(reading.segments, reading.kept, strict=True):
            drafts: list[torch.Tensor] = []
            _, read = model.model(rows.ids, state, attention_mask=rows.mask, write=True, drafts=drafts)
            brought = drafts[0] * rows.mask[:, None, :, None]
            second += torch.einsum("blti,bltj->lij", brought, brought)
            state = read if kept else state
    turn = torch.linalg.qr(torch.randn(state_dim, state_dim, generator=torch.Generator().manual_seed(0))).Q
    main = torch.linalg.eigh(second).eigenvectors[..., -state_dim:].float()
    return list((main @ turn).bfloat16())


def narrowed(tensors: Mapping[str, torch.Tensor], chosen: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """An adapter of slots that hold a whole key and value, rewritten along directions.

    Exact but for the gates, which weigh each number of a slot: those of a direction are what the gates of a
    key and value do to it on average. A slot enters them scaled to a mean square of one, over r numbers in
    place of 2 * kv_dim: it is shorter by the root of r / (2 * kv_dim), and their weights make up for it.

    Args:
        tensors: The adapter.
        chosen: What ``directions`` gave, for each memory block from the first layer to the last.
    """
    found = {name: tensor.float() for name, tensor in tensors.items()}
    prefixes = sorted(
        (name.removesuffix("down.lora_b") for name in tensors if name.endswith("memory.down.lora_b")),
        key=lambda prefix: int(prefix.split(".")[2]),
    )
    for prefix, directed in zip(prefixes, chosen, strict=True):
        kept = directed.float()
        width = len(kept)
        found[prefix + "up.weight"] = kept
        found[prefix + "down.lora_b"] = kept.T @ found[prefix + "down.lora_b"]
        found[prefix + "up.lora_a"] = found[prefix + "up.lora_a"] @ kept
        entering = found[prefix + "gate_in.weight"]
        found[prefix + "gate_in.weight"] = torch.cat(
            (entering[:, :-width], entering[:, -width:] @ kept * (width / kept.shape[1]) ** 0.5), dim=1
        )
        share = kept.square().T  # (r, 2 * kv_dim): how much of a direction each number is
        for name in ("weight", "bias"):
            gates = found[f"{prefix}gate_out.{name}"].unflatten(0, (2, width))
            found[f"{prefix}gate_out.{name}"] = torch.einsum("rp,gp...->gr...", share, gates).flatten(0, 1)
    return {
        name: found[name].to(tensors[name].dtype if name in tensors else torch.bfloat16) for name in found
    }
