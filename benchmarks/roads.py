"""Shortest paths and re-weighting on the road graph against networkx, scipy and rustworkx.

Run it with ``python -m benchmarks.roads``. One table, one run, the same pairs and the same weights for
all; each engine's length is checked against the first's before its time counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import networkx as nx
import numpy as np
import rustworkx as rx
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from tools.roads import RoadGraph, load_roads
from tools.roads.engine import BLOCKED, Engine
from tools.roads.geo import haversine_km
from tools.roads.graph import FREEWAY_KMH

# New York to Los Angeles, then others of all lengths: (lat, lon) of both ends.
PAIRS = [
    ((40.714, -74.006), (34.052, -118.244)),
    ((47.606, -122.332), (25.774, -80.194)),
    ((41.850, -87.650), (39.739, -104.985)),
    ((42.358, -71.060), (38.895, -77.036)),
    ((29.763, -95.363), (32.783, -96.807)),
]
REPEATS = 3

Query = Callable[[int, int], float]


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    roads = load_roads()
    loading = time.perf_counter() - start
    pairs = [(_node(roads, a), _node(roads, b)) for a, b in PAIRS]
    free = np.maximum(1, np.rint(roads.hours * 360_000)).astype(np.int64)
    barred = np.where(roads.toll >= 0, BLOCKED, free)  # the wish to measure: no tolls

    table = Table(title=f"{roads.node_count:,} nodes, {roads.edge_count:,} edges, loaded in {loading:.2f} s")
    for heading in (
        "engine",
        "set-up s",
        "New York to Los Angeles ms",
        "median of all pairs ms",
        "no tolls: re-weight ms",
    ):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    expected: list[float] | None = None
    for name, build in (
        ("routingkit_cch (with path)", _hierarchy),
        ("networkx dijkstra", _networkx),
        ("networkx bidirectional", _networkx_bidirectional),
        ("rustworkx dijkstra", _rustworkx),
        ("rustworkx A*", _rustworkx_astar),
        ("scipy dijkstra (whole tree)", _scipy),
    ):
        start = time.perf_counter()
        query, reweight = build(roads, free)
        setup = time.perf_counter() - start
        lengths = [query(*pair) for pair in pairs]
        expected = expected or lengths
        if any(abs(length - right) > 0.5 for length, right in zip(lengths, expected, strict=True)):
            raise RuntimeError(f"{name} finds other lengths: {lengths} for {expected}")
        first = statistics.median(_milliseconds(query, *pairs[0]) for _ in range(REPEATS))
        every = statistics.median(_milliseconds(query, *pair) for pair in pairs for _ in range(REPEATS))
        change = statistics.median(_milliseconds(reweight, barred) for _ in range(REPEATS))
        table.add_row(name, f"{setup:.2f}", f"{first:.3f}", f"{every:.3f}", f"{change:.1f}")
    Console(width=110).print(table)


def _milliseconds(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - start)


def _node(roads: RoadGraph, place: tuple[float, float]) -> int:
    away = haversine_km(place[0], place[1], roads.lat, roads.lon)
    return int(np.where(roads.component == 0, away, np.inf).argmin())


def _hierarchy(roads: RoadGraph, weights: np.ndarray) -> tuple[Query, Callable[[np.ndarray], object]]:
    engine = Engine(roads.order, roads.tail, roads.head)
    engine.reweight(weights)

    def query(source: int, target: int) -> float:
        path = engine.path(source, target)
        return float("inf") if path is None else path[0]

    return query, engine.reweight


def _open_edges(roads: RoadGraph, weights: np.ndarray) -> list[tuple[int, int, float]]:
    passable = weights < BLOCKED
    ends = roads.tail[passable].tolist(), roads.head[passable].tolist()
    return list(zip(*ends, weights[passable].tolist(), strict=True))


def _digraph(roads: RoadGraph, weights: np.ndarray) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(roads.node_count))
    graph.add_weighted_edges_from(_open_edges(roads, weights))
    return graph


def _networkx(roads: RoadGraph, weights: np.ndarray) -> tuple[Query, Callable[[np.ndarray], object]]:
    graph = _digraph(roads, weights)
    return (
        lambda source, target: nx.dijkstra_path_length(graph, source, target),
        lambda changed: _digraph(roads, changed),
    )


def _networkx_bidirectional(
    roads: RoadGraph, weights: np.ndarray
) -> tuple[Query, Callable[[np.ndarray], object]]:
    graph = _digraph(roads, weights)
    return (
        lambda source, target: nx.bidirectional_dijkstra(graph, source, target)[0],
        lambda changed: _digraph(roads, changed),
    )


def _rust_graph(roads: RoadGraph, weights: np.ndarray) -> rx.PyDiGraph:
    graph = rx.PyDiGraph(multigraph=False)
    graph.add_nodes_from(range(roads.node_count))
    graph.add_edges_from(_open_edges(roads, weights))
    return graph


def _rustworkx(roads: RoadGraph, weights: np.ndarray) -> tuple[Query, Callable[[np.ndarray], object]]:
    graph = _rust_graph(roads, weights)

    def query(source: int, target: int) -> float:
        return float(rx.dijkstra_shortest_path_lengths(graph, source, float, goal=target)[target])

    return query, lambda changed: _rust_graph(roads, changed)


def _rustworkx_astar(roads: RoadGraph, weights: np.ndarray) -> tuple[Query, Callable[[np.ndarray], object]]:
    graph = _rust_graph(roads, weights)
    # Rounded coordinates make straight lines up to 0.16 km too long: 0.9 keeps the estimate a lower bound.
    per_km = 0.9 * 360_000 / FREEWAY_KMH

    def query(source: int, target: int) -> float:
        left = haversine_km(roads.lat[target], roads.lon[target], roads.lat, roads.lon) * per_km
        estimate = left.tolist()
        path = rx.astar_shortest_path(graph, source, lambda node: node == target, float, estimate.__getitem__)
        return sum(graph.get_edge_data(a, b) for a, b in pairwise(path))

    return query, lambda changed: _rust_graph(roads, changed)


def _matrix(roads: RoadGraph, weights: np.ndarray) -> csr_matrix:
    open_edges = weights < BLOCKED
    return csr_matrix(
        (weights[open_edges].astype(float), (roads.tail[open_edges], roads.head[open_edges])),
        shape=(roads.node_count, roads.node_count),
    )


def _scipy(roads: RoadGraph, weights: np.ndarray) -> tuple[Query, Callable[[np.ndarray], object]]:
    matrix = _matrix(roads, weights)
    return (
        lambda source, target: float(dijkstra(matrix, indices=source)[target]),
        lambda changed: _matrix(roads, changed),
    )


if __name__ == "__main__":
    main()
