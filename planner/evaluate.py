"""Read conversations whose meaning is known, through the same loop that plans.

Tools are prepared (names resolved) but not run: what is measured is the reading.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lpm_model.base import adapter_file, load_model
from lpm_model.state import LatentState
from planner.calibration import calibration_of
from planner.loop import Budget, BudgetSpent, Loop, build_loop
from planner.reader import LPMReader, Reader, Reading, ReadingMode, TooLong, Usage
from planner.scoring import wrong_fields
from planner.sessions import memory_store, thread
from planner.write import check_target
from tools.cache import cache_dir
from tools.files import write_whole
from tools.registry import ARGUMENTS, TOOLS
from tools.tool import Progress, silent

__all__ = [
    "EvaluationError",
    "GoldConversation",
    "GoldTurn",
    "Understood",
    "evaluate",
    "evaluate_file",
    "read_all",
    "read_gold",
]

_TURNS_APART = 4  # turns from this one on are counted together


@dataclass(frozen=True)
class Understood:
    """What is in force after a turn.

    Attributes:
        means: In the fields of the public schema; empty if nothing could be read.
        written: Names of the fields that were read, before anything was resolved or taken for granted.
        confidence: See ``planner.reader.Reading``.
        asked: Names of the fields that the person would be asked about ("text" where nothing was read). Of a
            goal that a tool has proposals for, a plan may take one instead.
        usage: What reading it cost.
    """

    means: dict[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    confidence: dict[str, float] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    usage: Usage = field(default_factory=Usage)


class EvaluationError(ValueError):
    """The file of conversations cannot be used."""


class GoldTurn(BaseModel):
    """What is said, and what it means."""

    model_config = ConfigDict(frozen=True)

    user: str
    means: dict[str, Any]


class GoldConversation(BaseModel):
    """A conversation with its meaning after every turn."""

    model_config = ConfigDict(frozen=True)

    id: str
    domain: str
    turns: tuple[GoldTurn, ...] = Field(min_length=1)


def read_gold(file: Path) -> list[GoldConversation]:
    """Read a ``.jsonl`` file of conversations.

    Raises:
        EvaluationError: With the number of the first bad line.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"cannot read {file}: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(GoldConversation.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise EvaluationError(
                    f"{file}, line {number}: {where + ': ' if where else ''}{first['msg']}"
                ) from error
    return found


def evaluate_file(
    file: Path,
    *,
    domain: str | None,
    mode: ReadingMode,
    out: Path | None,
    limit: int | None,
    compares: bool = False,
    base: Path | None,
    adapter: Path | None = None,
    progress: Progress,
    note: Callable[[str], None],
) -> list[str]:
    """Evaluate the model on a file; returns the lines to print.

    Raises:
        EvaluationError: If the file is bad or holds nothing that can be read.
        BaseError: If the model cannot be loaded.
        OSError: If ``out`` cannot be written.
    """
    if compares and mode != "state":
        raise EvaluationError("both readings are compared where the state is read: leave --reading away")
    if out is not None:
        check_target(out)
    gold = [c for c in read_gold(file) if domain is None or c.domain == domain]
    unread = Counter(c.domain for c in gold if c.domain not in ARGUMENTS)
    gold = [c for c in gold if c.domain in ARGUMENTS][:limit]
    if not gold:
        raise EvaluationError(
            f"{file} holds no conversation of {domain or 'a domain'} that is read ({', '.join(ARGUMENTS)})"
        )
    progress("loading the model", 0.0)
    loaded = load_model(
        base, cache_dir(), adapter=adapter, progress=lambda stage: progress(stage, 0.0), note=note
    )
    # What would be asked is asked by the probabilities that a plan goes by.
    calibration = (
        calibration_of(adapter or adapter_file(base), loaded.fingerprint, note) if compares else None
    )
    predictions, lines = evaluate(LPMReader(loaded, mode, calibration=calibration), gold, progress, compares)
    if out is not None:
        write_whole(out, "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in predictions))
    skipped = [f"left out: {n} conversations of {name}, which is not read" for name, n in unread.items()]
    return [f"reading: {mode}", *lines, *skipped]


def evaluate(
    reader: Reader, gold: list[GoldConversation], progress: Progress, compares: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every turn of every conversation; returns the predictions and a summary.

    Where a tool acts on a domain, what was read goes through its preparation, so that names are resolved.

    Args:
        reader: The reasoner.
        gold: The conversations.
        progress: Told how far it is.
        compares: Whether the call is also read with the turn's words in sight, as it is where a plan is made.
    """
    predictions: list[dict[str, Any]] = []
    tally, usage = Counter[str](), Usage()
    began = time.perf_counter()
    for conversation, read in zip(gold, read_all(reader, gold, progress, compares), strict=True):
        turns = []
        for index, (turn, understood) in enumerate(zip(conversation.turns, read, strict=True), 1):
            turns.append({"means": understood.means})
            when = f"turn {index}" if index < _TURNS_APART else f"turns {_TURNS_APART} and later"
            tally["turns"] += 1
            tally[f"{conversation.domain}, {when}"] += 1
            right = not wrong_fields(understood.means, turn.means)
            tally[f"{conversation.domain}, {when}, exact"] += right
            tally[f"asked: {conversation.domain}, {when}"] += bool(understood.asked)
            tally[f"asked, exact: {conversation.domain}, {when}"] += bool(understood.asked) and right
            usage += understood.usage
        predictions.append({"id": conversation.id, "turns": turns})
    seconds, count = time.perf_counter() - began, tally["turns"]
    counted = sorted(name for name in tally if f"{name}, exact" in tally)
    lines = [f"{name}: {tally[f'{name}, exact']}/{tally[name]} exact" for name in counted]
    lines.append(
        f"per turn: {seconds / count:.2f} s, {usage.model_calls / count:.1f} model calls, "
        f"{usage.tokens_in / count:.1f} tokens in, {usage.tokens_out / count:.1f} out, "
        f"{usage.latent_steps / count:.2f} latent steps"
    )
    for name in counted:
        asked, needless = tally[f"asked: {name}"], tally[f"asked, exact: {name}"]
        wrong = tally[name] - tally[f"{name}, exact"]
        lines.append(
            f"{name}: something would be asked in {asked}, of which {asked - needless} were read wrongly; "
            f"{wrong - asked + needless} read wrongly without a question"
        )
    return predictions, lines


def read_all(
    reader: Reader, gold: Sequence[GoldConversation], progress: Progress, compares: bool = False
) -> Iterator[list[Understood]]:
    """What is understood after each turn, conversation by conversation."""
    loops = {
        name: build_loop(reader, {name: TOOLS[name]}, Budget(), silent, run_tools=False, compares=compares)
        for name in {c.domain for c in gold} & set(TOOLS)
    }
    for number, conversation in enumerate(gold):
        progress(conversation.id, number / len(gold))
        if conversation.domain in loops:
            yield list(_through_loop(loops[conversation.domain], conversation))
        else:
            yield list(_plainly(reader, conversation))


def _through_loop(loop: Loop, conversation: GoldConversation) -> Iterator[Understood]:
    """What the agent has before it acts."""
    compiled = loop.compile(checkpointer=memory_store())
    config: Any = {"configurable": thread(None), "recursion_limit": Budget().steps}
    for turn in conversation.turns:
        try:
            done: Any = compiled.invoke({"text": turn.user}, config, durability="exit")
        except (BudgetSpent, TooLong):
            yield Understood(asked=frozenset({"text"}))
            continue
        asked = (
            [question.field for question in done.get("questions", ())] if done["reading"].tool else ["text"]
        )
        yield _understood(done.get("constraints", {}), done["reading"], asked, done["usage"])


def _understood(means: Mapping[str, Any], reading: Reading, asked: Iterable[str], usage: Usage) -> Understood:
    written, confidence = frozenset(reading.values), dict(reading.confidence)
    return Understood(dict(means), written, confidence, frozenset(asked), usage)


def _plainly(reader: Reader, conversation: GoldConversation) -> Iterator[Understood]:
    """The same where no tool acts on what was read."""
    held: LatentState | None = None
    calls = {conversation.domain: ARGUMENTS[conversation.domain]}
    for turn in conversation.turns:
        try:
            seen, seeing = reader.perceive(turn.user, held)
        except TooLong:
            yield Understood(asked=frozenset({"text"}))
            continue
        reading, writing = reader.read(seen, calls)
        usage = seeing + writing
        if reading.values:
            held, keeping = reader.perceive(reading.call, seen if reader.keeps_words else held)
            usage += keeping
        yield _understood(reading.values, reading, (), usage)
