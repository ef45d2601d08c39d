"""What an arm gets right and what it costs: intervals, passes, words, operations, time, memory."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch.profiler import ProfilerActivity, profile

from lpm_model.baselines.arm import Arm
from lpm_model.baselines.data import Batch, Task

__all__ = ["Cost", "Score", "cost", "peak_bytes", "questions_until", "score", "seconds", "wilson"]

_BATCH = 100
_NORMAL = 1.96  # standard deviations that hold 95%


def wilson(right: int, asked: int) -> tuple[float, float]:
    """The interval of a share at 95% (Wilson 1927)."""
    if not asked:
        return 0.0, 1.0
    share, square = right / asked, _NORMAL**2
    middle = (share + square / (2 * asked)) / (1 + square / asked)
    spread = _NORMAL * math.sqrt(share * (1 - share) / asked + square / (4 * asked**2)) / (1 + square / asked)
    return middle - spread, middle + spread


@dataclass(frozen=True, slots=True)
class Score:
    """What an arm got right.

    Attributes:
        right: By steps of the chain -> questions right.
        asked: By steps -> questions asked.
        words: Mean words written for an answer.
    """

    right: dict[int, int]
    asked: dict[int, int]
    words: float

    @property
    def share(self) -> float:
        """Of all questions."""
        return sum(self.right.values()) / sum(self.asked.values())


def score(arm: Arm, data: Task, thoughts: int, seed: int = 0) -> Score:
    """Ask an arm all questions of some problems, each with symbols drawn by ``seed``."""
    chance = torch.Generator().manual_seed(seed)
    right: dict[int, int] = {}
    asked: dict[int, int] = {}
    words = 0
    for numbers in torch.arange(len(data)).split(_BATCH):
        batch = data.batch(numbers, chance)
        answers, counts = arm.answer(batch, thoughts)
        words += int(counts.sum())
        for hops, hit in zip(batch.hops.tolist(), (answers == batch.answer).tolist(), strict=True):
            right[hops] = right.get(hops, 0) + hit
            asked[hops] = asked.get(hops, 0) + 1
    return Score(right, asked, words / sum(asked.values()))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of some questions about one context.

    Attributes:
        reading: Operations spent before anything is asked.
        question: Operations of each question.
        opening: The part of ``reading`` that is spent again where a question comes in another turn or
            process, and finds no more than what was kept.
        passes: Passes one after another from the facts to the first answer.
        kept: Bytes kept of the context for further questions.
    """

    reading: int
    question: int
    opening: int
    passes: int
    kept: int

    def operations(self, questions: int) -> float:
        """Operations a question, where so many are asked about one context."""
        return self.reading / questions + self.question


def questions_until(ours: Cost, theirs: Cost, share: float, *, anew: bool) -> int | None:
    """From how many questions about one context on ours costs at most ``share`` of theirs a question.

    Args:
        ours: Reads the context once, and if ``anew`` opens what was kept of it for every question.
        theirs: Reads it once, or if ``anew`` again for every question.
        share: Of their operations, in thousandths.
        anew: Whether each question comes in another turn or process.

    Returns:
        None if it never does.
    """
    part = Fraction(share).limit_denominator(1000)
    saved = part * theirs.question - ours.question  # by each question
    ahead = ours.reading - part * theirs.reading
    if anew:
        saved += part * theirs.reading - ours.opening
        ahead = Fraction(ours.reading - ours.opening)
    if saved > 0:
        return max(1, math.ceil(ahead / saved))
    return 1 if saved == 0 and ahead <= 0 else None


def cost(arm: Arm, facts: int, thoughts: int, hops: int) -> Cost:
    """Operations, counted from the shapes.

    Args:
        arm: Any.
        facts: Length of the context.
        thoughts: Of an arm that thinks.
        hops: Steps of the chain, for an arm that writes it.
    """
    thoughts = thoughts if arm.thinks else 0
    passes = arm.reading_passes(thoughts) + len(arm.calls(facts, thoughts, hops))
    return Cost(
        arm.reading_flops(facts, thoughts),
        arm.question_flops(facts, thoughts, hops),
        arm.opening_flops(),
        passes,
        arm.kept_bytes(facts),
    )


def seconds(arm: Arm, batch: Batch, thoughts: int, times: int = 5) -> float:
    """Median seconds a question to read and answer a batch."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        arm.answer(batch, thoughts)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) / len(batch.answer)


def peak_bytes(arm: Arm, batch: Batch, thoughts: int) -> int:
    """Most bytes of tensors alive at once, beside the weights, while a batch is read and answered."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        arm.answer(batch, thoughts)
    held = most = 0
    events = watched.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most
