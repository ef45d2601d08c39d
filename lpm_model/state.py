"""The latent state as a value: fixed size, immutable, a file that is checked before it is used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

__all__ = ["FORMAT_VERSION", "LatentState", "StateFileError"]

FORMAT_VERSION = 1


class StateFileError(ValueError):
    """A stored state is damaged, of another version, or belongs to another model."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentState:
    """What the model remembers, whatever it has read: one bfloat16 tensor of fixed shape.

    Attributes:
        slots: Tensor (layers, slots, state_dim), bfloat16, on the CPU. Never written in place.
        segments: How many segments have been written into it; 0 means that it is empty.
        fingerprint: Which model's memory this is (hex).
    """

    slots: torch.Tensor
    segments: int
    fingerprint: str

    def __post_init__(self) -> None:
        # A private copy, so that no caller can change the value through a tensor it still holds.
        object.__setattr__(
            self, "slots", self.slots.detach().to("cpu", torch.bfloat16, copy=True).contiguous()
        )

    @property
    def nbytes(self) -> int:
        """Size of the slots in bytes."""
        return self.slots.numel() * self.slots.element_size()

    def zeroed(self) -> LatentState:
        """The same state with every number zero: what is left when the memory is wiped."""
        return LatentState(torch.zeros_like(self.slots), self.segments, self.fingerprint)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatentState):
            return NotImplemented
        return (
            self.segments == other.segments
            and self.fingerprint == other.fingerprint
            and torch.equal(self.slots, other.slots)
        )

    def __hash__(self) -> int:
        return hash((self.segments, self.fingerprint, _digest(self.slots)))

    def to_bytes(self) -> bytes:
        """Serialise as safetensors with version, fingerprint, segment count and checksum."""
        header = {
            "version": FORMAT_VERSION,
            "fingerprint": self.fingerprint,
            "segments": self.segments,
            "sha256": _digest(self.slots),
        }
        return save({"slots": self.slots}, metadata={"lpm_state": json.dumps(header)})

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
            slots = tensors["slots"]
            version, owner = header["version"], header["fingerprint"]
            segments, digest = int(header["segments"]), header["sha256"]
        except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateFileError(f"not a readable latent state: {error}") from error
        if version != FORMAT_VERSION:
            raise StateFileError(
                f"latent state has format version {version}, this program reads {FORMAT_VERSION}"
            )
        if fingerprint is not None and owner != fingerprint:
            raise StateFileError(
                f"latent state was written by another model ({owner[:12]}, this one is {fingerprint[:12]})"
            )
        if shape is not None and tuple(slots.shape) != tuple(shape):
            raise StateFileError(f"latent state has shape {tuple(slots.shape)}, expected {tuple(shape)}")
        if slots.dtype != torch.bfloat16 or slots.dim() != 3:
            raise StateFileError(f"latent state holds {slots.dtype} of {slots.dim()} dimensions")
        if _digest(slots) != digest:
            raise StateFileError("latent state is damaged: its checksum does not match")
        if segments < 0 or not bool(torch.isfinite(slots).all()):
            raise StateFileError(
                "latent state holds numbers that are not finite, or a negative segment count"
            )
        return cls(slots, segments, owner)

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


def _digest(slots: torch.Tensor) -> str:
    return hashlib.sha256(slots.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
