"""The latent state as a value: fixed size, immutable, a file that is checked before it is used.

Its numbers are rounded to four bits: 64 neighbouring numbers of a slot share one scale, and each is a
whole number from -7 to 7 times it. The memory block rounds what it writes in the same way, so that a
state kept in a file is the state that the model computed, to the last bit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.nn import functional as F

__all__ = ["FORMAT_VERSION", "LatentState", "StateFileError", "rounded"]

FORMAT_VERSION = 3

_GROUP = 64  # numbers that share one scale
_LARGEST = 7  # code of the largest number of a group


class StateFileError(ValueError):
    """A stored state is damaged, of another version, or belongs to another model."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentState:
    """What the model remembers, whatever it has read: numbers of fixed shape, four bits each.

    Attributes:
        packed: Tensor (layers, slots, groups, 32), uint8, on the CPU: two codes a byte, each shifted by
            8 so that none is negative, the first in the low half. Never written in place.
        scales: Tensor (layers, slots, groups), float16.
        state_dim: Numbers of a slot; what the last group has beyond them is zero.
        segments: How many segments have been written into it; 0 means that it is empty.
        fingerprint: Which model's memory this is (hex).
    """

    packed: torch.Tensor
    scales: torch.Tensor
    state_dim: int
    segments: int
    fingerprint: str

    @classmethod
    def of(cls, slots: torch.Tensor, segments: int, fingerprint: str) -> LatentState:
        """The state that holds ``slots`` (layers, slots, state_dim), rounded."""
        codes, scales = _codes(slots.detach().to("cpu", torch.float32))
        low, high = (codes.to(torch.int16) + 8).to(torch.uint8).unflatten(-1, (-1, 2)).unbind(-1)
        return cls(low | high << 4, scales, slots.shape[-1], segments, fingerprint)

    @property
    def slots(self) -> torch.Tensor:
        """The numbers, float32 (layers, slots, state_dim)."""
        codes = torch.stack((self.packed & 15, self.packed >> 4), dim=-1).flatten(-2).float() - 8
        return (codes * self.scales.float()[..., None]).flatten(-2)[..., : self.state_dim]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, slots, state_dim."""
        return self.packed.shape[0], self.packed.shape[1], self.state_dim

    @property
    def nbytes(self) -> int:
        """Size of the numbers in bytes, scales included."""
        return self.packed.numel() + 2 * self.scales.numel()

    def zeroed(self) -> LatentState:
        """The same state with every number zero: what is left when the memory is wiped."""
        return LatentState.of(torch.zeros(self.shape), self.segments, self.fingerprint)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatentState):
            return NotImplemented
        return (
            self.segments == other.segments
            and self.fingerprint == other.fingerprint
            and self.state_dim == other.state_dim
            and torch.equal(self.packed, other.packed)
            and torch.equal(self.scales, other.scales)
        )

    def __hash__(self) -> int:
        return hash(self._digest())

    def _digest(self) -> str:
        """Checksum of all attributes."""
        digest = hashlib.sha256(json.dumps([self.fingerprint, self.segments, self.state_dim]).encode())
        for tensor in (self.packed, self.scales):
            digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """Serialise as safetensors with version, fingerprint, segment count and checksum."""
        header = {
            "version": FORMAT_VERSION,
            "fingerprint": self.fingerprint,
            "segments": self.segments,
            "state_dim": self.state_dim,
            "sha256": self._digest(),
        }
        tensors = {"packed": self.packed, "scales": self.scales}
        return save(tensors, metadata={"lpm_state": json.dumps(header)})

    @classmethod
    def from_bytes(
        cls, data: bytes, *, fingerprint: str | None = None, shape: tuple[int, ...] | None = None
    ) -> LatentState:
        """Read a state back.

        Args:
            data: What ``to_bytes`` returned.
            fingerprint: The model that is to use it; None skips that check.
            shape: The shape (layers, slots, state_dim) that is expected; None skips that check.

        Raises:
            StateFileError: If the bytes are damaged, of another version, or do not fit the model.
        """
        try:
            tensors = load(data)
            header_length = int.from_bytes(data[:8], "little")
            metadata = json.loads(data[8 : 8 + header_length])["__metadata__"]["lpm_state"]
            header = json.loads(metadata)
            version, owner = header["version"], header["fingerprint"]
            segments, digest = int(header["segments"]), header["sha256"]
            width = int(header["state_dim"])
        except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateFileError(f"not a readable latent state: {error}") from error
        if not isinstance(owner, str):
            raise StateFileError("not a readable latent state: its fingerprint is no text")
        if version != FORMAT_VERSION:
            raise StateFileError(
                f"latent state has format version {version}, this program reads {FORMAT_VERSION}"
            )
        if fingerprint is not None and owner != fingerprint:
            raise StateFileError(
                f"latent state was written by another model ({owner[:12]}, this one is {fingerprint[:12]})"
            )
        if set(tensors) != {"packed", "scales"}:
            raise StateFileError("not a readable latent state: it holds no packed numbers and scales")
        packed, scales = tensors["packed"], tensors["scales"]
        groups = -(-width // _GROUP)
        if (
            (packed.dtype, scales.dtype) != (torch.uint8, torch.float16)
            or packed.shape[2:] != (groups, _GROUP // 2)
            or packed.shape[:-1] != scales.shape
        ):
            raise StateFileError(
                f"latent state holds {packed.dtype} {tuple(packed.shape)} for {width} numbers of a slot"
            )
        state = cls(packed, scales, width, segments, owner)
        if shape is not None and state.shape != tuple(shape):
            raise StateFileError(f"latent state has shape {state.shape}, expected {tuple(shape)}")
        if state._digest() != digest:
            raise StateFileError("latent state is damaged: its checksum does not match")
        if segments < 0 or not bool(torch.isfinite(scales).all()):
            raise StateFileError(
                "latent state holds numbers that are not finite, or a negative segment count"
            )
        return state

    def save(self, path: str | Path) -> None:
        """Write the state to ``path``, replacing what is there only once the new file is whole."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        part.write_bytes(self.to_bytes())
        part.replace(target)

    @classmethod
    def load(
        cls, path: str | Path, *, fingerprint: str | None = None, shape: tuple[int, ...] | None = None
    ) -> LatentState:
        """Read a state file; see ``from_bytes``.

        Raises:
            StateFileError: As ``from_bytes``, or if the file cannot be read.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise StateFileError(f"cannot read the latent state: {error}") from error
        return cls.from_bytes(data, fingerprint=fingerprint, shape=shape)


def rounded(slots: torch.Tensor) -> torch.Tensor:
    """``slots`` (..., state_dim) as a ``LatentState`` holds them; gradients pass through unchanged."""
    with torch.no_grad():
        codes, scales = _codes(slots.float())
        exact = (codes * scales.float()[..., None]).flatten(-2)[..., : slots.shape[-1]].to(slots.dtype)
    return slots + (exact - slots).detach() if slots.requires_grad else exact


def _codes(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes (..., groups, 64) from -7 to 7, and scales (..., groups) in half precision."""
    groups = F.pad(numbers, (0, -numbers.shape[-1] % _GROUP)).unflatten(-1, (-1, _GROUP))
    scales = (groups.abs().amax(-1) / _LARGEST).half()
    codes = (groups / scales.float()[..., None]).round().clamp(-_LARGEST, _LARGEST)
    # A group whose scale half precision cannot tell from zero is zero.
    return codes.where(scales[..., None] > 0, 0.0), scales
