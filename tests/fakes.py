"""A reader without a model: says what it was told to, and remembers in a real latent state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import BaseModel

from lpm_model.state import LatentState
from planner.reader import Reading, TooLong, Usage
from tools.notation import read_call

FULL_SIZE = (30, 192, 128)  # the shipped model's state: 391,680 bytes


@dataclass(frozen=True)
class Says:
    """One reading: the call's lines, and the probability of every argument, or of those named."""

    lines: str
    sure: float = 0.95
    unsure: Mapping[str, float] = field(default_factory=dict)


NOTHING = Says("")


class FakeReader:
    """Answers ``read`` with what is scripted for the turn, ``readings`` one after another.

    A turn is counted by the reading of a person's text. The state's first number counts what has been
    read into it, so that a test can see which state was kept. ``weights`` are the logarithms of the
    probabilities of calls that hold a name, compared with the call that was read; a zeroed state holds none.
    ``in_sight`` is what the turn's words say when they are in sight; by default the same as the state.
    """

    def __init__(
        self,
        *readings: Says | str,
        fingerprint: str = "f" * 64,
        kept: float = 0.9,
        shape: tuple[int, int, int] = (2, 2, 2),
        calls_per_read: int = 3,
        longest: int = 4096,
        weights: Mapping[str, float] | None = None,
        in_sight: Says | str | None = None,
        keeps_words: bool = False,
    ) -> None:
        self.readings = [Says(r) if isinstance(r, str) else r for r in readings]
        self.fingerprint, self.kept, self.shape = fingerprint, kept, shape
        self.keeps_words = keeps_words
        self.calls_per_read, self.longest = calls_per_read, longest
        self.weights, self.weighed = weights or {}, list[tuple[str, ...]]()
        self.in_sight = Says(in_sight) if isinstance(in_sight, str) else in_sight
        self.heard: list[str] = []
        self.began_with: list[LatentState | None] = []
        self.thought_about: list[LatentState] = []

    def perceive(self, text: str, state: LatentState | None) -> tuple[LatentState, Usage]:
        if len(text) > self.longest:
            raise TooLong(f"{len(text):,} characters are too many")
        self.heard.append(text)
        self.began_with.append(state)
        return self._next(state, 1.0), Usage(model_calls=1, tokens_in=len(text.split()))

    def think(self, state: LatentState) -> tuple[LatentState, Usage]:
        self.thought_about.append(state)
        return self._next(state, 100.0), Usage(model_calls=1, latent_steps=1)

    def read(
        self, state: LatentState | None, calls: Mapping[str, type[BaseModel]], beside: str = ""
    ) -> tuple[Reading, Usage]:
        said = self.in_sight if beside and self.in_sight else self.readings.pop(0)
        cost = Usage(model_calls=self.calls_per_read, tokens_out=9)
        if not said.lines:
            return Reading("", ""), cost
        call = said.lines.replace(" | ", "\n") + "\n"
        name, values, _ = read_call(call, calls)
        return Reading(call, name, values, dict.fromkeys(values, said.sure) | dict(said.unsure)), cost

    def holds(self, state: LatentState, call: str, beside: str = "") -> tuple[float, Usage]:
        if beside:
            return 0.2 if self.in_sight else 0.9, Usage(model_calls=1)
        return self.kept, Usage(model_calls=1)

    def weigh(self, state: LatentState, calls: Sequence[str]) -> tuple[tuple[float, ...], Usage]:
        self.weighed.append(tuple(calls))
        held = self.weights if state.slots.any() else {}
        found = [max((w for name, w in held.items() if name in call), default=-20.0) for call in calls]
        return (0.0, *found[1:]), Usage(model_calls=1)

    def _next(self, state: LatentState | None, step: float) -> LatentState:
        slots = state.slots.clone() if state else torch.zeros(self.shape)
        slots[0, 0, 0] += step
        return LatentState.of(slots, (state.segments if state else 0) + 1, self.fingerprint)


def marks(states: Sequence[LatentState | None]) -> list[float | None]:
    """The counters of states: 1 for every text read into it, 100 for every thought."""
    return [None if state is None else round(float(state.slots[0, 0, 0]), 1) for state in states]
