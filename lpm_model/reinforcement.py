"""Make a reader better by reward alone: it writes several answers, and is told which of them were right.

Group relative policy optimisation (Shao and others, arXiv 2402.03300) with one update for each batch, so that
no ratio of probabilities needs clipping: G answers are drawn from the state that a conversation left, under
the grammar, and with the reward R_g of each and the N tokens that were drawn in all answers of the batch

    A_g   = (R_g - mean R) / (sd R + eps)                          over the group
    loss  = - 1 / N  sum over drawn tokens of A_g log p(token, among those allowed)

A group whose answers all earn the same teaches nothing and is left out; equal answers of a group run once,
with the sum of their advantages. The wanted answer itself is shown to the reward alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import numpy as np
import torch

from lpm_model.decoding import ConstrainedDecoder, Drawn
from lpm_model.objective import Credited, Example, collate
from lpm_model.text import answer_ids
from lpm_model.training import Log, Trainer

__all__ = ["Improver", "Reward"]

Reward = Callable[[str, str], float]
"""What a written answer earns, given the wanted one and itself: from 0 to 1."""

_EPS = 1e-4


class Improver(Trainer):
    """Runs GRPO as ``Trainer`` runs training: the same checkpoints and metrics, measured before, too.

    Args:
        given: What ``Trainer`` takes, in its order; a conversation's last answer is the one that is drawn.
        grammar: Lark grammar of what may be written.
        reward: What an answer earns.
        group: G, answers drawn to each conversation.
    """

    def __init__(self, *given: Any, grammar: str, reward: Reward, group: int) -> None:
        super().__init__(*given)
        self.grammar, self.reward, self.group = grammar, reward, group
        self.decoder = ConstrainedDecoder(self.model, self.tokenizer)

    def _run(self, report: Callable[[dict[str, float]], None], log: Log) -> None:
        if self.step == 0:
            before = {"step": 0.0, **self.validate()}
            log.write(before)
            report(before)
        super()._run(report, log)

    def _loss(self, examples: Sequence[Example], rng: Random) -> tuple[torch.Tensor, float, dict[str, float]]:
        chance = torch.Generator().manual_seed(rng.getrandbits(32))
        drawn = self.draw(examples, chance)
        rewards = torch.tensor(
            [self._rewards(e, answers) for e, answers in zip(examples, drawn, strict=True)]
        )
        advantages = (rewards - rewards.mean(-1, keepdim=True)) / (rewards.std(-1, keepdim=True) + _EPS)
        batch = self._credited(examples, drawn, advantages)
        written = sum(len(answer.ids) for answers in drawn for answer in answers)
        told = {
            "reward": float(rewards.mean()),
            "groups_mixed": float((rewards.std(-1) > 0).float().mean()),
            "answers": float(rewards.numel()),
            "tokens": float(written + batch.reading.run),
        }
        with self._autocast():
            return self.distributed(batch.to(self.accelerator.device)), 1.0, told

    def draw(self, examples: Sequence[Example], chance: torch.Generator | None) -> list[list[Drawn]]:
        """Answers to each conversation from the state alone: a group, or without chance the likeliest."""
        batch = collate(self.tokenizer, examples).to(self.accelerator.device)
        state: torch.Tensor | None = None
        with torch.no_grad(), self._autocast():
            for segment in batch.segments:
                _, state = self.model.model(segment.ids, state, attention_mask=segment.mask, write=True)
            assert state is not None  # a conversation has a segment
            each = 1 if chance is None else self.group
            answers = self.decoder.draw(self.grammar, state.repeat_interleave(each, dim=0), chance)
        return [answers[start : start + each] for start in range(0, len(answers), each)]

    def _rewards(self, example: Example, answers: Sequence[Drawn]) -> list[float]:
        return [self.reward(example.targets[-1], answer.text) for answer in answers]

    def _credited(
        self, examples: Sequence[Example], drawn: Sequence[Sequence[Drawn]], advantages: torch.Tensor
    ) -> Credited:
        """What there is to learn from; where there is nothing, one answer without credit."""
        count = sum(len(answer.chosen) for answers in drawn for answer in answers)
        rows: list[Example] = []
        places, allowed, credit = [], [], []
        begin = 0
        for example, answer, advantage in self._different(examples, drawn, advantages):
            # Read from the text, an answer could have other tokens than those that were drawn.
            if (ids := tuple(answer_ids(self.tokenizer, answer.text))) != answer.ids:
                continue
            rows.append(Example(example.segments, (*("" for _ in example.targets[1:]), answer.text)))
            places += [begin + place for place in answer.chosen]
            allowed += list(answer.allowed)
            credit += [advantage / count] * len(answer.chosen)
            begin += len(ids)
        if not rows:
            alike = collate(self.tokenizer, examples[:1])
            nothing = torch.zeros(1, dtype=torch.long)
            every = torch.ones(1, self.model.config.vocab_size, dtype=torch.bool)
            return Credited(alike, nothing, every, torch.zeros(1))
        packed = self.decoder.unpacked(np.stack(allowed))
        reading = collate(self.tokenizer, rows)
        return Credited(reading, torch.tensor(places), packed, torch.tensor(credit))

    @staticmethod
    def _different(
        examples: Sequence[Example], drawn: Sequence[Sequence[Drawn]], advantages: torch.Tensor
    ) -> Iterator[tuple[Example, Drawn, float]]:
        """The answers that are to become likelier or less likely, equal ones once."""
        for example, answers, group in zip(examples, drawn, advantages.tolist(), strict=True):
            sums: dict[tuple[int, ...], tuple[Drawn, float]] = {}
            for answer, advantage in zip(answers, group, strict=True):
                _, before = sums.get(answer.ids, (answer, 0.0))
                sums[answer.ids] = answer, before + advantage
            for answer, advantage in sums.values():
                if advantage:
                    yield example, answer, advantage

    def validate(self, latent_steps: int = 0) -> dict[str, float]:
        """Also, by the same names, the mean reward of the likeliest answers ("valid_reward/NAME")."""
        found = super().validate(latent_steps)
        self.model.eval()
        for name, examples in self.held_out.items():
            earned: list[float] = []
            for start in range(0, len(examples), self.config.batch_size):
                asked = examples[start : start + self.config.batch_size]
                for example, answers in zip(asked, self.draw(asked, None), strict=True):
                    earned += self._rewards(example, answers)
            found[f"valid_reward/{name}"] = sum(earned) / len(earned)
        self.model.train()
        return found
