"""Persistent memory with latent steps: the context becomes a state, which thinks before it is asked anything.

The block that compresses, writes and reads is the project's own (``lpm_model.memory``). Its latent step is
not: there the slots start from their positions alone, and what a layer is offered comes from the layers
below, so that steps beyond the number of layers work through the gates alone (``ShippedSteps`` measures it).
Here a step starts from what the first layer's slots hold, and every layer is rewritten from the top:

    start       x_k = e_k + W_lift S_k                  (S of the first block)
    rewrite     S' = round(f * S + i * W_down top_k)    (f, i as in lpm_model.memory, in every block)

so that n steps are as deep as n passes. All slots think at once, about whatever may be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from transformers import DynamicCache

from lpm_model.baselines.arm import ASKED, Arm, Known
from lpm_model.baselines.coconut import continued, continuing
from lpm_model.baselines.data import Batch
from lpm_model.baselines.decoder import Size, SmallBackbone, configuration, lift_parameters, wider
from lpm_model.configuration import LPMConfig
from lpm_model.decoder import Held
from lpm_model.flops import Forward, forward_flops
from lpm_model.layers import learned_linear
from lpm_model.memory import filled
from lpm_model.state import LatentState

__all__ = ["PersistentMemory", "ShippedSteps", "WindowThoughts", "ZeroedMemory"]


class ThinkingBackbone(SmallBackbone):
    """A decoder whose latent step feeds the top of the stack back to every layer's slots."""

    def __init__(self, config: LPMConfig) -> None:
        super().__init__(config, memory=True)
        self.lift = learned_linear(config.state_dim, config.hidden_size)
        # What is lifted starts as the token that the slot was made of, as large as an embedded one.
        self.lift.weight.data.copy_(self.blocks[0].down.weight.T * (2 / config.hidden_size) ** 0.5)

    def _step(
        self, latent_state: torch.Tensor, decompressed: Sequence[Held]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        held, count = filled(latent_state), self.config.num_slots
        x = self.slot_embeddings + self.lift(latent_state[:, 0])
        order = torch.arange(count, device=held.device)
        among = (order <= order[:, None]) & held[:, None]
        visible = torch.cat((held[:, None].expand(-1, count, -1), among), dim=-1)
        x, seen = self._layers(x, order.expand(len(held), -1), visible, decompressed, None)
        top = self.norm(x)
        new = [
            block.rewrite(top, after, latent_state[:, index])
            for index, (block, (_, after)) in enumerate(zip(self.blocks, seen, strict=True))
        ]
        return x[:, :0], torch.stack(new, dim=1)


class PersistentMemory(Arm):
    """Questions see the state and nothing else of the context.

    Attributes:
        zeroed: Whether the state is wiped before questions see it: what is then still known did not come
            from it.
    """

    memory = True
    thinks = True
    zeroed = False

    def build(self) -> SmallBackbone:
        """The decoder."""
        return ThinkingBackbone(self.config)

    def state(self, batch: Batch, thoughts: int) -> torch.Tensor:
        """The state (B, L, K, r) after the contexts were read and so many latent steps were made."""
        _, state = self.backbone(batch.facts, attention_mask=batch.facts_mask, write=True)
        for _ in range(thoughts):
            _, state = self.backbone(None, state)
        return state

    def know(self, batch: Batch, thoughts: int) -> Known:
        """Read the contexts into states and think; see ``Arm.know``."""
        return self.seen(self.state(batch, thoughts), batch.questions)

    def seen(self, state: torch.Tensor, questions: int) -> Known:
        """States (B, L, K, r) as they are read, a row a question."""
        if self.zeroed:
            state = torch.zeros_like(state)
        held = filled(state).repeat_interleave(questions, dim=0)
        slots = [
            (layer[0].repeat_interleave(questions, dim=0), layer[1].repeat_interleave(questions, dim=0))
            for layer in self.backbone.decompress(state)
        ]
        return Known(held.new_zeros(len(held), 0, dtype=torch.long), DynamicCache(), held, slots)

    def reading_flops(self, facts: int, thoughts: int) -> int:
        """Operations of reading, of the latent steps, and of making keys and values of the state."""
        config = self.config
        slots, state, width = config.num_slots, config.state_dim, config.hidden_size
        gates = (width + state) * config.gate_rank + 2 * config.gate_rank * state
        step = forward_flops(config, Forward(slots, reads=True))
        step += 2 * slots * (config.num_hidden_layers * (width * state + gates) + state * width)
        reading = forward_flops(config, Forward(facts, writes=True)) + self.turning_flops(facts)
        return reading + thoughts * step + self.opening_flops()

    def opening_flops(self) -> int:
        """Operations of making keys and values of a state."""
        config = self.config
        return 2 * config.num_hidden_layers * config.num_slots * config.state_dim * 2 * config.kv_dim

    def trying_flops(self, facts: int, done: int) -> int:
        """The state is made ready to be read, and the question asked, after every step."""
        return self.opening_flops() + self.question_flops(facts, done, 0)

    def kept_bytes(self, facts: int) -> int:
        """A state, whatever was read."""
        return LatentState.of(torch.zeros(self.config.state_shape), 1, "").nbytes

    def reading_passes(self, thoughts: int) -> int:
        """Reading, then every latent step."""
        return 1 + thoughts

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """The state is read, and no fact."""
        return [replace(call, past=0, reads=True, decompressed=True) for call in super().calls(0, 0, 0)]


class ZeroedMemory(PersistentMemory):
    """Trained with the state zeroed and the context in the window: all that the memory adds is gone.

    What is left is the curriculum, on a decoder of the same size.
    """

    def know(self, batch: Batch, thoughts: int) -> Known:
        """Read the contexts into the window, as arms without a memory do, beside a state of zeros."""
        known = self.seen(torch.zeros(len(batch.facts), *self.config.state_shape), batch.questions)
        window = Arm.know(self, batch, 0)
        return Known(window.mask, window.cache, known.held, known.slots)

    def reading_flops(self, facts: int, thoughts: int) -> int:
        """As without a memory, and the zeros are decompressed."""
        window = forward_flops(self.config, Forward(facts)) + self.turning_flops(facts)
        return window + self.opening_flops()

    def kept_bytes(self, facts: int) -> int:
        """The window."""
        return Arm.kept_bytes(self, facts)

    def reading_passes(self, thoughts: int) -> int:
        """There is nothing to think about."""
        return 1

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """The window is read beside the empty slots."""
        return [replace(call, past=facts) for call in super().calls(facts, thoughts, hops)]


class ShippedSteps(PersistentMemory):
    """The latent step as the planner's model has it."""

    @classmethod
    def shape(cls, size: Size) -> LPMConfig:
        """The decoder's shape at a size; there is no lift."""
        config = configuration(size)
        return wider(config, lift_parameters(config))

    def build(self) -> SmallBackbone:
        """The decoder."""
        return SmallBackbone(self.config, memory=True)

    def reading_flops(self, facts: int, thoughts: int) -> int:
        """As above, without the lift."""
        lift = 2 * self.config.num_slots * self.config.state_dim * self.config.hidden_size
        return super().reading_flops(facts, thoughts) - thoughts * lift


class WindowThoughts(ShippedSteps):
    """The state holds the context and stays as it is; what is asked, and thoughts about it, see it.

    A thought is CoCoNuT's, a hidden state that is the next position's input: the state stands where the keys
    and values of the context would.
    """

    def know(self, batch: Batch, thoughts: int) -> Known:
        """Read the contexts into states."""
        return super().know(batch, 0)

    def prompt(self, known: Known, asked: torch.Tensor, thoughts: int) -> torch.Tensor:
        """Run the question and all thoughts but the last."""
        return continued(self, known, super().prompt(known, asked, 0), thoughts)

    def reading_flops(self, facts: int, thoughts: int) -> int:
        """Nothing is thought before the question."""
        return super().reading_flops(facts, 0)

    def reading_passes(self, thoughts: int) -> int:
        """The context."""
        return 1

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """As CoCoNuT's; the state is read, and no fact."""
        if not thoughts:
            return super().calls(facts, 0, hops)
        return [replace(call, reads=True, decompressed=True) for call in continuing(0, thoughts)]

    def trying_flops(self, facts: int, done: int) -> int:
        """The mark alone is run, and taken back."""
        mark = Forward(1, past=ASKED + done, logits=1, reads=True, decompressed=True)
        return forward_flops(self.config, mark) + self.turning_flops(1)
