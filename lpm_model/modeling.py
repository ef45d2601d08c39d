"""The persistent-memory decoder as transformers models: ``from_pretrained``, ``generate``, the Auto classes.

The parts are those of ``lpm_model.decoder``, under the same names, so weights of one fit the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    Cache,
    DynamicCache,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

from lpm_model.configuration import LPMConfig
from lpm_model.decoder import Backbone, Held, WithHead, init_learned
from lpm_model.layers import LowRankLinear, Rotary

__all__ = ["LPMForCausalLM", "LPMModel", "LPMOutput"]


@dataclass
class LPMOutput(CausalLMOutputWithPast):
    """Logits as of any causal model, and the state after this segment.

    Attributes:
        latent_state: (B, L, K, r) if the call wrote one, else the state it was given (or None).
    """

    latent_state: torch.Tensor | None = None


class LPMPreTrainedModel(PreTrainedModel):
    """Weight initialisation, loading and saving, as of any transformers model."""

    config_class = LPMConfig
    base_model_prefix = "model"
    _no_split_modules = ["LPMDecoderLayer"]  # noqa: RUF012 (transformers reads this class attribute)

    if TYPE_CHECKING:  # transformers is read as Any

        def __init__(self, config: LPMConfig) -> None: ...
        def post_init(self) -> None: ...

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LowRankLinear):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Rotary):
            module.reset()  # transformers forgets what no file holds
        init_learned(module, self.config)


class LPMModel(Backbone, LPMPreTrainedModel):
    """The decoder without its language model head."""

    def __init__(self, config: LPMConfig) -> None:
        LPMPreTrainedModel.__init__(self, config)
        self.build(config)
        self.post_init()


class LPMForCausalLM(WithHead, LPMPreTrainedModel, GenerationMixin):
    """The decoder with its language model head; retrofit a base with ``from_base``."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: LPMConfig) -> None:
        LPMPreTrainedModel.__init__(self, config)
        self.model = LPMModel(config)
        self.build_head(config)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        latent_state: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        write: bool = False,
        drafts: list[torch.Tensor] | None = None,
        decompressed: Sequence[Held] | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **_: Any,
    ) -> LPMOutput:
        """Logits of the tokens; shapes as in ``Backbone.forward``.

        Args:
            labels: (B, T), shifted inside; -100 is ignored.
            use_cache: Whether to keep keys and values of the window for the next call.
            logits_to_keep: Only the last so many positions get logits (0: all of them).
        """
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        logits, latent_state = self.run(
            input_ids,
            logits_to_keep,
            latent_state=latent_state,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            write=write,
            drafts=drafts,
            decompressed=decompressed,
        )
        loss = None
        if labels is not None:
            loss = F.cross_entropy(
                logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100
            )
        return LPMOutput(loss=loss, logits=logits, past_key_values=past_key_values, latent_state=latent_state)

    @classmethod
    def from_base(cls, base: PreTrainedModel, **overrides: Any) -> LPMForCausalLM:
        """Retrofit a loaded base; see ``lpm_model.retrofit.retrofit``."""
        from lpm_model.retrofit import retrofit

        return retrofit(cls, base.config, base.state_dict(), **overrides)


def from_base(base: PreTrainedModel, **overrides: Any) -> LPMForCausalLM:
    """Retrofit a loaded Llama, SmolLM, Qwen2 or Qwen3 causal model; see ``lpm_model.retrofit.retrofit``."""
    return LPMForCausalLM.from_base(base, **overrides)


AutoConfig.register(LPMConfig.model_type, LPMConfig)
AutoModel.register(LPMConfig, LPMModel)
AutoModelForCausalLM.register(LPMConfig, LPMForCausalLM)
