"""The reasoner: what the agent needs of a model, and the persistent-memory model behind it.

Everything a person means passes through here as numbers: text goes into the latent state, and a
tool call is written from the state. No other code looks at the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from pydantic import BaseModel

from lpm_model.base import LoadedModel
from lpm_model.decoding import ConstrainedDecoder, Decoded
from lpm_model.state import LatentState
from lpm_model.text import segment_ids
from planner.calibration import LEFT_OUT, Calibration, field_kind
from tools.notation import Each, grammar, lines_begun, lines_of, read_call

__all__ = ["LPMReader", "Reader", "Reading", "ReadingMode", "TooLong", "Usage", "raw_confidence"]

ReadingMode = Literal["state", "sight", "zeroed", "transcript"]


class TooLong(ValueError):
    """The text is longer than a person's request can be."""


@dataclass(frozen=True)
class Usage:
    """What an answer cost.

    Attributes:
        model_calls: Forward passes of the model.
        tokens_in: Tokens read.
        tokens_out: Tokens written.
        latent_steps: Passes that refined the state without reading or writing a token.
    """

    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    latent_steps: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.model_calls + other.model_calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.latent_steps + other.latent_steps,
        )


@dataclass(frozen=True)
class Reading:
    """A tool call read from the state.

    Attributes:
        call: The lines as written.
        tool: The tool's name; empty if nothing valid was written.
        values: Its arguments, valid for the tool's ``arguments``; names not yet resolved.
        confidence: For each argument that was written the probability that it is right, and for one that was
            nearly written, that it was rightly left out. Without a calibration this is the product of the
            probabilities of what was chosen.
    """

    call: str
    tool: str
    values: Mapping[str, Any] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def certainty(self) -> float:
        """Probability of the least certain argument."""
        return min(self.confidence.values(), default=0.0)


class Reader(Protocol):
    """A reasoner with a memory that can be carried from turn to turn."""

    @property
    def fingerprint(self) -> str:
        """Whose memory it is."""
        ...

    @property
    def keeps_words(self) -> bool:
        """Whether a later turn is read after the words of those before, and not after their calls alone."""
        ...

    def perceive(self, text: str, state: LatentState | None) -> tuple[LatentState, Usage]:
        """Read a text into the state."""
        ...

    def think(self, state: LatentState) -> tuple[LatentState, Usage]:
        """Refine the state by one latent step."""
        ...

    def read(
        self, state: LatentState, calls: Mapping[str, type[BaseModel]], beside: str = ""
    ) -> tuple[Reading, Usage]:
        """Write a tool call from the state alone, or with a text in sight beside it."""
        ...

    def holds(self, state: LatentState, call: str, beside: str = "") -> tuple[float, Usage]:
        """How surely the state, with ``beside`` in sight, says ``call``: its tokens' lowest probability."""
        ...

    def weigh(self, state: LatentState, calls: Sequence[str]) -> tuple[tuple[float, ...], Usage]:
        """Natural logarithm of the probability with which the state says each of several calls.

        Where they differ: given the tokens that all of them begin with.
        """
        ...


class LPMReader:
    """Reads with the persistent-memory decoder.

    Args:
        loaded: The model; its weights are packed.
        mode: "state" is the normal way; "zeroed" wipes the state before writing, to prove that the
            state is what is read; "sight" keeps the turn's text in the window, too, as an upper bound;
            "transcript" has no state and re-reads the whole conversation, as the rival without memory.
        max_tokens: Longest text accepted, in tokens.
        calibration: Turns probabilities of tokens into those of fields; of this model's weights.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        mode: ReadingMode = "state",
        max_tokens: int = 4096,
        calibration: Calibration | None = None,
    ) -> None:
        self._model, self._tokenizer = loaded.model.pack(), loaded.tokenizer
        self._signature, self._mode, self._max_tokens = loaded.fingerprint, mode, max_tokens
        self._calibration = calibration
        self._decoder = ConstrainedDecoder(loaded.model, loaded.tokenizer)
        self._seen: list[int] = []

    @property
    def fingerprint(self) -> str:
        """Digest of the model's memory."""
        return self._signature

    @property
    def keeps_words(self) -> bool:
        """True of the rival, which re-reads the whole conversation."""
        return self._mode == "transcript"

    @torch.inference_mode()
    def perceive(self, text: str, state: LatentState | None) -> tuple[LatentState, Usage]:
        """Read a text into the state, segment after segment.

        Raises:
            TooLong: If the text has more than ``max_tokens`` tokens.
        """
        ids = segment_ids(self._tokenizer, text)
        if len(ids) > self._max_tokens:
            raise TooLong(f"{len(ids):,} tokens are too many for one request (at most {self._max_tokens:,})")
        if self._mode == "transcript":
            self._seen = [*(self._seen if state else ()), *ids]
            empty = torch.zeros(self._model.config.state_shape)
            return self._value(empty, state), Usage()
        self._seen = ids if self._mode == "sight" else []
        length = self._model.config.segment_length
        segments = [ids[start : start + length] for start in range(0, len(ids), length)]
        for segment in segments:
            _, slots = self._model.model(torch.tensor([segment]), _tensor(state), write=True)
            state = self._value(slots[0], state)
        assert state is not None  # a text has at least its marks
        return state, Usage(model_calls=len(segments), tokens_in=len(ids))

    @torch.inference_mode()
    def think(self, state: LatentState) -> tuple[LatentState, Usage]:
        """One latent step: the slots alone run through the layers."""
        _, slots = self._model.model(None, _tensor(state), write=True)
        return self._value(slots[0], state), Usage(model_calls=1, latent_steps=1)

    def read(
        self, state: LatentState, calls: Mapping[str, type[BaseModel]], beside: str = ""
    ) -> tuple[Reading, Usage]:
        """Write a call under the tools' grammar and read its lines."""
        context = segment_ids(self._tokenizer, beside) if beside else self._seen
        held = state.zeroed() if self._mode == "zeroed" else state
        slots = None if self._mode == "transcript" else _tensor(held)
        written = self._decoder.write(grammar(calls), slots, context=context)
        cost = Usage(model_calls=written.forwards, tokens_out=written.tokens, tokens_in=len(context))
        if not written.complete:
            return Reading(written.text, ""), cost
        try:
            name, values, places = read_call(written.text, calls)
            calls[name](**values)
        except ValueError:  # the grammar knows no bounds (a task of no days) and one kind of line break only
            return Reading(written.text, ""), cost
        confidence = raw_confidence(written, calls[name], places)
        if self._calibration is not None:
            confidence = {
                field: self._calibration.probability(
                    field_kind(calls[name], field) if field in places else LEFT_OUT, raw
                )
                for field, raw in confidence.items()
            }
        return Reading(written.text, name, values, confidence), cost

    def holds(self, state: LatentState, call: str, beside: str = "") -> tuple[float, Usage]:
        """Read ``call`` from the state in one forward."""
        context = segment_ids(self._tokenizer, beside) if beside else []
        sureness = self._decoder.likelihood(call, _tensor(state), context)
        return sureness, Usage(model_calls=1, tokens_in=len(context))

    def weigh(self, state: LatentState, calls: Sequence[str]) -> tuple[tuple[float, ...], Usage]:
        """Read all of them from the state in one forward."""
        held = state.zeroed() if self._mode == "zeroed" else state
        return self._decoder.log_likelihoods(calls, _tensor(held)), Usage(model_calls=1)

    def _value(self, slots: torch.Tensor, before: LatentState | None) -> LatentState:
        return LatentState.of(slots, (before.segments if before else 0) + 1, self._signature)


def raw_confidence(
    written: Decoded, arguments: type[BaseModel], places: Mapping[str, tuple[int, int]]
) -> dict[str, float]:
    """Probability of what was chosen, by field; also of not beginning a field's line that nearly was begun.

    Args:
        written: A call.
        arguments: Type of its arguments.
        places: Where in the call's text each argument stands.
    """
    found = {name: written.confidence(*place) for name, place in places.items()}
    lines = lines_of(arguments)
    for start, text, probability in written.rivals:
        if not written.text[:start].endswith("\n"):
            continue
        for name in lines_begun(arguments, text):
            # Of a field that has one line only, a line that was written leaves nothing to leave out.
            if name not in places or isinstance(lines[name][0].form, Each):
                found[name] = found.get(name, 1.0) * (1 - probability)
    return found


def _tensor(state: LatentState | None) -> torch.Tensor | None:
    """The state as the model takes it, (1, L, K, r); None where nothing has been read."""
    return None if state is None or state.segments == 0 else state.slots[None]
