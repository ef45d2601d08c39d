"""Thinking no longer than needed: a question is answered as soon as the model is sure enough.

After every thought the question is answered, and the largest probability of a symbol is compared with a
threshold. Asking after each thought is paid for: the operations are those of all that ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.data import ANSWER, Problems

__all__ = ["Halting", "halting"]


@dataclass(frozen=True, slots=True)
class Halting:
    """What a threshold leads to.

    Attributes:
        threshold: Probability from which an answer is given.
        share: Of right answers.
        thoughts: Mean number of thoughts.
        operations: Mean operations of a question, with its context read for it alone.
    """

    threshold: float
    share: float
    thoughts: float
    operations: float


@torch.no_grad()
def halting(arm: Arm, data: Problems, most: int, thresholds: Sequence[float], seed: int = 0) -> list[Halting]:
    """Let an arm that thinks halt by itself.

    Args:
        arm: Trained to answer after any number of thoughts, or it is sure too late.
        data: Problems with one question each.
        most: Thoughts after which an answer is given in any case.
        thresholds: To compare; above 1 it never halts early, nor tries to answer before the last thought.
        seed: Of the symbols.
    """
    batch = data.batch(torch.arange(len(data)), torch.Generator().manual_seed(seed))
    mark = torch.full((len(batch.answer), 1), ANSWER)
    sure, right = [], []
    for thoughts in range(most + 1):
        chances = arm.logits(batch, thoughts, mark)[:, -1].softmax(-1)
        best, answers = chances.max(-1)
        sure.append(best)
        right.append(answers == batch.answer)
    counts = batch.facts_mask.sum(-1).tolist()
    found = []
    for threshold in thresholds:
        enough = torch.stack(sure).ge(threshold)
        enough[-1] = True
        stopped = enough.int().argmax(0)
        hits = torch.stack(right).gather(0, stopped[None])[0]
        tries = threshold <= 1
        spent = [_spent(arm, facts, int(stop), tries) for facts, stop in zip(counts, stopped, strict=True)]
        found.append(
            Halting(
                threshold,
                float(hits.float().mean()),
                float(stopped.float().mean()),
                sum(spent) / len(spent),
            )
        )
    return found


def _spent(arm: Arm, facts: int, thoughts: int, tries: bool) -> int:
    """Operations until an answer after so many thoughts, with the earlier tries if there were any."""
    total = arm.reading_flops(facts, thoughts) + arm.question_flops(facts, thoughts, 0)
    if not tries:
        return total
    return total + sum(arm.trying_flops(facts, done) for done in range(thoughts))
