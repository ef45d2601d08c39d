"""Questions that take several steps over facts that are given with them: a generator and a reader.

A problem is a directed graph without cycles, whose edges are facts ("every wumpus is a yumpus"), and
questions about it: which of two concepts is reached from a root? ProsQA (Hao and others, arXiv 2412.06769)
is made of a random graph grown from two roots; of two leaves that are candidates, one is reached by the
root that is asked about, the other one only by the other root. The paper's description leaves the
proportions open; those of ``Shape`` were fitted to the statistics of the official validation file.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean, pstdev

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

__all__ = [
    "DataError",
    "Problem",
    "Question",
    "Shape",
    "as_prosqa",
    "path",
    "prontoqa",
    "prosqa",
    "read_prosqa",
    "statistics",
]

Edge = tuple[int, int]

_DEPTH_WEIGHT = 1.5  # deeper nodes are likelier to be built on, so that chains get long
_ONE_SIDE = 0.35  # share of nodes that keep off the descendants of each root
_TRIES = 100_000


class DataError(Exception):
    """A file of problems that cannot be read, or a shape that no graph has."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which of two nodes is reached from a root?

    Attributes:
        root: The node that is asked about.
        target: The candidate that is reached.
        other: The one that is not.
        chain: The nodes of a shortest path after the root; the last one is ``target``.
    """

    root: int
    target: int
    other: int
    chain: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Facts and questions about them.

    Attributes:
        nodes: How many nodes there are, counted from 0.
        edges: The facts, each from a node to one that it is an instance of.
        questions: What is asked; of ProsQA's problems the first is the one that ProsQA asks.
    """

    nodes: int
    edges: tuple[Edge, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What random graphs look like.

    Attributes:
        nodes: Fewest and most nodes drawn; those without a fact are left out afterwards.
        degree: Mean of the Poisson distribution of a new node's edges from older ones.
        rootless: Share of the new nodes that get none of them; other new nodes get one at least.
        hops: Fewest and most steps of the first question's chain.
        deepest: Share of the first questions whose target is the leaf farthest from its root.
    """

    nodes: tuple[int, int] = (20, 27)
    degree: float = 1.75
    rootless: float = 0.06
    hops: tuple[int, int] = (3, 6)
    deepest: float = 0.8


def path(edges: Iterable[Edge], root: int) -> dict[int, tuple[int, ...]]:
    """The nodes of a shortest path from ``root`` to every node that it reaches, without the root."""
    after: dict[int, list[int]] = {}
    for source, end in edges:
        after.setdefault(source, []).append(end)
    found: dict[int, tuple[int, ...]] = {root: ()}
    queue = [root]
    for node in queue:
        for end in after.get(node, ()):
            if end not in found:
                found[end] = (*found[node], end)
                queue.append(end)
    return found


def prosqa(rng: Random, shape: Shape, more: int = 0) -> Problem:
    """A problem as ProsQA's, with further questions about the same facts.

    Args:
        rng: Source of chance.
        shape: What the graph looks like.
        more: Further questions: from any node, to any that it reaches, and as often near as far.

    Raises:
        DataError: If no graph of this shape turned up.
    """
    for _ in range(_TRIES):
        edges, owners, nodes = _grown(rng, shape)
        leaves = set(range(nodes)) - {source for source, _ in edges}
        for root in rng.sample((0, 1), 2):
            reached = path(edges, root)
            low, high = shape.hops
            targets = [v for v in sorted(leaves) if owners[v] == {root} and low <= len(reached[v]) <= high]
            others = [v for v in sorted(leaves - {1 - root}) if owners[v] == {1 - root}]
            if targets and others:
                if rng.random() < shape.deepest:
                    target = max(targets, key=lambda v: len(reached[v]))
                else:
                    target = rng.choice(targets)
                first = Question(root, target, rng.choice(others), reached[target])
                return Problem(nodes, edges, (first, *_further(rng, edges, nodes, more)))
    raise DataError(f"no graph of the shape {shape} turned up")


def _grown(rng: Random, shape: Shape) -> tuple[tuple[Edge, ...], list[set[int]], int]:
    """Edges, the roots (0 and 1) that reach each node, and the number of nodes."""
    owners: list[set[int]] = [{0}, {1}]
    depths = [0, 0]
    drawn: list[Edge] = []
    for new in range(2, rng.randint(*shape.nodes)):
        count = 0 if rng.random() < shape.rootless else max(1, _poisson(rng, shape.degree))
        side = rng.random()
        if side < _ONE_SIDE:
            old = [v for v in range(new) if 1 not in owners[v]]
        elif side < 2 * _ONE_SIDE:
            old = [v for v in range(new) if 0 not in owners[v]]
        else:
            old = list(range(new))
        weights = [depths[v] * _DEPTH_WEIGHT + 1 for v in old]
        sources: set[int] = set()
        while len(sources) < min(count, len(old)):
            sources.add(rng.choices(old, weights)[0])
        drawn += [(source, new) for source in sorted(sources)]
        owners.append({root for source in sources for root in owners[source]})
        depths.append(max((depths[source] + 1 for source in sources), default=0))
    kept = sorted({0, 1} | {node for edge in drawn for node in edge})
    names = {node: name for name, node in enumerate(kept)}
    return tuple((names[a], names[b]) for a, b in drawn), [owners[v] for v in kept], len(kept)


def _poisson(rng: Random, rate: float) -> int:
    count, product, floor = 0, rng.random(), math.exp(-rate)
    while product > floor:
        count, product = count + 1, product * rng.random()
    return count


def _further(rng: Random, edges: Sequence[Edge], nodes: int, count: int) -> list[Question]:
    reached = {root: path(edges, root) for root in {source for source, _ in edges}}
    by_hops: dict[int, list[tuple[int, int]]] = {}
    for root, chains in reached.items():
        if len(chains) < nodes:
            for end, chain in chains.items():
                if chain:
                    by_hops.setdefault(len(chain), []).append((root, end))
    questions = []
    for _ in range(count):
        root, end = rng.choice(by_hops[rng.choice(list(by_hops))])
        other = rng.choice([v for v in range(nodes) if v not in reached[root]])
        questions.append(Question(root, end, other, reached[root][end]))
    return questions


def prontoqa(rng: Random, hops: tuple[int, int] = (3, 5), branches: int = 6) -> Problem:
    """A problem in the way of ProntoQA (Saparov and He, arXiv 2210.01240): has somebody a quality or not?

    A chain of concepts ends with a quality; its opposite belongs to a branch that leads away from the chain.
    The candidates are the quality and its opposite, which are symbols like any other.

    Args:
        rng: Source of chance.
        hops: Fewest and most steps from the entity to the quality.
        branches: Facts beside the chain.
    """
    length = rng.randint(*hops)
    edges = [(node, node + 1) for node in range(length)]
    aside: list[int] = []
    for new in range(length + 1, length + 1 + branches):
        edges.append((rng.choice([*range(1, length), *aside]), new))
        aside.append(new)
    # The opposite belongs to a stranger, who joins the chain from the side: the entity does not reach it.
    stranger, opposite = length + 1 + branches, length + 2 + branches
    edges += [(stranger, rng.randint(1, length - 1)), (stranger, opposite)]
    question = Question(0, length, opposite, tuple(range(1, length + 1)))
    return Problem(opposite + 1, tuple(edges), (question,))


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    idx_to_symbol: list[str]
    edges: list[Edge]
    root: int
    target: int
    neg_target: int


def read_prosqa(file: Path) -> list[Problem]:
    """The problems of a file in ProsQA's format; names of entities and concepts become numbers.

    The graph that the file holds is read, not its English sentences, which say the same.

    Raises:
        DataError: If the file is not in ProsQA's format, or a target is not reached.
        OSError: If it cannot be read.
    """
    try:
        items = TypeAdapter(list[_Item]).validate_json(file.read_bytes())
    except ValidationError as error:
        raise DataError(f"{file} is not in ProsQA's format: {error.errors()[0]['msg']}") from error
    problems = []
    for number, item in enumerate(items):
        reached = path(item.edges, item.root)
        if item.target not in reached or item.neg_target in reached:
            raise DataError(f"{file}: of problem {number} not exactly one candidate is reached")
        question = Question(item.root, item.target, item.neg_target, reached[item.target])
        problems.append(Problem(len(item.idx_to_symbol), tuple(item.edges), (question,)))
    return problems


def statistics(problems: Sequence[Problem]) -> dict[str, str]:
    """What graphs and first questions look like, as the lines of a table."""

    def spread(values: Sequence[int]) -> str:
        return f"{mean(values):.1f} (sd {pstdev(values):.1f}, {min(values)} to {max(values)})"

    def shares(values: Sequence[int]) -> str:
        counted = sorted(Counter(values).items())
        return ", ".join(f"{value}: {count / len(values):.0%}" for value, count in counted)

    def guessed(question: Question, ends: Counter[int]) -> float:
        target, other = ends[question.target], ends[question.other]
        return 0.5 if target == other else float(target < other)

    asked = [problem.questions[0] for problem in problems]
    leaving = [Counter(source for source, _ in problem.edges) for problem in problems]
    coming = [Counter(end for _, end in problem.edges) for problem in problems]
    return {
        "problems": str(len(problems)),
        "nodes": spread([problem.nodes for problem in problems]),
        "edges": spread([len(problem.edges) for problem in problems]),
        "steps": shares([len(question.chain) for question in asked]),
        "nodes that the root reaches": spread(
            [len(path(p.edges, q.root)) for p, q in zip(problems, asked, strict=True)]
        ),
        "nodes without a fact about them": spread(
            [p.nodes - len(ends) for p, ends in zip(problems, coming, strict=True)]
        ),
        "leaves": spread([p.nodes - len(sources) for p, sources in zip(problems, leaving, strict=True)]),
        "edges into the target": shares([ends[q.target] for ends, q in zip(coming, asked, strict=True)]),
        "edges into the other one": shares([ends[q.other] for ends, q in zip(coming, asked, strict=True)]),
        "right by taking the one with fewer edges": f"{mean(map(guessed, asked, coming)):.1%}",
        "pairs read (facts and question)": spread([len(problem.edges) + 3 for problem in problems]),
    }


def as_prosqa(problems: Sequence[Problem]) -> str:
    """Problems in ProsQA's file format, each with its first question; nodes are called n0, n1, and so on."""
    items = []
    for problem in problems:
        question, names = problem.questions[0], [f"n{node}" for node in range(problem.nodes)]
        facts = [f"Every {names[a]} is a {names[b]}." for a, b in problem.edges]
        asked = f"Is {names[question.root]} a {names[question.target]} or {names[question.other]}?"
        steps = zip((question.root, *question.chain), question.chain, strict=False)
        items.append(
            {
                "question": " ".join([*facts, asked]),
                "answer": f"{names[question.root]} is a {names[question.target]}.",
                "steps": [f"Every {names[a]} is a {names[b]}." for a, b in steps],
                "idx_to_symbol": names,
                "edges": problem.edges,
                "root": question.root,
                "target": question.target,
                "neg_target": question.other,
            }
        )
    return json.dumps(items)
