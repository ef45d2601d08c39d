"""The persistent-memory decoder: a transformer whose working memory is a fixed-size latent state.

``LPMForCausalLM`` is a transformers model, retrofitted to a Llama, SmolLM, Qwen2 or Qwen3 decoder by
``from_base``; it and the Auto classes know each other once it is imported. ``CausalDecoder`` is the same
decoder in plain torch, which is imported much faster; ``LatentState`` is its memory as a value.
"""

from typing import TYPE_CHECKING, Any

from lpm_model.configuration import LPMConfig
from lpm_model.decoder import CausalDecoder
from lpm_model.memory import PersistentMemoryBlock
from lpm_model.state import LatentState, StateFileError

if TYPE_CHECKING:
    from lpm_model.modeling import LPMForCausalLM, LPMModel, from_base

__all__ = [
    "CausalDecoder",
    "LPMConfig",
    "LPMForCausalLM",
    "LPMModel",
    "LatentState",
    "PersistentMemoryBlock",
    "StateFileError",
    "from_base",
]


def __getattr__(name: str) -> Any:
    if name in ("LPMForCausalLM", "LPMModel", "from_base"):
        from lpm_model import modeling  # transformers' model classes take seconds to import

        return getattr(modeling, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
