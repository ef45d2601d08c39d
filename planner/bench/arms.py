"""Three ways to get from a conversation about a program to its specification, and what each costs.

All three use the same weights, the same grammar and, afterwards, the same templates. They differ in what the
model has before it when it writes:

- state: each turn is read once into the latent state; the call is written from the state alone, and read
  into it;
- text: no state; before every call the whole conversation so far, with the calls written so far, is read as
  text;
- files: no memory; every turn the whole conversation is read and a plan is written, then for every file about
  one kind of record it is read again, and the fields of that record are written. Only files whose kind of
  record changes with the turn are written, by the true meaning, which favours this arm: it cannot know them.
  Files about all of the program cost it nothing beyond the plan.

The weights were trained to read from the state, not to be either rival. What is compared is therefore what
the three cost, not how well they read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ValidationError, create_model

from lpm_model.base import LoadedModel
from lpm_model.decoding import ConstrainedDecoder, Decoded
from lpm_model.state import LatentState
from lpm_model.text import segment_ids
from planner.evaluate import GoldConversation, read_all
from planner.reader import LPMReader, Reader, Reading, Usage
from tools.code_writer.arguments import CodeArguments, TypedFields
from tools.code_writer.rendering import files_about
from tools.code_writer.resolve import Resolved, resolve
from tools.code_writer.specification import EntitySpec
from tools.notation import Line, Plain, Record, grammar, read_call
from tools.tool import silent

__all__ = ["ARMS", "Arm", "Cost", "Counted", "Run", "run", "wanted"]

Arm = Literal["state", "text", "files"]
ARMS: tuple[Arm, ...] = ("state", "text", "files")
_CODE = "code"


@dataclass
class Cost:
    """What a conversation cost.

    Attributes:
        calls: How often the model was asked to read or to write something.
        passes: Forward passes that this took.
        tokens_in: Tokens read.
        tokens_out: Tokens written, those that the grammar forces included.
        seconds: From its begin to its end.
    """

    calls: int = 0
    passes: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0

    def add(self, usage: Usage) -> None:
        """Count an invocation; what takes no pass of the model is none."""
        self.calls += usage.model_calls > 0
        self.passes += usage.model_calls
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out

    def as_object(self) -> dict[str, float]:
        """The figures as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """One arm on one conversation: what is in force after each turn, as read, and the cost of all turns."""

    means: tuple[Mapping[str, Any], ...]
    cost: Cost


class Counted:
    """A reader whose every invocation is counted, whatever becomes of what it gave.

    Args:
        reader: The reader.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader, self.cost = reader, Cost()

    @property
    def fingerprint(self) -> str:
        """See ``Reader``."""
        return self._reader.fingerprint

    @property
    def keeps_words(self) -> bool:
        """See ``Reader``."""
        return self._reader.keeps_words

    def perceive(self, text: str, state: LatentState | None) -> tuple[LatentState, Usage]:
        """See ``Reader``."""
        found, usage = self._reader.perceive(text, state)
        self.cost.add(usage)
        return found, usage

    def think(self, state: LatentState) -> tuple[LatentState, Usage]:
        """See ``Reader``."""
        found, usage = self._reader.think(state)
        self.cost.add(usage)
        return found, usage

    def read(
        self, state: LatentState, calls: Mapping[str, type[BaseModel]], beside: str = ""
    ) -> tuple[Reading, Usage]:
        """See ``Reader``."""
        found, usage = self._reader.read(state, calls, beside)
        self.cost.add(usage)
        return found, usage

    def holds(self, state: LatentState, call: str, beside: str = "") -> tuple[float, Usage]:
        """See ``Reader``."""
        found, usage = self._reader.holds(state, call, beside)
        self.cost.add(usage)
        return found, usage

    def weigh(self, state: LatentState, calls: Sequence[str]) -> tuple[tuple[float, ...], Usage]:
        """See ``Reader``."""
        found, usage = self._reader.weigh(state, calls)
        self.cost.add(usage)
        return found, usage


def wanted(means: Mapping[str, Any]) -> CodeArguments:
    """A meaning in the fields of the public schema as arguments; what is not built (a title) is left out.

    Raises:
        ValidationError: If it is no program.
    """
    return CodeArguments(
        **{name: value for name, value in means.items() if name in CodeArguments.model_fields}
    )


def run(arm: Arm, loaded: LoadedModel, conversation: GoldConversation) -> Run:
    """Read a conversation in one of the ways; see the module's docstring."""
    began = time.perf_counter()
    found = _files(loaded, conversation) if arm == "files" else _read(arm, loaded, conversation)
    found.cost.seconds = time.perf_counter() - began
    return found


def _read(arm: Arm, loaded: LoadedModel, conversation: GoldConversation) -> Run:
    reader = Counted(LPMReader(loaded, "state" if arm == "state" else "transcript"))
    (read,) = read_all(reader, [conversation], silent)
    return Run(tuple(understood.means for understood in read), reader.cost)


def _files(loaded: LoadedModel, conversation: GoldConversation) -> Run:
    decoder, cost = ConstrainedDecoder(loaded.model, loaded.tokenizer), Cost()
    said: list[int] = []
    means: list[Mapping[str, Any]] = []
    before: dict[str, tuple[EntitySpec, tuple[str, ...]]] = {}

    def write(arguments: type[BaseModel]) -> Decoded:
        written = decoder.write(grammar({_CODE: arguments}), None, context=said)
        cost.add(Usage(written.forwards, len(said), written.tokens))
        return written

    for turn in conversation.turns:
        said += segment_ids(loaded.tokenizer, turn.user)
        means.append(_meaning(write(CodeArguments)))
        true = resolve(wanted(turn.means))
        if not isinstance(true, Resolved):
            continue
        program = true.specification
        now = {entity.said: (entity, program.features) for entity in program.entities}
        for entity in files_about(program).values():
            if before.get(entity) != now[entity]:
                write(_only(entity))
        before = now
    return Run(tuple(means), cost)


def _meaning(written: Decoded) -> dict[str, Any]:
    if not written.complete:
        return {}
    try:
        _, values, _ = read_call(written.text, {_CODE: CodeArguments})
        return CodeArguments(**values).model_dump(exclude_defaults=True, mode="json")
    except (ValueError, ValidationError):
        return {}


def _only(entity: str) -> type[BaseModel]:
    """Arguments of a call that writes the fields of one kind of record."""
    name: Any = Annotated[str, Line("entity", Plain(f'"{entity}"'))]
    fields: Any = Annotated[Mapping[str, str], Line("", TypedFields())]
    record: Any = create_model("OneEntity", name=(name, ...), fields=(fields, {}))
    line: Any = Annotated[record, Line("entity", Record(record))]
    return create_model("OneFile", entity=(line, ...))
