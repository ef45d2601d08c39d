"""Self-improvement: a trained arm gets better at longer chains by being told which of its answers were right.

Group relative policy optimisation (Shao and others, arXiv 2402.03300) with one update for each batch, so that
no ratio of probabilities needs clipping: G answers are drawn to every question, the reward of an answer is 1
if it is right and 0 if not, and

    A_g   = (R_g - mean R) / (sd R + eps)                          over the group
    loss  = - mean over words of A_g log p(word)

A group that is all right or all wrong teaches nothing. No chain is shown: an arm that writes one is left to
find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch.nn import functional as F

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.data import ANSWER, Batch, Problems, Task
from lpm_model.baselines.experiment import Experiment, ExperimentError
from lpm_model.data.multihop import Shape, prosqa
from lpm_model.objective import advantages

__all__ = ["Improvement", "Spent", "improve"]


class Improvement(BaseModel):
    """What is improved, and how.

    Attributes:
        experiment: Configuration of the experiment whose trained arms are improved.
        arms: Their names.
        seeds: Of the trained arms, and of what is drawn.
        shape: Of the graphs, which are harder than those that were trained on.
        problems: How many are generated.
        more: Questions about each beside the one that ProsQA would ask.
        thoughts: Of an arm that thinks.
        steps: Updates.
        batch: Problems an update.
        group: G, answers drawn to each question.
        learning_rate: Of AdamW, constant.
        asked: How many new problems of that shape are asked before and afterwards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: Path
    arms: tuple[str, ...]
    seeds: tuple[int, ...] = (1,)
    shape: Shape
    problems: int = 5000
    more: int = 3
    thoughts: int = 4
    steps: int = Field(300, ge=1)
    batch: int = 16
    group: int = Field(8, ge=2)
    learning_rate: float = 3e-4
    asked: int = 1000

    @classmethod
    def from_file(cls, file: Path) -> tuple[Improvement, Experiment]:
        """Read a configuration and that of the experiment.

        Raises:
            ExperimentError: If one of them is none, or the experiment has no such arm or seed.
            OSError: If a file cannot be read.
        """
        try:
            wanted = cls(**yaml.safe_load(file.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError, TypeError) as error:
            raise ExperimentError(f"{file}: {error}") from error
        experiment = Experiment.from_file(wanted.experiment)
        if experiment.task != "graphs":
            raise ExperimentError(f"{wanted.experiment}: an experiment with graphs is needed")
        for known, asked in ((experiment.arms, wanted.arms), (experiment.seeds, wanted.seeds)):
            if missing := [one for one in asked if one not in known]:
                raise ExperimentError(f"{file}: {wanted.experiment} does not have {missing}")
        return wanted, experiment

    def drawn(self, experiment: Experiment, name: str, count: int, more: int) -> Problems:
        """Problems of the harder shape, drawn anew under each name."""
        rng = Random(f"multihop/improve/{name}")
        generated = [prosqa(rng, self.shape, more) for _ in range(count)]
        return Problems(generated, experiment.symbols)


@dataclass(frozen=True, slots=True)
class Spent:
    """What an improvement cost.

    Attributes:
        answers: Drawn in all.
        operations: Of drawing them and of the updates, a backward pass counted as two forward ones.
    """

    answers: int
    operations: float


def improve(
    arm: Arm,
    data: Task,
    wanted: Improvement,
    seed: int,
    report: Callable[[int, float], None] = lambda _, __: None,
) -> Spent:
    """Improve an arm in place.

    Args:
        arm: Trained.
        data: What it is asked.
        wanted: How.
        seed: Of what is drawn.
        report: Told each update and its mean reward.
    """
    optimizer = torch.optim.AdamW(
        arm.parameters(), lr=wanted.learning_rate, betas=(0.9, 0.98), weight_decay=0
    )
    chance = torch.Generator().manual_seed(seed)
    thoughts = wanted.thoughts if arm.thinks else 0
    arm.train()
    answered, operations = 0, 0.0
    for step in range(wanted.steps):
        numbers = torch.randint(len(data), (wanted.batch,), generator=chance)
        batch = _often(data.batch(numbers, chance), wanted.group)
        words, drawn = arm.draw(batch, thoughts, chance)
        last = drawn.sum(-1, keepdim=True) + (drawn.int().argmax(-1, keepdim=True)) - 1
        # What ends a chain that was broken off is no answer, whatever it is.
        marked = words.gather(1, (last - 1).clamp(min=0))[:, 0] == ANSWER
        reward = (marked & (words.gather(1, last)[:, 0] == batch.answer)).float()
        advantage = advantages(reward.view(-1, wanted.group))
        scores = arm.logits(batch, thoughts, words[:, :-1])
        chosen = F.log_softmax(scores, dim=-1).gather(-1, words[..., None])[..., 0]
        loss = -(advantage.view(-1, 1) * chosen)[drawn].mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(arm.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        answered += len(reward)
        facts, length = batch.facts.shape[1], words.shape[1]
        forward = len(batch.facts) * arm.reading_flops(facts, thoughts)
        forward += len(reward) * arm.question_flops(facts, thoughts, length - 2)
        operations += 4.0 * forward
        report(step, float(reward.mean()))
    arm.eval()
    return Spent(answered, operations)


def _often(batch: Batch, times: int) -> Batch:
    """Every question asked so many times."""
    parts = {name: getattr(batch, name) for name in ("asked", "chain", "hops", "answer")}
    return replace(batch, **{name: part.repeat_interleave(times, dim=0) for name, part in parts.items()})
