"""What the arms share: the context is read once, then every question about it gets a window of its own.

Stage s of the curriculum removes the first s steps of every chain; arms that think do s thoughts in their
place. After the last stage nothing is written but the answer. An arm says what stands between the question
and what is written, and how the context is kept.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F
from transformers import DynamicCache

from lpm_model.baselines.data import ANSWER, Batch
from lpm_model.baselines.decoder import (
    Size,
    SmallBackbone,
    configuration,
    memory_parameters,
    wider,
)
from lpm_model.configuration import LPMConfig
from lpm_model.flops import Forward, forward_flops

__all__ = ["ASKED", "Arm", "Known"]

ASKED = 3  # positions of a question
_KEPT = 2  # positions that get logits: before the mark and at it


@dataclass(slots=True)
class Known:
    """What is kept of the contexts, a row a question.

    Attributes:
        mask: (N, F), 1 for each kept position of the window.
        cache: Keys and values of these positions.
        held: (N, K), which slots of a state hold something, or None without one.
        slots: Keys and values of the slots.
    """

    mask: torch.Tensor
    cache: DynamicCache
    held: torch.Tensor | None = None
    slots: list[tuple[torch.Tensor, torch.Tensor]] | None = None


class Arm(nn.Module, ABC):
    """A decoder and its way of thinking.

    Attributes:
        memory: Whether the decoder carries memory blocks.
        removes: Whether the curriculum removes the chain; otherwise it is written out before every answer.
        thinks: Whether the arm thinks, by as many thoughts as steps were removed.
    """

    memory: ClassVar[bool] = False
    removes: ClassVar[bool] = True
    thinks: ClassVar[bool] = False

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.config = self.shape(size)
        self.backbone = self.build()

    @classmethod
    def shape(cls, size: Size) -> LPMConfig:
        """The decoder's shape at a size: without a memory, as many parameters as with it."""
        config = configuration(size)
        return config if cls.memory else wider(config, memory_parameters(config))

    def build(self) -> SmallBackbone:
        """The decoder."""
        return SmallBackbone(self.config, self.memory)

    def removed(self, stage: int) -> int:
        """How many steps of a chain are removed in a stage."""
        return stage if self.removes else 0

    def know(self, batch: Batch, thoughts: int) -> Known:
        """Read the contexts of a batch, once each, whatever is asked about them.

        Args:
            batch: B problems of Q questions.
            thoughts: How many steps an arm thinks that does so before it is asked.

        Returns:
            What is kept, with B * Q rows.
        """
        cache = DynamicCache()
        self.backbone.vectors(self.backbone.embed_tokens(batch.facts), batch.facts_mask, cache)
        cache.batch_repeat_interleave(batch.questions)
        return Known(batch.facts_mask.repeat_interleave(batch.questions, dim=0), cache)

    def prompt(self, known: Known, asked: torch.Tensor, thoughts: int) -> torch.Tensor:
        """What stands in the window before what is written, as vectors (N, T, D).

        An arm whose thoughts are steps of the decoder runs all but the last vector already.

        Args:
            known: Extended by what was run.
            asked: (N, 3), pairs.
            thoughts: How many thoughts.
        """
        embedded: torch.Tensor = self.backbone.embed_tokens(asked)
        return embedded

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (..., V) of hidden states (..., D)."""
        return F.linear(hidden, self.backbone.embed_tokens.weight)

    def run(self, known: Known, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Run vectors (N, T, D) in the window and keep them there; returns hidden states (N, T, D).

        Args:
            known: Extended in place.
            x: The vectors.
            mask: (N, T), 0 for padding; none means no padding.
        """
        mask = torch.ones(x.shape[:2], dtype=torch.long) if mask is None else mask
        known.mask = torch.cat((known.mask, mask), dim=-1)
        return self.backbone.vectors(x, known.mask, known.cache, known.held, known.slots)

    @torch.no_grad()
    def write(
        self, known: Known, x: torch.Tensor, most: int, chance: torch.Generator | None = None
    ) -> Iterator[torch.Tensor]:
        """Write words (N,) after vectors (N, T, D), one after another.

        Args:
            known: What is in the window; extended.
            x: The vectors.
            most: How many words at most.
            chance: Draws the words by their probability; without it the likeliest are written.
        """
        for _ in range(most):
            scores = self.head(self.run(known, x)[:, -1])
            if chance is None:
                word = scores.argmax(-1)
            else:
                word = torch.multinomial(scores.softmax(-1), 1, generator=chance)[:, 0]
            yield word
            x = self.backbone.embed_tokens(word[:, None])

    def logits(
        self, batch: Batch, thoughts: int, words: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits of the word after the question and its thoughts, and after each given word.

        Args:
            batch: N questions.
            thoughts: How many thoughts.
            words: (N, W), symbols that were written.
            mask: (N, W), 0 for padding.

        Returns:
            (N, 1 + W, V).
        """
        known = self.know(batch, thoughts)
        before = self.prompt(known, batch.asked, thoughts)
        x = torch.cat((before, self.backbone.embed_tokens(words)), dim=1)
        if mask is not None:
            mask = F.pad(mask.long(), (before.shape[1], 0), value=1)
        hidden = self.run(known, x, mask)
        return self.head(hidden[:, before.shape[1] - 1 :])

    def loss(self, batch: Batch, stage: int, thoughts: int | None = None) -> torch.Tensor:
        """Mean cross entropy, nats a written word, in a stage of the curriculum.

        Args:
            batch: N questions.
            stage: How many steps of each chain are removed.
            thoughts: Of an arm that thinks; as many as steps are removed if not said.
        """
        words, mask = batch.tail(self.removed(stage))
        thoughts = stage if thoughts is None else thoughts
        scores = self.logits(batch, thoughts if self.thinks else 0, words[:, :-1], mask[:, :-1])
        return F.cross_entropy(scores[mask], words[mask])

    def reading_flops(self, facts: int, thoughts: int) -> int:
        """Operations of ``know`` for one context of so many facts, whatever is asked about it."""
        return forward_flops(self.config, Forward(facts)) + self.turning_flops(facts)

    def turning_flops(self, positions: int) -> int:
        """Operations of telling first symbols from second ones, in so many embedded positions."""
        return 2 * positions * self.config.hidden_size**2

    def kept_bytes(self, facts: int) -> int:
        """What is kept of a context of so many facts, in bytes: its keys and values, in half precision."""
        return 2 * self.config.num_hidden_layers * facts * 2 * self.config.kv_dim

    def opening_flops(self) -> int:
        """Operations that make what is kept of a context readable; a part of ``reading_flops``."""
        return 0

    def reading_passes(self, thoughts: int) -> int:
        """Passes one after another before anything is asked."""
        return 1

    def calls(self, facts: int, thoughts: int, hops: int) -> list[Forward]:
        """The passes, one after another, from a question about a known context to its answer.

        Args:
            facts: Length of the context.
            thoughts: Of an arm that thinks.
            hops: Steps of the chain, for an arm that writes it.
        """
        return [Forward(ASKED + 1, past=facts, logits=_KEPT)]

    def embedded(self, thoughts: int, hops: int) -> int:
        """How many positions of a question's window are embedded symbols."""
        return ASKED + 1

    def question_flops(self, facts: int, thoughts: int, hops: int) -> int:
        """Operations from a question about a known context to its answer; see ``calls``."""
        ran = sum(forward_flops(self.config, call) for call in self.calls(facts, thoughts, hops))
        return ran + self.turning_flops(self.embedded(thoughts, hops))

    def trying_flops(self, facts: int, done: int) -> int:
        """Operations of trying to answer after so many thoughts: the mark alone is run, and taken back."""
        mark = Forward(1, past=facts + ASKED + done, logits=1)
        return forward_flops(self.config, mark) + self.turning_flops(1)

    @torch.no_grad()
    def draw(self, batch: Batch, thoughts: int, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw an answer to every question as likely as the arm thinks it right.

        Returns:
            Words (N, W), of which the last drawn one of a row is the answer, and which of them (N, W) were
            drawn: the mark before an answer without a chain is given.
        """
        mark = torch.full((len(batch.answer), 1), ANSWER)
        scores = self.logits(batch, thoughts, mark)[:, -1]
        answers = torch.multinomial(scores.softmax(-1), 1, generator=chance)
        words = torch.cat((mark, answers), dim=-1)
        return words, torch.tensor([False, True]).expand_as(words)

    @torch.no_grad()
    def answer(self, batch: Batch, thoughts: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer without being told anything.

        Returns:
            The symbols (N,) and how many words were written for each (N,).
        """
        mark = torch.full((len(batch.answer), 1), ANSWER)
        scores = self.logits(batch, thoughts if self.thinks else 0, mark)
        return scores[:, -1].argmax(-1), torch.ones(len(mark), dtype=torch.long)
