"""``python -m benchmarks.diversity [--beside FILE.jsonl]``: how varied the training requests are.

First turns of as many generated conversations as there are words in the file's, so that the counts of
distinct word sequences compare; and how much of the file's wording and of its combinations of wishes the
generator reaches at all, in ten thousand conversations.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from lpm_model.data.code.conversations import CodeConversations
from lpm_model.data.conversation import Conversations
from lpm_model.data.project.conversations import ProjectConversations
from lpm_model.data.route.conversations import RouteConversations
from planner.train import place_names
from tools.places import Gazetteer

_MANY = 10_000
_SEED = 1


@dataclass(frozen=True)
class Request:
    """A first turn: its words and which fields it fills."""

    text: str
    fields: frozenset[str]

    @property
    def words(self) -> list[str]:
        """Lower case, between spaces."""
        return self.text.lower().split()


def generated(source: Conversations) -> Iterator[Request]:
    """First turns, without end."""
    while True:
        first = source.conversation().turns[0]
        yield request(first.user, first.means)


def request(text: str, means: Mapping[str, Any]) -> Request:
    """A first turn with the fields that are filled."""
    return Request(text, frozenset(name for name, value in means.items() if value not in (None, [], ())))


def read(file: Path, domain: str) -> list[Request]:
    """First turns of a file of conversations."""
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    return [request(r["turns"][0]["user"], r["turns"][0]["means"]) for r in rows if r["domain"] == domain]


def grams(requests: Iterable[Request], n: int) -> set[tuple[str, ...]]:
    """Distinct sequences of ``n`` words."""
    return {tuple(r.words[i : i + n]) for r in requests for i in range(len(r.words) - n + 1)}


def like(requests: Iterator[Request], words: int) -> list[Request]:
    """As many requests as hold ``words`` words together."""
    taken: list[Request] = []
    while words > 0:
        taken.append(next(requests))
        words -= len(taken[-1].words)
    return taken


def row(requests: Sequence[Request]) -> list[str]:
    """Counts of one set of requests."""
    lengths = sorted(len(r.text) for r in requests)
    tenth = len(lengths) // 10
    return [
        str(len(requests)),
        f"{lengths[tenth]} / {statistics.median(lengths):.0f} / {lengths[-1 - tenth]}",
        *(str(len(grams(requests, n))) for n in (1, 2, 3)),
        str(len({r.fields for r in requests})),
    ]


def reached(wanted: Sequence[Request], many: Sequence[Request]) -> str:
    """Shares of a file's distinct words, pairs and combinations of fields that are generated too."""
    shares = [len(grams(wanted, n) & grams(many, n)) / max(1, len(grams(wanted, n))) for n in (1, 2)]
    combinations = {r.fields for r in many}
    shares.append(sum(r.fields in combinations for r in wanted) / len(wanted))
    return "words {:.0%}, pairs of words {:.0%}, wishes combined {:.0%}".format(*shares)


def main() -> None:
    """Print one table and, with a file, how much of it is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diversity", description=__doc__)
    parser.add_argument("--beside", type=Path, help="conversations to compare with (.jsonl)")
    beside: Path | None = parser.parse_args().beside
    rng, names = Random(_SEED), place_names(Gazetteer.load(), held_out=False)
    sources: dict[str, Conversations] = {
        "route": RouteConversations(names, rng),
        "project": ProjectConversations(rng),
        "code": CodeConversations(rng),
    }
    table = Table("first turns", "number", "characters 10/50/90%", "words", "pairs", "threes", "combinations")
    notes = []
    for domain, source in sources.items():
        file = read(beside, domain) if beside else []
        if file:
            table.add_row(f"{domain}, {beside.name if beside else ''}", *row(file))
        drawn = generated(source)
        words = sum(len(r.words) for r in file) or 5000
        table.add_row(f"{domain}, generated", *row(like(drawn, words)))
        if file:
            notes.append(f"{domain}: reached {reached(file, list(islice(drawn, _MANY)))}")
    console = Console(width=110)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)


if __name__ == "__main__":
    main()
