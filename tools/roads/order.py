"""The best order in which to visit stops between a fixed start and a fixed end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["EXACT_STOPS", "best_order"]

EXACT_STOPS = 8  # up to so many stops between the ends the order is proven best

Costs = Sequence[Sequence[float]]


def best_order(costs: Costs) -> list[int]:
    """Order of rows 0 (first) to n - 1 (last) that makes the sum of costs between neighbours least.

    Args:
        costs: From each row to each column, shape (n, n), n at least 2; need not be symmetric.

    Returns:
        The rows in order; the best for up to EXACT_STOPS rows between the ends (Held and Karp), else a
        good one (nearest next, then moves and reversals while they help).
    """
    between = len(costs) - 2
    return _exact(costs) if between <= EXACT_STOPS else _heuristic(costs)


def _exact(costs: Costs) -> list[int]:
    last = len(costs) - 1
    stops = range(1, last)
    # best[visited, at]: least cost from 0 through the set visited, ending at one of it; and the one before
    best: dict[tuple[int, int], tuple[float, int]] = {
        (1 << stop, stop): (costs[0][stop], 0) for stop in stops
    }
    full = sum(1 << stop for stop in stops)
    for visited in range(2, full + 1, 2):
        for at in stops:
            if (visited, at) not in best:
                continue
            cost = best[visited, at][0]
            for after in stops:
                if visited >> after & 1:
                    continue
                key = (visited | 1 << after, after)
                total = cost + costs[at][after]
                if key not in best or total < best[key][0]:
                    best[key] = (total, at)
    if not full:
        return [0, last]
    at = min(stops, key=lambda stop: best[full, stop][0] + costs[stop][last])
    order, visited = [last], full
    while at:
        order.append(at)
        visited, at = visited & ~(1 << at), best[visited, at][1]
    return [0, *order[::-1]]


def _heuristic(costs: Costs) -> list[int]:
    last = len(costs) - 1
    left = set(range(1, last))
    order = [0]
    while left:
        order.append(min(left, key=lambda stop: (costs[order[-1]][stop], stop)))
        left.remove(order[-1])
    order.append(last)

    total = _total(costs, order)
    improved = True
    while improved:
        improved = False
        for start in range(1, last):
            for stop in range(start + 1, last + 1):
                piece, rest = order[start:stop], order[:start] + order[stop:]
                changed = [order[:start] + piece[::-1] + order[stop:]]
                changed += [rest[:place] + piece + rest[place:] for place in range(1, len(rest))]
                candidate = min(changed, key=lambda each: _total(costs, each))
                if _total(costs, candidate) < total - 1e-9:
                    order, total, improved = candidate, _total(costs, candidate), True
    return order


def _total(costs: Costs, order: Sequence[int]) -> float:
    return sum(costs[a][b] for a, b in pairwise(order))
