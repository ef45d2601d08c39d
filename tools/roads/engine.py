"""Shortest paths by a customizable contraction hierarchy (routingkit_cch).

The order of nodes is computed once and cached; a set of weights (a wish) costs some 40 ms to apply,
after which a query costs microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from routingkit_cch import CCH, CCHManyToOne, CCHMetric, CCHQuery, compute_order_inertial

__all__ = ["BLOCKED", "Engine", "contraction_order"]

BLOCKED = 2147483647  # the library's infinity: an edge of this weight is never used


def contraction_order(lat: np.ndarray, lon: np.ndarray, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Order of contraction of the nodes by inertial flow, uint32 (n,); seconds for a continent."""
    order = compute_order_inertial(
        len(lat),
        tail.astype(np.uint32),
        head.astype(np.uint32),
        lat.astype(np.float32),
        lon.astype(np.float32),
    )
    return np.array(order, dtype=np.uint32)


class Engine:
    """Exact shortest paths on a fixed graph under weights that change.

    Args:
        order: From ``contraction_order``.
        tail, head: Edges, shape (m,).
    """

    def __init__(self, order: np.ndarray, tail: np.ndarray, head: np.ndarray) -> None:
        # False: also keep arcs that no finite weights use yet, since weights change.
        self._hierarchy = CCH(order.astype(np.uint32), tail.astype(np.uint32), head.astype(np.uint32), False)
        self._metric: CCHMetric | None = None
        self._query: CCHQuery | None = None

    def reweight(self, weights: np.ndarray) -> None:
        """Use these weights from now on: whole numbers 0 to BLOCKED, shape (m,).

        A path's total must stay below BLOCKED; the library takes longer ones for no path.
        """
        self._query = None  # a query belongs to the weights it was made with
        fitted = np.ascontiguousarray(weights, dtype=np.uint32)
        if self._metric is None:
            self._metric = CCHMetric(self._hierarchy, fitted)
        else:
            self._metric.reset(fitted)
        self._query = CCHQuery(self._metric)

    def path(self, source: int, target: int) -> tuple[int, list[int]] | None:
        """Total weight and edge numbers of a shortest path, or None if there is none."""
        return self.path_between([(source, 0)], [(target, 0)])

    def path_between(
        self, sources: Sequence[tuple[int, int]], targets: Sequence[tuple[int, int]]
    ) -> tuple[int, list[int]] | None:
        """As ``path``, from any of several nodes to any other, each with a weight of its own to add."""
        if self._query is None:
            raise RuntimeError("reweight first")
        # The query may not run again while a result of it lives: this one ends with the method.
        result = self._query.run_multi(list(sources), list(targets))
        if result.distance is None or result.distance >= BLOCKED:
            return None
        return result.distance, list(result.arc_path)

    def matrix(self, nodes: Sequence[int]) -> list[list[int | None]]:
        """Total weight of a shortest path from each node (row) to each (column); None if there is none."""
        if self._metric is None:
            raise RuntimeError("reweight first")
        pinned = CCHManyToOne(self._metric, [int(node) for node in nodes])
        columns = [pinned.distances_to(int(node)) for node in nodes]
        return [[column[row] for column in columns] for row in range(len(nodes))]
