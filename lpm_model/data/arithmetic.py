"""Sums of several steps in whole numbers: a generator, and the calculator that knows their results."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

__all__ = ["LARGEST", "OPERATIONS", "Calculation", "Step", "calculation", "result"]

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
LARGEST = 32  # numbers from 0 to this one; each is a symbol of its own, so nothing is carried over
_MOST = 9  # the largest number that is added, taken away or multiplied by

Step = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Calculation:
    """A number to start from and what is done to it, one step after another.

    Attributes:
        start: The number.
        steps: Operations, each with its number.
        results: What each step gives; all of them lie from 0 to ``LARGEST``.
    """

    start: int
    steps: tuple[Step, ...]
    results: tuple[int, ...]


def result(start: int, steps: Sequence[Step]) -> tuple[int, ...]:
    """What each step gives.

    Raises:
        ValueError: If an operation is none, or a result does not lie from 0 to ``LARGEST``.
    """
    results: list[int] = []
    for name, number in steps:
        if name not in OPERATIONS:
            raise ValueError(f"{name} is not an operation")
        start = OPERATIONS[name](start, number)
        if not 0 <= start <= LARGEST:
            raise ValueError(f"{start} does not lie from 0 to {LARGEST}")
        results.append(start)
    return tuple(results)


def calculation(rng: Random, steps: tuple[int, int] = (2, 5)) -> Calculation:
    """A calculation of so many steps, the fewest and the most; no step leaves its number as it is."""
    number = start = rng.randint(1, LARGEST)
    drawn: list[Step] = []
    for _ in range(rng.randint(*steps)):
        possible = {
            name: fitting
            for name, operation in OPERATIONS.items()
            if (fitting := [n for n in range(1, _MOST + 1) if 0 <= operation(number, n) <= LARGEST])
        }
        # Nothing is learned from times one, nor from what is done to zero by multiplying.
        possible["*"] = [n for n in possible.get("*", []) if n > 1 and number]
        name = rng.choice([name for name, fitting in possible.items() if fitting])
        by = rng.choice(possible[name])
        number = OPERATIONS[name](number, by)
        drawn.append((name, by))
    return Calculation(start, tuple(drawn), result(start, drawn))
