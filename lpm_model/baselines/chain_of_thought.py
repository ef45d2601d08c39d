"""Chain of thought (Wei and others, arXiv 2201.11903): every step is written out before the answer."""

from __future__ import annotations

import torch

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.data import ANSWER, Batch

__all__ = ["ChainOfThought"]

MOST_WORDS = 12


class ChainOfThought(Arm):
    """Nothing is removed in any stage."""

    removes = False

    @torch.no_grad()
    def answer(self, batch: Batch, thoughts: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Write until the mark before the answer, and the answer after it; see ``Arm.answer``."""
        known = self.know(batch, 0)
        x = self.prompt(known, batch.asked, 0)
        answers = torch.full_like(batch.answer, -1)
        counts, marked = torch.zeros_like(answers), torch.zeros_like(answers, dtype=torch.bool)
        for _ in range(MOST_WORDS):
            word = self.head(self.run(known, x)[:, -1]).argmax(-1)
            open_ = answers < 0
            counts += open_
            answers = torch.where(marked & open_, word, answers)
            marked |= word == ANSWER
            if (answers >= 0).all():
                break
            x = self.backbone.embed_tokens(word[:, None])
        return answers, counts
