"""A tool called from the state: what is to be calculated is written, and a calculator gives the result."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional as F

from lpm_model.baselines.arm import ASKED
from lpm_model.baselines.calculations import calculated
from lpm_model.baselines.data import ANSWER, VOCABULARY, Batch
from lpm_model.baselines.memory import PersistentMemory
from lpm_model.flops import Forward

__all__ = ["Calculator"]

_MOST_WORDS = 16  # a call that gets longer counts as wrong


def called(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The call of every calculation (N, W), ended by the mark and padded on the right, and its mask."""
    symbols = torch.stack((batch.facts // VOCABULARY, batch.facts % VOCABULARY), dim=-1).flatten(1)
    # Behind the padding stands the blank that the start is paired with.
    rows = [row[-2 * int(hops) - 1 :] for row, hops in zip(symbols, batch.hops, strict=True)]
    words = [F.pad(row, (0, 1), value=ANSWER) for row in rows]
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in words], batch_first=True)
    return torch.nn.utils.rnn.pad_sequence(words, batch_first=True), mask.bool()


class Calculator(PersistentMemory):
    """Nothing is calculated by the model: in every stage it writes the call of the calculator."""

    thinks = False

    def loss(self, batch: Batch, stage: int, thoughts: int | None = None) -> torch.Tensor:
        """Mean cross entropy, nats a word of the call."""
        words, mask = called(batch)
        scores = self.logits(batch, 0, words[:, :-1], mask[:, :-1])
        return F.cross_entropy(scores[mask], words[mask])

    def embedded(self, thoughts: int, hops: int) -> int:
        """The question and all of the call but the mark at its end."""
        return ASKED + 2 * hops + 1

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """The question, then every word but the last; the calculator's own operations count as none."""
        reads = Forward(ASKED, reads=True, decompressed=True, logits=1)
        return [reads, *(replace(reads, tokens=1, past=ASKED + word) for word in range(2 * hops + 1))]

    @torch.no_grad()
    def answer(self, batch: Batch, thoughts: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the call until the mark, and take what the calculator answers; see ``Arm.answer``."""
        known = self.know(batch, 0)
        ended = torch.zeros_like(batch.answer, dtype=torch.bool)
        words: list[torch.Tensor] = []
        for word in self.write(known, self.prompt(known, batch.asked, 0), _MOST_WORDS):
            words.append(word)
            ended |= word == ANSWER
            if ended.all():
                break
        written = torch.stack(words, dim=1).tolist()
        calls = [row[: row.index(ANSWER)] if ANSWER in row else [] for row in written]
        counts = [len(call) + 1 if call else len(words) for call in calls]
        return torch.tensor([calculated(call) for call in calls]), torch.tensor(counts)
