"""Read conversations whose meaning is known, through the same loop that plans.

Tools are prepared (names resolved) but not run: what is measured is the reading.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lpm_model.base import load_model
from planner.loop import Budget, BudgetSpent, build_loop
from planner.reader import LPMReader, Reader, ReadingMode, TooLong
from planner.sessions import memory_store, thread
from planner.write import check_target
from tools.cache import cache_dir
from tools.files import write_whole
from tools.registry import TOOLS
from tools.tool import Progress

__all__ = ["EvaluationError", "GoldConversation", "evaluate", "evaluate_file"]


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
    base: Path | None,
    progress: Progress,
    note: Callable[[str], None],
) -> list[str]:
    """Evaluate the model on a file; returns the lines to print.

    Raises:
        EvaluationError: If the file is bad or no tool reads what it holds.
        BaseError: If the model cannot be loaded.
        OSError: If ``out`` cannot be written.
    """
    if out is not None:
        check_target(out)
    gold = [c for c in read_gold(file) if domain is None or c.domain == domain]
    unread = Counter(c.domain for c in gold if c.domain not in TOOLS)
    gold = [c for c in gold if c.domain in TOOLS][:limit]
    if not gold:
        raise EvaluationError(
            f"{file} holds no conversation of {domain or 'a domain'} that a tool reads ({', '.join(TOOLS)})"
        )
    progress("loading the model", 0.0)
    loaded = load_model(base, cache_dir(), progress=lambda stage: progress(stage, 0.0), note=note)
    predictions, lines = evaluate(LPMReader(loaded, mode), gold, progress)
    if out is not None:
        write_whole(out, "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in predictions))
    skipped = [
        f"left out: {n} conversations of {name}, which no tool reads yet" for name, n in unread.items()
    ]
    return [f"reading: {mode}", *lines, *skipped]


def evaluate(
    reader: Reader, gold: list[GoldConversation], progress: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every turn of every conversation; returns the predictions and a summary."""
    predictions: list[dict[str, Any]] = []
    tally = Counter[str]()
    loops = {
        name: build_loop(reader, {name: TOOLS[name]}, Budget(), _silent, run_tools=False)
        for name in {c.domain for c in gold}
    }
    began = time.perf_counter()
    for number, conversation in enumerate(gold):
        progress(conversation.id, number / len(gold))
        loop = loops[conversation.domain].compile(checkpointer=memory_store())
        config: Any = {"configurable": thread(None), "recursion_limit": Budget().steps}
        turns = []
        for index, turn in enumerate(conversation.turns):
            try:
                done: Any = loop.invoke({"text": turn.user}, config, durability="exit")
            except (BudgetSpent, TooLong):
                done = {}
            means = done.get("constraints", {})
            turns.append({"means": means})
            when = "first" if index == 0 else "later"
            tally[when] += 1
            tally[f"{when} exact"] += _same(means, turn.means)
            for cost in ("model_calls", "tokens_in", "tokens_out", "latent_steps"):
                tally[cost] += getattr(done.get("usage"), cost, 0)
        predictions.append({"id": conversation.id, "turns": turns})
    seconds, count = time.perf_counter() - began, tally["first"] + tally["later"]
    lines = [
        f"{when} turns exact: {tally[f'{when} exact']}/{tally[when]}"
        for when in ("first", "later")
        if tally[when]
    ]
    lines.append(
        f"per turn: {seconds / count:.2f} s, {tally['model_calls'] / count:.1f} model calls, "
        f"{tally['tokens_in'] / count:.1f} tokens in, {tally['tokens_out'] / count:.1f} out, "
        f"{tally['latent_steps'] / count:.2f} latent steps"
    )
    return predictions, lines


def _silent(_stage: str, _share: float) -> None:
    """No progress wanted."""


def _same(means: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Equality of two meanings; the public scorer beside the requests is the measure that counts."""
    unordered = {"avoid", "avoid_places"} | ({"via"} if wanted.get("via_order") == "any" else set())

    def comparable(fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: sorted(value, key=str) if name in unordered and isinstance(value, list) else value
            for name, value in fields.items()
        }

    return comparable(means) == comparable(wanted)
