"""What training minimises: reading from the state, and staying close to the base elsewhere.

Reading: segments are read into the state one after the other, and the cross entropy of what is to be
written after each is taken with the segment's own tokens out of the window (or in it, for a reading in
sight). A segment may be read without being kept: the next one is then read into the state of before.

Language: on general text the divergence of the model's next-token distribution from its base's, without a
state and with half of the text read into one, so that the updates that teach the memory do not cost the base
its language. The base is the model itself with its updates left out.

Reward: answers that were drawn are made likelier or less likely, each token by what its answer is credited
with (``lpm_model.reinforcement``).

Shapes: B batch, T tokens of a segment, U of an answer, V vocabulary, (B, L, K, r) a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from lpm_model.decoder import WithHead
from lpm_model.text import answer_ids, prompt_ids, segment_ids

__all__ = [
    "Credited",
    "Example",
    "Language",
    "Objective",
    "Reading",
    "Rows",
    "advantages",
    "collate",
    "collate_text",
]

_IGNORED = -100
_EPS = 1e-4  # of a deviation of rewards


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to learn from.

    Attributes:
        segments: What is read, one after the other: turns of the person, results of tools.
        targets: What is to be written after each segment; empty where nothing is.
        kept: Which segments stay in the state when the next one is read; all, if empty.
    """

    segments: tuple[str, ...]
    targets: tuple[str, ...]
    kept: tuple[bool, ...] = ()

    @property
    def shape(self) -> tuple[tuple[bool, bool], ...]:
        """After which segments something is written, and which are kept: alike in all examples of a batch."""
        kept = self.kept or (True,) * len(self.segments)
        return tuple(zip(map(bool, self.targets), kept, strict=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """Token ids, each row padded to the longest.

    Attributes:
        ids: (B, T).
        mask: (B, T), 1 for tokens and 0 for padding.
    """

    ids: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], pad: int, *, left: bool) -> Rows:
        """Pad on one side."""
        length = max(map(len, rows))
        ids = torch.full((len(rows), length), pad)
        mask = torch.zeros(len(rows), length, dtype=torch.long)
        for i, row in enumerate(rows):
            place = slice(length - len(row), length) if left else slice(0, len(row))
            ids[i, place] = torch.tensor(row)
            mask[i, place] = 1
        return cls(ids, mask)

    def beside(self, other: Rows) -> Rows:
        """Each row followed by one of ``other``."""
        return Rows(torch.cat((self.ids, other.ids), dim=1), torch.cat((self.mask, other.mask), dim=1))

    def to(self, device: torch.device) -> Rows:
        """The same on a device."""
        return Rows(self.ids.to(device), self.mask.to(device))


@dataclass(frozen=True, slots=True)
class Reading:
    """Conversations of one shape.

    Attributes:
        segments: What is read, padded on the left.
        answers: The cue, what is to be written, and its end, padded on the right; None where nothing is.
        cue: Tokens of the cue.
        kept: Which segments stay in the state when the next one is read.
    """

    segments: tuple[Rows, ...]
    answers: tuple[Rows | None, ...]
    cue: int
    kept: tuple[bool, ...]

    def to(self, device: torch.device) -> Reading:
        """The same on a device."""
        answers = tuple(rows and rows.to(device) for rows in self.answers)
        return replace(self, segments=tuple(rows.to(device) for rows in self.segments), answers=answers)

    def states(self, model: WithHead) -> Iterator[torch.Tensor]:
        """The state (B, L, K, r) after each segment, whether it is kept or not."""
        state: torch.Tensor | None = None
        for segment, kept in zip(self.segments, self.kept, strict=True):
            _, read = model.model(segment.ids, state, attention_mask=segment.mask, write=True)
            yield read
            state = read if kept else state

    @property
    def written(self) -> int:
        """Tokens to be written."""
        return sum(int(rows.mask[:, self.cue :].sum()) for rows in self.answers if rows is not None)

    @property
    def run(self) -> int:
        """Tokens read and written, padding included."""
        rows = (*self.segments, *(rows for rows in self.answers if rows is not None))
        return sum(part.ids.numel() for part in rows)


@dataclass(frozen=True, slots=True)
class Language:
    """General text: (B, T) ids without padding."""

    ids: torch.Tensor

    def to(self, device: torch.device) -> Language:
        """The same on a device."""
        return Language(self.ids.to(device))


@dataclass(frozen=True, slots=True)
class Credited:
    """Conversations whose last answer was drawn.

    Attributes:
        reading: The conversations; nothing but the last answer is written.
        places: (M,), which of the last answers' N tokens were drawn, in the order of ``Objective.answers``.
        allowed: (M, V) bool, among which tokens.
        credit: (M,), how much likelier each is to become.
    """

    reading: Reading
    places: torch.Tensor
    allowed: torch.Tensor
    credit: torch.Tensor

    def to(self, device: torch.device) -> Credited:
        """The same on a device."""
        moved = (self.places.to(device), self.allowed.to(device), self.credit.to(device))
        return Credited(self.reading.to(device), *moved)


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """How much better each answer was than its group, in deviations: rewards (N, G) -> (N, G).

    Zero throughout where all of a group earned the same (Shao and others, arXiv 2402.03300).
    """
    return (rewards - rewards.mean(-1, keepdim=True)) / (rewards.std(-1, keepdim=True) + _EPS)


def collate(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> Reading:
    """Tokens of conversations of the same shape.

    Raises:
        ValueError: If their shapes differ.
    """
    shapes = {example.shape for example in examples}
    if len(shapes) != 1:
        raise ValueError(f"one batch cannot hold conversations of {len(shapes)} shapes")
    pad, cue = tokenizer.pad_token_id or 0, prompt_ids(tokenizer)
    segments: list[Rows] = []
    answers: list[Rows | None] = []
    shape = shapes.pop()
    for turn, (wanted, _) in enumerate(shape):
        said = [segment_ids(tokenizer, e.segments[turn]) for e in examples]
        segments.append(Rows.of(said, pad, left=True))
        meant = [cue + answer_ids(tokenizer, e.targets[turn]) for e in examples]
        answers.append(Rows.of(meant, pad, left=False) if wanted else None)
    return Reading(tuple(segments), tuple(answers), len(cue), tuple(kept for _, kept in shape))


def collate_text(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length: int) -> Language:
    """The first ``length`` tokens of each text.

    Raises:
        ValueError: If a text is shorter.
    """
    rows = [tokenizer.encode(text, add_special_tokens=False)[:length] for text in texts]
    if any(len(row) < length for row in rows):
        raise ValueError(f"a text has fewer than {length} tokens")
    return Language(torch.tensor(rows))


class Objective(nn.Module):
    """The model with its loss as ``forward``, which is what is distributed over several devices.

    Args:
        model: A retrofitted model, not folded.
        memory: Whether there is a state. Without one the whole conversation stays in the window: the rival
            that the memory is compared with.
    """

    def __init__(self, model: WithHead, memory: bool = True) -> None:
        super().__init__()
        self.model, self.memory = model, memory

    def forward(
        self, batch: Reading | Language | Credited, *, sight: bool = False, latent_steps: int = 0
    ) -> torch.Tensor:
        """The loss; see ``reading``, ``language`` and ``reward``."""
        if isinstance(batch, Language):
            return self.language(batch)
        if isinstance(batch, Credited):
            return self.reward(batch)
        return self.reading(batch, sight=sight, latent_steps=latent_steps)

    def reading(self, batch: Reading, *, sight: bool, latent_steps: int) -> torch.Tensor:
        """Cross entropy of what is to be written.

        Args:
            batch: Conversations of one shape.
            sight: Whether each segment's tokens stay in the window while its answer is written.
            latent_steps: Latent steps after each segment that is answered.
        """
        total, count = torch.zeros((), device=batch.segments[0].ids.device), 0
        for logits, labels in self.answers(batch, sight=sight, latent_steps=latent_steps):
            kept = labels != _IGNORED
            total = total + F.cross_entropy(logits.float(), labels, ignore_index=_IGNORED, reduction="sum")
            count += int(kept.sum())
        return total / count

    def answers(
        self, batch: Reading, *, sight: bool = False, latent_steps: int = 0
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each answer its logits (N, V) and the wanted tokens (N), of all rows, without padding."""
        found = []
        window: Rows | None = None
        states: Iterable[torch.Tensor | None] = [None] * len(batch.segments)
        if self.memory:
            states = batch.states(self.model)
        for segment, answer, state in zip(batch.segments, batch.answers, states, strict=True):
            window = segment if self.memory or window is None else window.beside(segment)
            if answer is None:
                continue
            for _ in range(latent_steps if self.memory else 0):
                _, state = self.model.model(None, state, write=True)
            inputs, mask = answer.ids[:, :-1], answer.mask[:, :-1]
            labels = answer.ids[:, 1:].masked_fill(answer.mask[:, 1:] == 0, _IGNORED)
            labels[:, : batch.cue - 1] = _IGNORED
            seen = Rows(inputs, mask)
            if sight or not self.memory:
                seen = window.beside(seen)
            hidden, _ = self.model.model(seen.ids, state, attention_mask=seen.mask)
            kept = labels != _IGNORED
            found.append((self.model.lm_head(hidden[:, -inputs.shape[1] :][kept]), labels[kept]))
        return found

    def language(self, batch: Language) -> torch.Tensor:
        """Divergence of the model's next-token distribution from its base's.

        The mean of two: on the whole text without a state, and on its second half with the first half in
        the state alone.
        """
        ids, half = batch.ids, batch.ids.shape[1] // 2
        with torch.no_grad(), self.model.base_only():
            base = self._log_probabilities(ids, None)
        plain = self._log_probabilities(ids, None)
        _, state = self.model.model(ids[:, :half], write=True)
        remembered = self._log_probabilities(ids[:, half:], state)
        return (_divergence(base, plain) + _divergence(base[:, half:], remembered)) / 2

    def reward(self, batch: Credited) -> torch.Tensor:
        """Minus the sum over tokens of credit times log probability among what was allowed."""
        logits, labels = self.answers(batch.reading)[-1]
        may = logits[batch.places].float().masked_fill(~batch.allowed, -torch.inf)
        given = F.log_softmax(may, dim=-1).gather(-1, labels[batch.places, None])[:, 0]
        return -(batch.credit * given).sum()

    @torch.no_grad()
    def perplexity(self, batch: Language, *, base: bool) -> float:
        """Perplexity of a text without a state, of the model or of its base."""
        with self.model.base_only() if base else nullcontext():
            given = self._log_probabilities(batch.ids, None)[:, :-1]
        return float(F.nll_loss(given.flatten(0, 1), batch.ids[:, 1:].flatten()).exp())

    def _log_probabilities(self, ids: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor:
        return F.log_softmax(self.model(ids, latent_state=state).logits.float(), dim=-1)


def _divergence(wanted: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of log probabilities (B, T, V), averaged over tokens, in nats."""
    return F.kl_div(given, wanted, reduction="none", log_target=True).sum(-1).mean()
