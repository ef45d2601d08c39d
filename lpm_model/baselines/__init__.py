"""Ways of thinking before an answer, on one small decoder that is trained from nothing.

All arms read the same pairs of symbols, are trained by the same curriculum and hold as many parameters; see
``lpm_model.baselines.arm`` for what they share. ``ARMS`` names them, and ``CALLING`` one that
calls a calculator.
"""

from __future__ import annotations

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.calculator import Calculator
from lpm_model.baselines.chain_of_thought import ChainOfThought
from lpm_model.baselines.coconut import Coconut
from lpm_model.baselines.decoder import Size
from lpm_model.baselines.icot import ICoT
from lpm_model.baselines.memory import PersistentMemory, ShippedSteps, WindowThoughts, ZeroedMemory
from lpm_model.baselines.no_thought import NoThought
from lpm_model.baselines.pause import PauseTokens

__all__ = ["ARMS", "CALLING", "Arm", "Size"]

ARMS: dict[str, type[Arm]] = {
    "no thought": NoThought,
    "chain of thought": ChainOfThought,
    "icot": ICoT,
    "pause tokens": PauseTokens,
    "coconut": Coconut,
    "memory": PersistentMemory,
    "memory, state zeroed": ZeroedMemory,
    "memory, steps as shipped": ShippedSteps,
    "memory, thoughts in the window": WindowThoughts,
}

CALLING: dict[str, type[Arm]] = {"memory, calculator": Calculator}
