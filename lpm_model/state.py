"""The latent state as a value: fixed size, immutable, a file that is checked before it is used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.nn import functional as F

__all__ = ["FORMAT_VERSION", "LatentState", "StateFileError"]

FORMAT_VERSION = 2

_GROUP = 64  # numbers that share one scale


class StateFileError(ValueError):
    """A stored state is damaged, of another version, or belongs to another model."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentState:
    """What the model remembers, whatever it has read: numbers of fixed shape, one byte each.

    A number is its code times the scale of its group of 64, the largest of which has the code 127 or -127.

    Attributes:
        codes: Tensor (layers, slots, state_dim), int8, on the CPU. Never written in place.
        scales: Tensor (layers, slots, groups), float16.
        segments: How many segments have been written into it; 0 means that it is empty.
        fingerprint: Which model's memory this is (hex).
    """

    codes: torch.Tensor
    scales: torch.Tensor
    segments: int
    fingerprint: str

    @classmethod
    def of(cls, slots: torch.Tensor, segments: int, fingerprint: str) -> LatentState:
        """The state that holds ``slots`` (layers, slots, state_dim), rounded to one byte a number."""
        numbers = slots.detach().to("cpu", torch.float32)
        padded = F.pad(numbers, (0, -numbers.shape[-1] % _GROUP)).unflatten(-1, (-1, _GROUP))
        scales = (padded.abs().amax(-1) / 127).half()
        # A group too small for a scale in half precision is zero.
        codes = (padded / scales.float().clamp(min=1e-30)[..., None]).round().clamp(-127, 127)
        codes = codes.where(scales[..., None] > 0, 0.0).flatten(-2)[..., : numbers.shape[-1]]
        return cls(codes.to(torch.int8).contiguous(), scales, segments, fingerprint)

    @property
    def slots(self) -> torch.Tensor:
        """The numbers, float32 (layers, slots, state_dim)."""
        spread = self.scales.float().repeat_interleave(_GROUP, dim=-1)
        return self.codes.float() * spread[..., : self.codes.shape[-1]]

    @property
    def nbytes(self) -> int:
        """Size of the numbers in bytes, scales included."""
        return self.codes.numel() + 2 * self.scales.numel()

    def zeroed(self) -> LatentState:
        """The same state with every number zero: what is left when the memory is wiped."""
        return LatentState.of(torch.zeros(self.codes.shape), self.segments, self.fingerprint)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatentState):
            return NotImplemented
        return (
            self.segments == other.segments
            and self.fingerprint == other.fingerprint
            and torch.equal(self.codes, other.codes)
            and torch.equal(self.scales, other.scales)
        )

    def __hash__(self) -> int:
        return hash((self.segments, self.fingerprint, _digest(self.codes, self.scales)))

    def to_bytes(self) -> bytes:
        """Serialise as safetensors with version, fingerprint, segment count and checksum."""
        header = {
            "version": FORMAT_VERSION,
            "fingerprint": self.fingerprint,
            "segments": self.segments,
            "sha256": _digest(self.codes, self.scales),
        }
        tensors = {"codes": self.codes, "scales": self.scales}
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
        except (SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StateFileError(f"not a readable latent state: {error}") from error
        if version != FORMAT_VERSION:
            raise StateFileError(
                f"latent state has format version {version}, this program reads {FORMAT_VERSION}"
            )
        if set(tensors) != {"codes", "scales"}:
            raise StateFileError("not a readable latent state: it holds no codes and scales")
        codes, scales = tensors["codes"], tensors["scales"]
        if fingerprint is not None and owner != fingerprint:
            raise StateFileError(
                f"latent state was written by another model ({owner[:12]}, this one is {fingerprint[:12]})"
            )
        if shape is not None and tuple(codes.shape) != tuple(shape):
            raise StateFileError(f"latent state has shape {tuple(codes.shape)}, expected {tuple(shape)}")
        groups = (*codes.shape[:2], -(-codes.shape[-1] // _GROUP)) if codes.dim() == 3 else ()
        if (codes.dtype, scales.dtype) != (torch.int8, torch.float16) or tuple(scales.shape) != groups:
            raise StateFileError(
                f"latent state holds {codes.dtype} of {codes.dim()} dimensions, {scales.dtype} scales"
            )
        if _digest(codes, scales) != digest:
            raise StateFileError("latent state is damaged: its checksum does not match")
        if segments < 0 or not bool(torch.isfinite(scales).all()):
            raise StateFileError(
                "latent state holds numbers that are not finite, or a negative segment count"
            )
        return cls(codes, scales, segments, owner)

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


def _digest(*tensors: torch.Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
