"""Ways to write and read the state: the one that ships, and those that it is compared with.

All keep a state (K, r) a layer and are read by what comes after the segment, so they are trained and measured
by the same code; ``LPMConfig.mechanism`` names one.
"""

from __future__ import annotations

from lpm_model.configuration import LPMConfig
from lpm_model.mechanisms.delta_rule import DeltaRuleBlock
from lpm_model.mechanisms.gated_slots import GatedSlotsBlock
from lpm_model.mechanisms.per_token import PerTokenBlock
from lpm_model.mechanisms.ungated import UngatedBlock
from lpm_model.memory import MemoryBlock, PersistentMemoryBlock

__all__ = ["memory_block"]

_BLOCKS: dict[str, type[MemoryBlock]] = {
    "slots": PersistentMemoryBlock,
    "ungated": UngatedBlock,
    "per_token": PerTokenBlock,
    "gated_slots": GatedSlotsBlock,
    "delta_rule": DeltaRuleBlock,
}


def memory_block(config: LPMConfig) -> MemoryBlock:
    """A block of the mechanism that ``config`` names."""
    return _BLOCKS[config.mechanism](config)
