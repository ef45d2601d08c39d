"""The persistent-memory decoder: a transformer whose working memory is a fixed-size latent state.

``LPMForCausalLM`` is a transformers model, retrofitted to a Llama, SmolLM, Qwen2 or Qwen3 decoder by
``from_base``; ``LatentState`` is its memory as a value.
"""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from lpm_model.configuration import LPMConfig
from lpm_model.memory import PersistentMemoryBlock
from lpm_model.modeling import LPMForCausalLM, LPMModel
from lpm_model.retrofit import from_base
from lpm_model.state import LatentState, StateFileError

__all__ = [
    "LPMConfig",
    "LPMForCausalLM",
    "LPMModel",
    "LatentState",
    "PersistentMemoryBlock",
    "StateFileError",
    "from_base",
]

AutoConfig.register(LPMConfig.model_type, LPMConfig)
AutoModel.register(LPMConfig, LPMModel)
AutoModelForCausalLM.register(LPMConfig, LPMForCausalLM)
