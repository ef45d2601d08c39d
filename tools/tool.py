"""What a tool is to the agent: typed arguments, three plain functions, and honest results.

The agent writes a call in the lines that the arguments define (``tools.notation``), prepares it
(names become things, or questions to the person), runs it, and has the result checked by a function
that does not share the search's code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["BadInput", "Check", "Progress", "Proposal", "Question", "Questions", "Spent", "Tool", "silent"]

Progress = Callable[[str, float], None]
"""Told about long work: a stage in words and the share done, 0 to 1."""


class BadInput(ValueError):
    """What a tool was given beside words, a file or a name, cannot be used; the message says why."""


def silent(_stage: str, _share: float) -> None:
    """No progress wanted."""


class Check(BaseModel):
    """One constraint, whether the result keeps it, and the evidence in words and figures."""

    model_config = ConfigDict(frozen=True)

    constraint: str
    satisfied: bool
    evidence: str


class Spent(BaseModel):
    """What a model that a tool itself asked has cost.

    Attributes:
        model_calls: Forward passes of a model on this machine; requests to another.
        tokens_in: Tokens read.
        tokens_out: Tokens written.
    """

    model_config = ConfigDict(frozen=True)

    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            model_calls=self.model_calls + other.model_calls,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
        )


class Question(BaseModel):
    """What must be asked before a call can run.

    Attributes:
        field: The argument in question.
        said: What was read for it, if anything.
        reason: Why it cannot be used, in words.
        candidates: Answers to offer, best first; may be empty.
        similar: Where nothing is called what was said: names spelled like it, as a call writes them.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    said: str | None
    reason: str
    candidates: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A way to complete a call that lacks something, if that is what the person means.

    Attributes:
        title: What it is, in a few words.
        field: The argument that tells the proposals apart.
        phrases: Ways to say it there, the title among them.
        prepare: ``Tool.prepare`` of the call completed in this way.
        assumed: What is then taken for granted and what should be said, a sentence each.
    """

    title: str
    field: str
    phrases: tuple[str, ...]
    prepare: Callable[[Progress], BaseModel | Questions]
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Questions:
    """A call that cannot run yet, and what is already known of it.

    Attributes:
        questions: At least one.
        constraints: The fields of the public schema, resolved as far as possible.
        proposals: Ways to complete the call.
    """

    questions: tuple[Question, ...]
    constraints: dict[str, Any]
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A tool that the agent can call.

    Attributes:
        name: First line of its calls.
        description: One sentence for the person and for other agents.
        needs: What a request says at least: the rest of a sentence that begins with "say".
        arguments: The call as written; every field says how with ``tools.notation.Line``.
        prepare: Turns a call into a request with everything resolved, or into questions.
        constraints: The request in the fields of the public schema.
        run: Answers a request. Reports long work to the given ``Progress``.
        warnings: What the person should know about an answer.
        verify: Checks an answer against its request, independently of how it was found.
        summary: The answer in one line, as the agent will remember it.
        spent: What models that the tool itself asked have cost.
    """

    name: str
    description: str
    needs: str
    arguments: type[BaseModel]
    prepare: Callable[[Any, Progress], BaseModel | Questions]
    constraints: Callable[[Any], dict[str, Any]]
    run: Callable[[Any, Progress], BaseModel]
    warnings: Callable[[Any], tuple[str, ...]]
    verify: Callable[[Any, Any], tuple[Check, ...]]
    summary: Callable[[Any], str]
    spent: Callable[[Any], Spent] = lambda _answer: Spent()
