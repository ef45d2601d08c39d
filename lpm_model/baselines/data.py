"""Problems as tensors: which pairs of symbols an arm reads, and what it is to write.

A position is a pair of symbols, which are embedded and added: a fact (a, b) takes one position. Every
time a problem is drawn its nodes get other symbols, its facts another order and its candidates another place,
so there is nothing to learn by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from lpm_model.data.multihop import DataError, Problem

__all__ = [
    "ANSWER",
    "BLANK",
    "FIRST_SYMBOL",
    "PAUSE",
    "QUESTION",
    "SYMBOLS",
    "VOCABULARY",
    "Batch",
    "Problems",
    "Task",
    "pair",
]

BLANK, QUESTION, ANSWER, PAUSE = range(4)
FIRST_SYMBOL = 4
SYMBOLS = 36
VOCABULARY = FIRST_SYMBOL + SYMBOLS


def pair(first: torch.Tensor, second: torch.Tensor | int) -> torch.Tensor:
    """The number of a position's pair of symbols."""
    return first * VOCABULARY + second


@dataclass(frozen=True, slots=True)
class Batch:
    """B problems with Q questions each.

    Attributes:
        facts: (B, F), pairs, padded on the left.
        facts_mask: (B, F), 1 for facts and 0 for padding.
        asked: (B * Q, 3), pairs: the root, then each candidate, whose first symbol is blank.
        chain: (B * Q, S), symbols of the path, padded on the right.
        hops: (B * Q), how many of them there are.
        answer: (B * Q), the symbol of the candidate that is reached.
    """

    facts: torch.Tensor
    facts_mask: torch.Tensor
    asked: torch.Tensor
    chain: torch.Tensor
    hops: torch.Tensor
    answer: torch.Tensor

    @property
    def questions(self) -> int:
        """Q, questions of each problem."""
        return len(self.answer) // len(self.facts)

    def tail(self, removed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What is to be written after so many first steps of each chain were removed.

        Returns:
            Symbols (B * Q, W): the rest of the chain, the mark before the answer, and the answer, padded on
            the right; and their mask.
        """
        gone = self.hops.clamp(max=removed)
        left = self.hops - gone
        place = torch.arange(int(left.max()) + 2, device=left.device)[None]
        if self.chain.shape[1]:
            index = (place + gone[:, None]).clamp(max=self.chain.shape[1] - 1)
            words = self.chain.gather(1, index)
        else:
            words = torch.zeros_like(place).expand(len(left), -1)
        words = torch.where(place == left[:, None], ANSWER, words)
        words = torch.where(place == left[:, None] + 1, self.answer[:, None], words)
        return words, place <= left[:, None] + 1


class Task(Protocol):
    """What arms are trained on and asked: something to draw batches from.

    Attributes:
        hops: (N, Q), steps of every chain.
    """

    hops: torch.Tensor

    def __len__(self) -> int:
        """How many problems there are."""

    @property
    def facts(self) -> float:
        """Mean number of positions of a context."""

    def batch(self, numbers: torch.Tensor, chance: torch.Generator) -> Batch:
        """The problems of these numbers, with what is left to chance drawn by ``chance``."""


class Problems:
    """Problems held as tensors, to draw batches from.

    Args:
        problems: All with as many questions.
        symbols: How many symbols nodes are called by.

    Raises:
        DataError: If a problem has more nodes than there are symbols.
    """

    def __init__(self, problems: Sequence[Problem], symbols: int = SYMBOLS) -> None:
        asked = [problem.questions for problem in problems]
        most = max(len(problem.edges) for problem in problems)
        longest = max(len(question.chain) for questions in asked for question in questions)
        largest = max(problem.nodes for problem in problems)
        if largest > symbols:
            raise DataError(f"a problem has {largest} nodes; there are {symbols} symbols to call them by")
        self.symbols = symbols
        self.edges = torch.tensor(
            [[*problem.edges, *[(-1, -1)] * (most - len(problem.edges))] for problem in problems]
        )
        self.ends = torch.tensor([[(q.root, q.target, q.other) for q in questions] for questions in asked])
        self.chains = torch.tensor(
            [[[*q.chain, *[0] * (longest - len(q.chain))] for q in questions] for questions in asked]
        )
        self.hops = torch.tensor([[len(q.chain) for q in questions] for questions in asked])

    def __len__(self) -> int:
        return len(self.edges)

    @property
    def facts(self) -> float:
        """Mean number of positions of a context."""
        return float(self.edges[..., 0].ge(0).sum(-1).float().mean())

    def batch(self, numbers: torch.Tensor, chance: torch.Generator) -> Batch:
        """The problems of these numbers, with symbols and orders drawn by ``chance``."""
        size = len(numbers)
        names = torch.rand(size, self.symbols, generator=chance).argsort(-1) + FIRST_SYMBOL
        edges = self.edges[numbers]
        real = edges[..., 0].ge(0)
        # Padding sorts before all facts.
        order = torch.where(real, torch.rand(real.shape, generator=chance), -1.0).argsort(-1)
        most = int(real.sum(-1).max())
        order = order[:, real.shape[1] - most :]
        edges, real = edges.gather(1, order[..., None].expand(-1, -1, 2)), real.gather(1, order)
        ends = names.gather(1, edges.clamp(min=0).flatten(1)).view_as(edges)
        facts = torch.where(real, pair(ends[..., 0], ends[..., 1]), 0)
        asked = names.gather(1, self.ends[numbers].flatten(1)).view(-1, 3)
        root, target, other = asked.unbind(-1)
        first = torch.rand(len(asked), generator=chance) < 0.5
        candidates = torch.stack((torch.where(first, target, other), torch.where(first, other, target)), -1)
        chains = self.chains[numbers]
        symbols = names.gather(1, chains.flatten(1)).view(-1, chains.shape[-1])
        return Batch(
            facts,
            real.long(),
            torch.cat((pair(root, QUESTION)[:, None], candidates), dim=-1),
            symbols,
            self.hops[numbers].flatten(),
            target,
        )
