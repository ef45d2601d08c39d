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
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import torch

from lpm_model.decoding import ConstrainedDecoder, Drawn
from lpm_model.objective import Credited, Example, Reading, Rows, advantages, collate
from lpm_model.text import prompt_ids
from lpm_model.training import Log, Trainer

__all__ = ["Improver", "Reward"]

Reward = Callable[[str, str], float]
"""What a written answer earns, given the wanted one and itself: from 0 to 1."""

_ROWS = 8  # answers that are learned from at a time: what a step needs of memory grows with them


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
        # Every process draws otherwise.
        chance = torch.Generator().manual_seed(rng.getrandbits(32) + self.accelerator.process_index)
        drawn = self.draw(examples, chance)
        rewards = torch.tensor(
            [self._rewards(e, answers) for e, answers in zip(examples, drawn, strict=True)]
        )
        parts = self._credited(examples, drawn, advantages(rewards))
        written = sum(len(answer.ids) for answers in drawn for answer in answers)
        told = {
            "reward": float(rewards.mean()),
            "groups_mixed": float((rewards.std(-1) > 0).float().mean()),
            "answers": float(rewards.numel()),
            "tokens": float(written + sum(part.reading.run for part in parts)),
        }
        for part in parts[:-1]:
            with self.accelerator.no_sync(self.distributed):
                self.accelerator.backward(self._credit(part))
        return self._credit(parts[-1]), 1.0, told

    def _credit(self, part: Credited) -> torch.Tensor:
        with self._autocast():
            loss: torch.Tensor = self.distributed(part.to(self.accelerator.device))
        return loss

    def draw(self, examples: Sequence[Example], chance: torch.Generator | None) -> list[list[Drawn]]:
        """Answers to each conversation from the state alone: a group, or without chance the likeliest."""
        batch = collate(self.tokenizer, examples).to(self.accelerator.device)
        with torch.no_grad(), self._autocast():
            *_, state = batch.states(self.model)
            each = 1 if chance is None else self.group
            answers = self.decoder.draw(self.grammar, state.repeat_interleave(each, dim=0), chance)
        return [answers[start : start + each] for start in range(0, len(answers), each)]

    def _rewards(self, example: Example, answers: Sequence[Drawn]) -> list[float]:
        return [self.reward(example.targets[-1], answer.text) for answer in answers]

    def _credited(
        self, examples: Sequence[Example], drawn: Sequence[Sequence[Drawn]], credits: torch.Tensor
    ) -> list[Credited]:
        """What there is to learn from, in small parts; an answer without credit where nothing is."""
        count = sum(len(answer.chosen) for answers in drawn for answer in answers)
        rows = list(self._different(examples, drawn, credits)) or [(examples[0], drawn[0][0], 0.0)]
        return [self._part(rows[start : start + _ROWS], count) for start in range(0, len(rows), _ROWS)]

    def _part(self, rows: Sequence[tuple[Example, Drawn, float]], count: int) -> Credited:
        places: list[int] = []
        begin = 0
        for _, answer, _ in rows:
            places += [begin + place for place in answer.chosen]
            begin += len(answer.ids)
        among = self.decoder.unpacked(
            np.stack([packed for _, answer, _ in rows for packed in answer.allowed])
        )
        credit = [advantage / count for _, answer, advantage in rows for _ in answer.chosen]
        reading = self._with_answers([(example, answer) for example, answer, _ in rows])
        return Credited(reading, torch.tensor(places), among, torch.tensor(credit))

    def _with_answers(self, rows: Sequence[tuple[Example, Drawn]]) -> Reading:
        """Conversations with the tokens that were drawn: read from the text, they could be others."""
        silent = [replace(e, targets=(*("" for _ in e.targets[1:]), e.targets[-1])) for e, _ in rows]
        reading = collate(self.tokenizer, silent)
        written = [[*prompt_ids(self.tokenizer), *answer.ids] for _, answer in rows]
        last = Rows.of(written, self.tokenizer.pad_token_id or 0, left=False)
        return replace(reading, answers=(*reading.answers[:-1], last))

    @staticmethod
    def _different(
        examples: Sequence[Example], drawn: Sequence[Sequence[Drawn]], credits: torch.Tensor
    ) -> Iterator[tuple[Example, Drawn, float]]:
        """The answers that are to become likelier or less likely, equal ones once."""
        for example, answers, group in zip(examples, drawn, credits.tolist(), strict=True):
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
