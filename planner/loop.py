"""The agent as a LangGraph graph: perceive, decide, think, act, observe, verify, answer.

    perceive -> decide -> act -> observe -> verify -> answer
                 |  ^ \\                               ^
                 v  |  +------- (cannot act) ---------+
                think

perceive reads the turn into the latent state; decide writes a tool call from the state alone; while
the call is unsure and the budget lasts, think refines the state and decide tries again; observe
reads the tool's result into the state and makes sure that this changed no wish of the person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langgraph.channels import UntrackedValue
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from lpm_model.state import LatentState
from planner.reader import Reader, Reading, Usage
from tools.tool import Check, Progress, Question, Questions, Tool

__all__ = ["Budget", "BudgetSpent", "LatentBytes", "LedgerEntry", "TurnState", "build_loop"]


class BudgetSpent(RuntimeError):
    """The turn reached a hard limit before it had an answer."""


@dataclass(frozen=True)
class Budget:
    """Hard limits on one turn.

    Attributes:
        steps: Nodes of the graph.
        model_calls: Forward passes.
        latent_steps: Latent steps.
    """

    steps: int = 20
    model_calls: int = 600
    latent_steps: int = 2


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
    """

    turn: int
    call: str


class TurnState(TypedDict, total=False):
    """What the graph keeps. Only ``latent`` and ``ledger`` outlive the turn."""

    latent: LatentBytes | None
    ledger: list[LedgerEntry]
    text: Annotated[str, UntrackedValue(str)]
    before: Annotated[LatentBytes | None, UntrackedValue(LatentBytes)]
    reading: Annotated[Reading | None, UntrackedValue(Reading)]
    tried: Annotated[list[tuple[Reading, LatentBytes]], UntrackedValue(list)]
    request: Annotated[Any, UntrackedValue(object)]
    result: Annotated[Any, UntrackedValue(object)]
    constraints: Annotated[dict[str, Any], UntrackedValue(dict)]
    questions: Annotated[tuple[Question, ...], UntrackedValue(tuple)]
    checks: Annotated[tuple[Check, ...], UntrackedValue(tuple)]
    warnings: Annotated[tuple[str, ...], UntrackedValue(tuple)]
    usage: Annotated[Usage, UntrackedValue(Usage)]


@dataclass(frozen=True)
class Thresholds:
    """When a reading counts as sure.

    Attributes:
        sure: Least probability of every argument for acting without thinking again.
        ask: Below this the planner asks instead of acting.
        kept: Least probability that each token of the call must keep after an observation.
    """

    sure: float = 0.6
    ask: float = 0.25
    kept: float = 0.1


def build_loop(
    reader: Reader,
    tools: Mapping[str, Tool],
    budget: Budget,
    progress: Progress,
    thresholds: Thresholds | None = None,
) -> StateGraph:
    """The graph, not compiled; see the module's docstring.

    Args:
        reader: The reasoner.
        tools: Tools by name.
        budget: Hard limits on one turn.
        progress: Told about long work.
        thresholds: When to think again and when to ask.
    """
    limits = thresholds or Thresholds()
    calls: dict[str, type[BaseModel]] = {name: tool.arguments for name, tool in tools.items()}

    def unpack(latent: LatentBytes) -> LatentState:
        return LatentState.from_bytes(latent.data, fingerprint=reader.fingerprint)

    def spend(state: TurnState, cost: Usage) -> Usage:
        total = state.get("usage", Usage()) + cost
        if total.model_calls > budget.model_calls:
            raise BudgetSpent(f"the request used up its {budget.model_calls} model calls")
        return total

    def perceive(state: TurnState) -> TurnState:
        before = state.get("latent")
        latent, cost = reader.perceive(state["text"], unpack(before) if before else None)
        return {"before": before, "latent": LatentBytes(latent.to_bytes()), "usage": spend(state, cost), "tried": []}

    def decide(state: TurnState) -> TurnState:
        latent = state["latent"]
        assert latent is not None  # perceive has run
        reading, cost = reader.read(unpack(latent), calls)
        tried = [*state.get("tried", []), (reading, latent)]
        best, held = max(tried, key=lambda pair: pair[0].certainty)
        return {"reading": best, "latent": held, "tried": tried, "usage": spend(state, cost)}

    def after_decide(state: TurnState) -> str:
        reading, usage = state["reading"], state["usage"]
        assert reading is not None  # decide has run
        if reading.certainty < limits.sure and reading.values and usage.latent_steps < budget.latent_steps:
            return "think"
        return "act" if reading.tool else "answer"

    def think(state: TurnState) -> TurnState:
        _, newest = state["tried"][-1]
        latent, cost = reader.think(unpack(newest))
        return {"latent": LatentBytes(latent.to_bytes()), "usage": spend(state, cost)}

    def act(state: TurnState) -> TurnState:
        reading = state["reading"]
        assert reading is not None  # decide has run
        tool = tools[reading.tool]
        prepared = tool.prepare(tool.arguments(**reading.values), progress)
        if isinstance(prepared, Questions):
            return {"questions": prepared.questions, "constraints": prepared.constraints}
        doubts = tuple(
            Question(
                field=name,
                said=str(reading.values.get(name)),
                reason=f"the reading of {name!r} is only {probability:.0%} sure",
            )
            for name, probability in reading.confidence.items()
            if probability < limits.ask
        )
        constraints = tool.constraints(prepared)
        if doubts:
            return {"questions": doubts, "constraints": constraints}
        return {"request": prepared, "result": tool.run(prepared, progress), "constraints": constraints}

    def after_act(state: TurnState) -> str:
        return "observe" if state.get("result") is not None else "answer"

    def observe(state: TurnState) -> TurnState:
        reading, latent = state["reading"], state["latent"]
        assert reading is not None and latent is not None  # act has run
        tool = tools[reading.tool]
        warnings = tool.warnings(state["result"])
        seen, cost = reader.perceive(tool.summary(state["result"]), unpack(latent))
        kept, more = reader.holds(seen, reading.call)
        if kept < limits.kept:
            # The result must never change what the person asked for: go back to the last good state.
            return {"warnings": warnings, "usage": spend(state, cost + more)}
        return {"latent": LatentBytes(seen.to_bytes()), "warnings": warnings, "usage": spend(state, cost + more)}

    def verify(state: TurnState) -> TurnState:
        reading = state["reading"]
        assert reading is not None  # act has run
        return {"checks": tools[reading.tool].verify(state["request"], state["result"])}

    def answer(state: TurnState) -> TurnState:
        reading, ledger = state["reading"], list(state.get("ledger", []))
        if reading is None or not reading.values:
            # Nothing was understood: what was read must not blur what was known before.
            return {"latent": state.get("before")}
        return {"ledger": [*ledger, LedgerEntry(len(ledger) + 1, reading.call)]}

    graph = StateGraph(TurnState)
    nodes: tuple[tuple[str, Callable[[TurnState], TurnState]], ...] = (
        ("perceive", perceive),
        ("decide", decide),
        ("think", think),
        ("act", act),
        ("observe", observe),
        ("verify", verify),
        ("answer", answer),
    )
    for name, node in nodes:
        graph.add_node(name, node)
    graph.add_edge(START, "perceive")
    graph.add_edge("perceive", "decide")
    graph.add_conditional_edges("decide", after_decide, ["think", "act", "answer"])
    graph.add_edge("think", "decide")
    graph.add_conditional_edges("act", after_act, ["observe", "answer"])
    graph.add_edge("observe", "verify")
    graph.add_edge("verify", "answer")
    graph.add_edge("answer", END)
    return graph
