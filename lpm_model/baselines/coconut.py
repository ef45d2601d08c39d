"""Chain of continuous thought (Hao and others, arXiv 2412.06769): a hidden state is the next input.

Cached and batched: a thought runs one position. ``uncached`` is the definition, in which every thought runs
all that stands before it again.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache

from lpm_model.baselines.arm import ASKED, Arm, Known
from lpm_model.baselines.data import ANSWER, Batch
from lpm_model.flops import Forward

__all__ = ["Coconut", "continued", "continuing"]


def continued(arm: Arm, known: Known, x: torch.Tensor, thoughts: int) -> torch.Tensor:
    """Run vectors (N, T, D) and all thoughts after them but the last, which is returned (N, 1, D)."""
    for _ in range(thoughts):
        x = arm.run(known, x)[:, -1:]
    return x


def continuing(facts: int, thoughts: int) -> list[Forward]:
    """The passes: the question, all thoughts but the last one by one, then the last with the mark."""
    asked = Forward(ASKED, past=facts)
    between = [Forward(1, past=facts + ASKED + number) for number in range(thoughts - 1)]
    return [asked, *between, Forward(2, past=facts + ASKED - 1 + thoughts, logits=2)]


class Coconut(Arm):
    """The last hidden state of the question and of each thought is fed back as the next position's input."""

    thinks = True

    def prompt(self, known: Known, asked: torch.Tensor, thoughts: int) -> torch.Tensor:
        """Run the question and all thoughts but the last."""
        return continued(self, known, super().prompt(known, asked, 0), thoughts)

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """See ``continuing``."""
        return continuing(facts, thoughts) if thoughts else super().calls(facts, 0, hops)

    @torch.no_grad()
    def uncached(self, batch: Batch, thoughts: int) -> torch.Tensor:
        """Logits (N, V) of the answer by the definition: the whole prefix again for every thought."""
        embed = self.backbone.embed_tokens
        facts = batch.facts.repeat_interleave(batch.questions, dim=0)
        facts_mask = batch.facts_mask.repeat_interleave(batch.questions, dim=0)
        x = embed(torch.cat((facts, batch.asked), dim=1))
        mask = torch.cat((facts_mask, torch.ones_like(batch.asked)), dim=1)
        one = torch.ones_like(mask[:, :1])
        for _ in range(thoughts):
            x = torch.cat((x, self.backbone.vectors(x, mask, DynamicCache())[:, -1:]), dim=1)
            mask = torch.cat((mask, one), dim=1)
        x = torch.cat((x, embed(torch.full_like(one, ANSWER))), dim=1)
        mask = torch.cat((mask, one), dim=1)
        return self.head(self.backbone.vectors(x, mask)[:, -1])
