"""Chain of thought (Wei and others, arXiv 2201.11903): every step is written out before the answer."""

from __future__ import annotations

import torch

from lpm_model.baselines.arm import ASKED, Arm
from lpm_model.baselines.data import ANSWER, Batch
from lpm_model.flops import Forward

__all__ = ["ChainOfThought"]

MOST_WORDS = 12  # a chain that gets longer counts as wrong


class ChainOfThought(Arm):
    """Nothing is removed in any stage."""

    removes = False

    def embedded(self, thoughts: int, hops: int) -> int:
        """With the chain."""
        return super().embedded(thoughts, hops) + hops

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """The question, then every word but the answer."""
        asked = Forward(ASKED, past=facts, logits=1)
        return [asked, *(Forward(1, past=facts + ASKED + word, logits=1) for word in range(hops + 1))]

    @torch.no_grad()
    def answer(self, batch: Batch, thoughts: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Write until the mark before the answer, and the answer after it; see ``Arm.answer``."""
        known = self.know(batch, 0)
        answers = torch.full_like(batch.answer, -1)
        counts, marked = torch.zeros_like(answers), torch.zeros_like(answers, dtype=torch.bool)
        for word in self.write(known, self.prompt(known, batch.asked, 0), MOST_WORDS):
            unanswered = answers < 0
            counts += unanswered
            answers = torch.where(marked & unanswered, word, answers)
            marked |= word == ANSWER
            if (answers >= 0).all():
                break
        return answers, counts

    @torch.no_grad()
    def draw(self, batch: Batch, thoughts: int, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw chains and the answers after them; a chain without an end is drawn in vain."""
        known = self.know(batch, 0)
        answered = marked = torch.zeros_like(batch.answer, dtype=torch.bool)
        words: list[torch.Tensor] = []
        drawn: list[torch.Tensor] = []
        for word in self.write(known, self.prompt(known, batch.asked, 0), MOST_WORDS, chance):
            words.append(word)
            drawn.append(~answered)
            answered = answered | marked
            marked = marked | (word == ANSWER)
            if answered.all():
                break
        return torch.stack(words, dim=1), torch.stack(drawn, dim=1)
