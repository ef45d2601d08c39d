"""Calculations as tensors: a step takes one position, its operation and its number being a pair of symbols.

Unlike nodes, numbers keep their symbols: what they are is to be learned. The start is a pair with a blank.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lpm_model.baselines.data import BLANK, FIRST_SYMBOL, QUESTION, SYMBOLS, VOCABULARY, Batch
from lpm_model.data.arithmetic import LARGEST, OPERATIONS, Calculation, result

__all__ = ["Calculations", "calculated"]

_NAMES = list(OPERATIONS)
_ZERO = FIRST_SYMBOL + len(_NAMES)
assert len(_NAMES) + LARGEST + 1 <= SYMBOLS


def _operation(name: str) -> int:
    return FIRST_SYMBOL + _NAMES.index(name)


def calculated(words: Sequence[int]) -> int:
    """The calculator, called with symbols: the symbol of what the last step gives, or -1.

    Args:
        words: The start, then an operation and its number, again and again.
    """
    numbers = [word - _ZERO for word in words[::2]]
    names = [word - FIRST_SYMBOL for word in words[1::2]]
    if len(words) < 3 or len(words) % 2 == 0 or any(not 0 <= name < len(_NAMES) for name in names):
        return -1
    if any(not 0 <= number <= LARGEST for number in numbers):
        return -1
    steps = [(_NAMES[name], number) for name, number in zip(names, numbers[1:], strict=True)]
    try:
        return _ZERO + result(numbers[0], steps)[-1]
    except ValueError:
        return -1


class Calculations:
    """Calculations held as tensors, to draw batches from; see ``baselines.data.Task``."""

    def __init__(self, calculations: Sequence[Calculation]) -> None:
        most = max(len(item.steps) for item in calculations)
        rows = [
            [(BLANK, item.start), *((_operation(name), number) for name, number in item.steps)]
            for item in calculations
        ]
        # Padding stands on the left.
        self.context = torch.tensor(
            [
                [0] * (most + 1 - len(row)) + [first * VOCABULARY + _ZERO + number for first, number in row]
                for row in rows
            ]
        )
        self.chains = torch.tensor(
            [[_ZERO + n for n in item.results] + [0] * (most - len(item.results)) for item in calculations]
        )
        self.hops = torch.tensor([[len(item.steps)] for item in calculations])
        self.answers = torch.tensor([_ZERO + item.results[-1] for item in calculations])

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def facts(self) -> float:
        """Mean number of positions of a context."""
        return float(self.context.ne(0).sum(-1).float().mean())

    def batch(self, numbers: torch.Tensor, chance: torch.Generator) -> Batch:
        """The calculations of these numbers; nothing is left to chance."""
        hops = self.hops[numbers].flatten()
        facts = self.context[numbers][:, -int(hops.max()) - 1 :]
        asked = torch.zeros(len(numbers), 3, dtype=torch.long)
        asked[:, 0] = QUESTION
        return Batch(facts, facts.ne(0).long(), asked, self.chains[numbers], hops, self.answers[numbers])
