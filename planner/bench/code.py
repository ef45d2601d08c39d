"""``planner bench code``: programs from requests whose meaning is known, and what reading them costs.

For every conversation about a program, the program after its last turn is built twice: from what the model
read into its state, and from the true meaning, which shows what the templates alone lose. It is run in the
sandbox. What the person named counts as present where what was read names it, too, with the same type, and
the probe found it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from lpm_model.base import LoadedModel, load_model
from planner.bench.arms import ARMS, Arm, Run, run, wanted
from planner.bench.bootstrap import Interval, mean_interval, ratio_interval
from planner.evaluate import EvaluationError, GoldConversation, read_gold
from planner.scoring import plain_name, wrong_fields
from tools.cache import cache_dir
from tools.code_writer.rendering import RenderError
from tools.code_writer.tool import code_tool
from tools.code_writer.types import CodeRequest
from tools.sandbox import Sandbox, find_sandbox
from tools.tool import BadInput, Progress, silent

__all__ = ["Built", "CodeBench", "Measured", "bench_code", "build", "print_bench"]

_ROWS = ("read", "true")
_SHARES = {
    "built": "built",
    "tests": "tests pass",
    "answers": "answers",
    "kind": "right kind",
    "complete": "all of it",
}
_PARTS = ("entities", "fields", "relations", "features")
_FIGURES = ("calls", "passes", "tokens_in", "tokens_out", "seconds")


@dataclass(frozen=True)
class Built:
    """A program that was built and run.

    Attributes:
        built: Whether there is a program, in Python.
        tests: Whether its own tests pass.
        answers: Whether it starts, and its way in (routes, commands, classes) answers.
        kind: Whether it is of the kind that was asked for.
        present: Part of the meaning -> how many of it were found, and how many were asked for.
    """

    built: bool
    tests: bool
    answers: bool
    kind: bool
    present: Mapping[str, tuple[int, int]]

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there and works."""
        parts = all(found == asked for found, asked in self.present.values())
        return self.built and self.tests and self.answers and self.kind and parts


@dataclass(frozen=True)
class Measured:
    """One conversation: its two programs, and its run in each arm."""

    id: str
    programs: Mapping[str, Built]
    runs: Mapping[Arm, Run]
    exact: Mapping[Arm, bool]


@dataclass(frozen=True)
class CodeBench:
    """What was measured, and in which sandbox."""

    sandbox: str
    measured: tuple[Measured, ...]

    def as_object(self) -> dict[str, Any]:
        """All figures as plain values, with 95% intervals over the conversations."""
        return {
            "conversations": len(self.measured),
            "sandbox": self.sandbox,
            "programs": {row: self._programs(row) for row in _ROWS},
            "arms": {arm: self._arm(arm) for arm in ARMS},
            "state_by": {arm: self._ratios(arm) for arm in ARMS if arm != "state"},
            "tasks": [
                {
                    "id": one.id,
                    "programs": {row: asdict(built) for row, built in one.programs.items()},
                    "arms": {
                        arm: {**found.cost.as_object(), "exact": one.exact[arm]}
                        for arm, found in one.runs.items()
                    },
                }
                for one in self.measured
            ],
        }

    def _programs(self, row: str) -> dict[str, Any]:
        programs = [one.programs[row] for one in self.measured]
        shares = {name: mean_interval([getattr(built, name) for built in programs]) for name in _SHARES}
        present = {
            part: tuple(sum(built.present[part][end] for built in programs) for end in (0, 1))
            for part in _PARTS
        }
        return {**shares, "present": present}

    def _costs(self, arm: Arm, figure: str) -> list[float]:
        return [float(getattr(one.runs[arm].cost, figure)) for one in self.measured]

    def _arm(self, arm: Arm) -> dict[str, Any]:
        exact = mean_interval([one.exact[arm] for one in self.measured])
        return {"exact": exact} | {figure: mean_interval(self._costs(arm, figure)) for figure in _FIGURES}

    def _ratios(self, arm: Arm) -> dict[str, Any]:
        return {
            figure: ratio_interval(self._costs("state", figure), self._costs(arm, figure))
            for figure in _FIGURES
        }


def bench_code(
    file: Path,
    *,
    limit: int | None,
    base: Path | None,
    adapter: Path | None,
    progress: Progress,
    note: Callable[[str], None],
) -> CodeBench:
    """Measure on the conversations about programs of a file.

    Raises:
        EvaluationError: If the file is bad or holds none that can be read, or if nothing may be run here.
        BaseError: If the model cannot be loaded.
    """
    gold = [conversation for conversation in read_gold(file) if conversation.domain == "code"][:limit]
    if not gold:
        raise EvaluationError(f"{file} holds no conversation about a program")
    sandbox = find_sandbox()
    if sandbox is None:
        raise EvaluationError("no sandbox works here, so no program is run (see `planner doctor`)")
    progress("loading the model", 0.0)
    loaded = load_model(
        base, cache_dir(), adapter=adapter, progress=lambda stage: progress(stage, 0.0), note=note
    )
    measured = []
    for number, conversation in enumerate(gold):
        progress(conversation.id, number / len(gold))
        one = _measure(loaded, conversation, sandbox)
        if one is None:
            note(f"{conversation.id} is left out: it is too long for one of the ways to read it")
        else:
            measured.append(one)
    if not measured:
        raise EvaluationError(f"{file} holds no conversation that is short enough to be read in every way")
    return CodeBench(sandbox.name, tuple(measured))


def _measure(loaded: LoadedModel, conversation: GoldConversation, sandbox: Sandbox) -> Measured | None:
    """Both programs and all runs; None where an arm cannot read the conversation at all."""
    runs: dict[Arm, Run] = {}
    for arm in ARMS:
        runs[arm] = run(arm, loaded, conversation)
        if not runs[arm].cost.passes:
            return None
    truth = conversation.turns[-1].means
    programs = {"read": build(runs["state"].means[-1], truth, sandbox), "true": build(truth, truth, sandbox)}
    exact = {arm: not wrong_fields(found.means[-1], truth) for arm, found in runs.items()}
    return Measured(conversation.id, programs, runs, exact)


def build(means: Mapping[str, Any], truth: Mapping[str, Any], sandbox: Sandbox) -> Built:
    """Build and run the program of a meaning, and look for what the true one names."""
    nothing = Built(False, False, False, False, _present({}, truth, frozenset()))
    tool = code_tool(sandbox=lambda: sandbox)
    try:
        request = tool.prepare(wanted(means), silent)
        if not isinstance(request, CodeRequest):
            return nothing
        answer = tool.run(request, silent)
    except (ValidationError, RenderError, BadInput):
        return nothing
    checks = tool.verify(request, answer)
    kept = {check.constraint for check in checks if check.satisfied}
    kind = f"kind: {request.specification.kind}" in kept
    return Built(
        built="it is Python" in kept,
        tests="its tests pass" in kept,
        answers=kind,
        kind=kind and means.get("kind") == truth.get("kind"),
        present=_present(means, truth, kept),
    )


def _present(
    means: Mapping[str, Any], truth: Mapping[str, Any], kept: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Part of the true meaning -> how many of it the probe found, and how many there are."""
    read = {plain_name(entity["name"]): entity for entity in means.get("entities") or ()}
    entities, fields = [], []
    for entity in truth.get("entities") or ():
        found = read.get(plain_name(entity["name"]))
        there = found is not None and f"entity: {found['name']}" in kept
        entities.append(there)
        types = {
            plain_name(name): plain_name(kind) for name, kind in ((found or {}).get("fields") or {}).items()
        }
        fields += [
            there and types.get(plain_name(name)) == plain_name(kind)
            for name, kind in (entity.get("fields") or {}).items()
        ]
    related = {
        _sides(relation)
        for relation in means.get("relations") or ()
        if f"relation: {' '.join(relation)}" in kept
    }
    relations = [_sides(relation) in related for relation in truth.get("relations") or ()]
    features = [f"feature: {feature}" in kept for feature in truth.get("features") or ()]
    parts = {"entities": entities, "fields": fields, "relations": relations, "features": features}
    return {name: (sum(every), len(every)) for name, every in parts.items()}


def _sides(relation: Sequence[str]) -> tuple[str, ...]:
    """A relation; of many to many the two sides in the order of the alphabet."""
    source, kind, target = relation
    sides = plain_name(source), plain_name(target)
    return (kind, *(sorted(sides) if kind == "many_to_many" else sides))


def print_bench(bench: CodeBench, console: Console) -> None:
    """Print what was built, what reading cost, and the state's cost by that of the other two."""
    found = bench.as_object()
    console.print(f"{found['conversations']} conversations, in {bench.sandbox}", highlight=False)
    programs = Table("program from", "what was read", "the true meaning")
    rows = [found["programs"][row] for row in _ROWS]
    for name, title in _SHARES.items():
        programs.add_row(title, *(_share(row[name]) for row in rows))
    for part in _PARTS:
        programs.add_row(part, *("{} of {}".format(*row["present"][part]) for row in rows))
    costs = Table("a conversation", *ARMS)
    arms = [found["arms"][arm] for arm in ARMS]
    costs.add_row("read exactly", *(_share(arm["exact"]) for arm in arms))
    ratios = Table("", *(f"state / {arm}" for arm in found["state_by"]))
    for name in _FIGURES:
        title = name.replace("_", " ")
        costs.add_row(title, *(_figure(arm[name]) for arm in arms))
        ratios.add_row(title, *(_figure(ratio[name], 2) for ratio in found["state_by"].values()))
    for table in (programs, costs, ratios):
        console.print(table)


def _share(interval: Interval) -> str:
    return "{:.0%} [{:.0%}, {:.0%}]".format(*interval)


def _figure(interval: Interval, places: int = 1) -> str:
    return f"{interval[0]:.{places}f} [{interval[1]:.{places}f}, {interval[2]:.{places}f}]"
