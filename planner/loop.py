r"""The agent as a LangGraph graph: perceive, decide, think, compare, act, observe, verify, answer.

    perceive -> decide -> compare -> act -> observe -> verify -> answer
                 |  ^                | ^                           ^
                 v  |                v |                           |
                think           reconsider, propose ---------------+

perceive reads the turn into the latent state; decide writes a tool call from the state alone; while
the call is unsure and the budget lasts, think refines the state and decide tries again; compare reads the
call once more with the turn's words in sight, and where these mean something else, the person is asked,
field by field; where the tool knows no such name, reconsider asks the state which of the names that the
tool knows it holds; where the call lacks something that the tool can propose, propose asks the state which
of the proposals it means; observe reads the tool's result and the call into the state of before the turn and
makes sure that the result changed no wish of the person; answer keeps that state, or where there is no result
reads the call alone into it, for a later turn to change. The turn's own words are not kept: what they mean
stands in the call (but for words that chose a proposal, which no call names). answer alone writes what
outlives the turn, so a turn that fails on the way changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langgraph.channels import UntrackedValue
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from lpm_model.state import LatentState
from planner.meaning import resolved
from planner.reader import Reader, Reading, Usage
from planner.scoring import wrong_fields
from tools.notation import write_call
from tools.tool import Check, Progress, Proposal, Question, Questions, Tool

__all__ = [
    "Budget",
    "BudgetSpent",
    "LatentBytes",
    "LedgerEntry",
    "Loop",
    "Thresholds",
    "TurnState",
    "build_loop",
    "remembered",
]


class BudgetSpent(RuntimeError):
    """The turn reached a hard limit before it had an answer; ``usage`` is what it cost until then."""

    def __init__(self, message: str, usage: Usage) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True)
class Budget:
    """Hard limits on one turn.

    Attributes:
        steps: Nodes of the graph that may run.
        model_calls: Forward passes, counted after each node: the node that passes the limit is the last.
        latent_steps: Latent steps. None by default: with the shipped weights a step halves what is right.
    """

    steps: int = 20
    model_calls: int = 600
    latent_steps: int = 0


@dataclass(frozen=True)
class LatentBytes:
    """The latent state as a checkpoint stores it: safetensors, checked when it is read."""

    data: bytes


@dataclass(frozen=True)
class LedgerEntry:
    """What was in force after a turn, kept beside the state so that a loss is noticed.

    Attributes:
        turn: Number of the turn, from 1.
        call: The call's lines as they were read from the state.
        restored: Whether the result, once read, would have changed the call, and was forgotten again.
    """

    turn: int
    call: str
    restored: bool = False


class TurnState(TypedDict, total=False):
    """What the graph keeps. Only ``latent``, ``ledger`` and ``given`` outlive the turn.

    ``brought`` is what the turn came with beside words, and what such there was before, as JSON; ``given`` is
    the same once the turn was understood. ``held`` is the latent state that the turn's words were read into,
    ``tried`` every reading of this turn with the state it was read from, ``seen`` what the turn's words say
    in sight, where that may be something else, ``next`` the state that a later turn begins with.
    """

    latent: LatentBytes
    ledger: list[LedgerEntry]
    given: str
    brought: Annotated[str, UntrackedValue(str)]
    text: Annotated[str, UntrackedValue(str)]
    held: Annotated[LatentBytes, UntrackedValue(LatentBytes)]
    next: Annotated[LatentBytes, UntrackedValue(LatentBytes)]
    reading: Annotated[Reading, UntrackedValue(Reading)]
    tried: Annotated[list[tuple[Reading, LatentBytes]], UntrackedValue(list)]
    request: Annotated[Any, UntrackedValue(object)]
    result: Annotated[Any, UntrackedValue(object)]
    restored: Annotated[bool, UntrackedValue(bool)]
    seen: Annotated[Reading, UntrackedValue(Reading)]
    constraints: Annotated[dict[str, Any], UntrackedValue(dict)]
    questions: Annotated[tuple[Question, ...], UntrackedValue(tuple)]
    reconsidered: Annotated[bool, UntrackedValue(bool)]
    proposals: Annotated[tuple[Proposal, ...], UntrackedValue(tuple)]
    proposal: Annotated[Proposal, UntrackedValue(object)]
    checks: Annotated[tuple[Check, ...], UntrackedValue(tuple)]
    warnings: Annotated[tuple[str, ...], UntrackedValue(tuple)]
    usage: Annotated[Usage, UntrackedValue(Usage)]


Loop = StateGraph[TurnState, None, TurnState, TurnState]


@dataclass(frozen=True)
class Thresholds:
    """When a reading counts as sure.

    Attributes:
        sure: Least probability of every argument for acting without thinking again.
        ask: Below this the planner asks instead of acting.
        kept: Least probability that each token of the call must keep after an observation.
        same: Where every token of the call is more probable than this with the turn's words in sight, these
            say the same: a token is the likeliest from one half on.
        misspelt: How probable a name that the tool knows must be, compared with the name that was
            written and that it does not know, to be taken for it.
        ahead: How many times as probable as the next proposal the state must make the best one, each
            compared with a state that holds nothing.
    """

    sure: float = 0.6
    ask: float = 0.25
    kept: float = 0.1
    same: float = 0.5
    misspelt: float = 0.5
    ahead: float = 3.0


_OFFERED = 5  # proposals, where none is clearly meant


def build_loop(
    reader: Reader,
    tools: Mapping[str, Tool],
    budget: Budget,
    progress: Progress,
    thresholds: Thresholds | None = None,
    run_tools: bool = True,
    remembers: bool = True,
    compares: bool = True,
) -> Loop:
    """The graph, not compiled; see the module's docstring.

    Args:
        reader: The reasoner.
        tools: Tools by name.
        budget: Hard limits on one turn.
        progress: Told about long work.
        thresholds: When to think again and when to ask.
        run_tools: False to read and prepare calls only, for a measure of the reading.
        remembers: Whether the state outlives the turn; where it does not, neither result nor call is read
            into it.
        compares: Whether the call is also read with the turn's words in sight.
    """
    limits = thresholds or Thresholds()
    calls: dict[str, type[BaseModel]] = {name: tool.arguments for name, tool in tools.items()}

    def unpack(latent: LatentBytes) -> LatentState:
        return LatentState.from_bytes(latent.data, fingerprint=reader.fingerprint)

    def spend(state: TurnState, cost: Usage) -> Usage:
        total = state.get("usage", Usage()) + cost
        if total.model_calls > budget.model_calls:
            raise BudgetSpent(f"the request used up its {budget.model_calls} model calls", total)
        return total

    def earlier(state: TurnState) -> LatentState | None:
        return unpack(state["latent"]) if "latent" in state else None

    def beginning(state: TurnState) -> LatentState | None:
        # Which proposal a turn means stands in its words alone, everything else in the call.
        kept = "proposal" in state or reader.keeps_words
        return unpack(state["held"]) if kept else earlier(state)

    def perceive(state: TurnState) -> TurnState:
        seen, cost = reader.perceive(state["text"], earlier(state))
        return {"held": LatentBytes(seen.to_bytes()), "usage": spend(state, cost), "tried": []}

    def decide(state: TurnState) -> TurnState:
        newest = state["held"]
        reading, cost = reader.read(unpack(newest), calls)
        tried = [*state["tried"], (reading, newest)]
        best, held = max(tried, key=lambda pair: pair[0].certainty)
        return {"reading": best, "held": held, "tried": tried, "usage": spend(state, cost)}

    def after_decide(state: TurnState) -> str:
        reading = state["reading"]
        unsure = reading.values and reading.certainty < limits.sure
        if unsure and state["usage"].latent_steps < budget.latent_steps:
            return "think"
        if not reading.tool:
            return "answer"
        return "compare" if compares else "act"

    def compare(state: TurnState) -> TurnState:
        reading, held, text = state["reading"], unpack(state["held"]), state["text"]
        sureness, cost = reader.holds(held, reading.call, beside=text)
        if sureness > limits.same:
            return {"usage": spend(state, cost)}
        seen, seeing = reader.read(held, calls, beside=text)
        # To read the text into the state once more settles nothing: read twice, it says what it says in
        # sight. Of 14 requests that this would have settled, the first reading was right in nine, the second
        # in one.
        return {"seen": seen, "usage": spend(state, cost + seeing)}

    def think(state: TurnState) -> TurnState:
        _, newest = state["tried"][-1]
        thought, cost = reader.think(unpack(newest))
        return {"held": LatentBytes(thought.to_bytes()), "usage": spend(state, cost)}

    def act(state: TurnState) -> TurnState:
        reading = state["reading"]
        tool = tools[reading.tool]
        if "proposal" in state:
            prepared = state["proposal"].prepare(progress)
        else:
            prepared = tool.prepare(tool.arguments(**reading.values), progress)
        if isinstance(prepared, Questions):
            return {
                "questions": prepared.questions,
                "constraints": prepared.constraints,
                "proposals": prepared.proposals,
            }
        constraints = tool.constraints(prepared)
        doubts = _doubts(reading, constraints, limits.ask)
        if "seen" in state:
            differing = _otherwise(tool, reading, constraints, state["seen"])
            doubted = {question.field for question in doubts}
            doubts += _differences(constraints, {n: v for n, v in differing.items() if n not in doubted})
        if doubts:
            return {"questions": doubts, "constraints": constraints}
        if not run_tools:
            return {"constraints": constraints}
        return {"request": prepared, "result": tool.run(prepared, progress), "constraints": constraints}

    def after_act(state: TurnState) -> str:
        if "result" in state:
            return "observe"
        if state.get("proposals") and "proposal" not in state and run_tools:
            return "propose"
        unknown = any(question.similar for question in state.get("questions", ()))
        return "reconsider" if unknown and not state.get("reconsidered") else "answer"

    def reconsider(state: TurnState) -> TurnState:
        reading, questions, cost = state["reading"], state["questions"], Usage()
        arguments, taken = tools[reading.tool].arguments, []
        for question in questions:
            if not question.similar:
                continue
            meant = [_renamed(reading.values, question, name) for name in question.similar]
            # Written anew like the others: miles that were read are kilometres then.
            written = [write_call(reading.tool, arguments, values) for values in (reading.values, *meant)]
            (held, *weights), weighing = reader.weigh(unpack(state["held"]), written)
            cost += weighing
            best = max(range(len(weights)), key=weights.__getitem__)
            if weights[best] - held >= math.log(limits.misspelt):
                # Every spelling that the state holds for the name says that there is one.
                together = sum(math.exp(weight - held) for weight in (held, *weights))
                sureness = min(1.0, reading.confidence[question.field] * together)
                confidence = {**reading.confidence, question.field: sureness}
                reading = Reading(written[best + 1], reading.tool, meant[best], confidence)
                taken.append(f"{question.reason}: read as {question.similar[best]}")
        after: TurnState = {"reconsidered": True, "usage": spend(state, cost)}
        return {**after, "reading": reading, "questions": (), "warnings": tuple(taken)} if taken else after

    def propose(state: TurnState) -> TurnState:
        reading, proposals, held = state["reading"], state["proposals"], unpack(state["held"])
        arguments, written = tools[reading.tool].arguments, [reading.call]
        for proposal in proposals:
            written += [
                write_call(reading.tool, arguments, {**reading.values, proposal.field: phrase})
                for phrase in proposal.phrases
            ]
        said, saying = reader.weigh(held, written)
        # What is a common phrase anyway is none that the person has said.
        anyway, comparing = reader.weigh(held.zeroed(), written)
        gains = iter([with_it - without for with_it, without in zip(said[1:], anyway[1:], strict=True)])
        best_gain = [max(next(gains) for _ in proposal.phrases) for proposal in proposals]
        ranked = sorted(range(len(proposals)), key=lambda place: -best_gain[place])
        spent: TurnState = {"usage": spend(state, saying + comparing)}
        first, second = best_gain[ranked[0]], best_gain[ranked[1]] if len(ranked) > 1 else 0.0
        if first > 0 and first - second >= math.log(limits.ahead):
            chosen = proposals[ranked[0]]
            return {**spent, "proposal": chosen, "questions": (), "warnings": chosen.assumed}
        offered = tuple(proposals[place].title for place in ranked[:_OFFERED])
        asked, *others = state["questions"]
        return {**spent, "questions": (asked.model_copy(update={"candidates": offered}), *others)}

    def after_reconsider(state: TurnState) -> str:
        return "answer" if state["questions"] else "act"

    def observe(state: TurnState) -> TurnState:
        reading, result = state["reading"], state["result"]
        tool = tools[reading.tool]
        warnings = (*state.get("warnings", ()), *tool.warnings(result))
        if not remembers:
            return {"warnings": warnings}
        seen, reading_cost = reader.perceive(tool.summary(result), beginning(state))
        seen, keeping_cost = reader.perceive(reading.call, seen)
        sureness, checking_cost = reader.holds(seen, reading.call)
        # The result must never change what the person asked for: if it would, it is not remembered.
        restored = sureness < limits.kept
        after: TurnState = {} if restored else {"next": LatentBytes(seen.to_bytes())}
        spent = spend(state, reading_cost + keeping_cost + checking_cost)
        return {**after, "restored": restored, "warnings": warnings, "usage": spent}

    def verify(state: TurnState) -> TurnState:
        return {"checks": tools[state["reading"].tool].verify(state["request"], state["result"])}

    def answer(state: TurnState) -> TurnState:
        reading, ledger = state["reading"], state.get("ledger", [])
        if not remembered(state):
            # Nothing was understood: what was read must not blur what was known before.
            return {}
        entry = LedgerEntry(len(ledger) + 1, reading.call, state.get("restored", False))
        after: TurnState = {"ledger": [*ledger, entry], "given": state.get("brought", "")}
        if not remembers:
            return after
        if "next" in state:
            return {**after, "latent": state["next"]}
        # A later turn changes what was understood; with the words beside it fewer of them are read exactly.
        seen, cost = reader.perceive(reading.call, beginning(state))
        return {**after, "latent": LatentBytes(seen.to_bytes()), "usage": spend(state, cost)}

    graph = StateGraph(TurnState)
    graph.add_node("perceive", perceive)
    graph.add_node("decide", decide)
    graph.add_node("compare", compare)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_node("reconsider", reconsider)
    graph.add_node("propose", propose)
    graph.add_node("observe", observe)
    graph.add_node("verify", verify)
    graph.add_node("answer", answer)
    graph.add_edge(START, "perceive")
    graph.add_edge("perceive", "decide")
    graph.add_conditional_edges("decide", after_decide, ["think", "compare", "act", "answer"])
    graph.add_edge("think", "decide")
    graph.add_edge("compare", "act")
    graph.add_conditional_edges("act", after_act, ["observe", "reconsider", "propose", "answer"])
    graph.add_conditional_edges("reconsider", after_reconsider, ["act", "answer"])
    graph.add_conditional_edges("propose", after_reconsider, ["act", "answer"])
    graph.add_edge("observe", "verify")
    graph.add_edge("verify", "answer")
    graph.add_edge("answer", END)
    return graph


def remembered(state: TurnState) -> bool:
    """Whether a turn's request outlives it: something was understood, or proposed and taken."""
    return bool(state["reading"].values) or "proposal" in state


def _doubts(reading: Reading, constraints: Mapping[str, Any], ask: float) -> tuple[Question, ...]:
    """A question for every argument that was read with a probability below ``ask``."""
    return tuple(
        Question(
            field=name,
            said=_in_words(constraints[name]) if name in constraints else None,
            reason=f"{name.replace('_', ' ')} was {'read' if name in reading.values else 'left out'} "
            f"with a probability of only {probability:.0%}",
        )
        for name, probability in reading.confidence.items()
        if probability < ask
    )


def _otherwise(tool: Tool, reading: Reading, constraints: Mapping[str, Any], seen: Reading) -> dict[str, Any]:
    """The constraints that ``seen`` means otherwise; None where it has no such constraint.

    A name that the tool does not know says nothing, and neither does what is no call of the same tool.
    """
    if seen.tool != reading.tool:
        return {}
    try:
        theirs = resolved(tool, seen.values)
    except ValueError:  # the grammar knows no bounds: a task of no days
        return {}
    unknown: set[str] = set()
    if isinstance(theirs, Questions):
        unknown, theirs = {question.field for question in theirs.questions}, theirs.constraints
    differ = {*wrong_fields(constraints, theirs), *wrong_fields(theirs, constraints)}
    return {
        name: theirs.get(name)
        for name in sorted(differ - unknown)
        # As far as it could be resolved, the same words may not look the same.
        if reading.values.get(name) != seen.values.get(name)
    }


def _differences(constraints: Mapping[str, Any], differing: Mapping[str, Any]) -> tuple[Question, ...]:
    """A question for every constraint that the words in sight say otherwise than the state."""
    questions = []
    for name, value in differing.items():
        kept, seen = _apart(constraints.get(name), value)
        reason = f"remembered as {kept or 'not said'}, with your words in sight {seen or 'not said'}"
        candidates = tuple(filter(None, (kept, seen)))
        questions.append(Question(field=name, said=kept, reason=reason, candidates=candidates))
    return tuple(questions)


def _renamed(values: Mapping[str, Any], question: Question, name: str) -> dict[str, Any]:
    """The values with another name for the one in question."""
    old = values[question.field]
    new = name if isinstance(old, str) else [name if one == question.said else one for one in old]
    return {**values, question.field: new}


def _apart(kept: Any, seen: Any) -> tuple[str | None, str | None]:
    """Two values in words; of lists of records only those that are not in both."""
    if _has_records(kept) and _has_records(seen):
        only = [one for one in kept if one not in seen], [one for one in seen if one not in kept]
        kept, seen = only if any(only) else (kept, seen)
    return _in_words(kept) or None, _in_words(seen) or None


def _has_records(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, Mapping | list | tuple) for one in value)


def _in_words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        # What a record is about stands first.
        about = next((key for key in ("name", "who") if key in value), None)
        told = ", ".join(f"{key} {_in_words(part)}" for key, part in value.items() if key != about)
        return f"{value[about]} ({told})" if about and told else str(value[about]) if about else told
    if _has_records(value):
        return "; ".join(" ".join(one) if isinstance(one, list | tuple) else _in_words(one) for one in value)
    return ", ".join(map(_in_words, value)) if isinstance(value, list | tuple) else str(value)
