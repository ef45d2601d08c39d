"""The freeway graph laid onto the highway graph: stretches that are missing, roads that are freeways.

The two graphs share no numbers and few nodes, and the highway graph lacks pieces of real freeways
(I-90 at Missoula, I-70 at Idaho Springs, the San Francisco-Oakland Bay Bridge): where the freeway graph
leads between two places and the highway graph takes a long way round, the stretch is added.

Two rules then find the freeways, about as many kilometres as the freeway graph holds:

* both are drawn straight between junctions; a road whose course lies within 0.5 km of a freeway's and
  runs the same way is one;
* between two freeway nodes that lie near highway nodes, the shortest highway path is the freeway if its
  length is the freeway's (long curved stretches, which straight lines miss).
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy.spatial import cKDTree

from tools.roads.engine import Engine
from tools.roads.geo import EARTH_KM, haversine_km, unit_vectors
from tools.roads.source import RawGraph

__all__ = ["find_freeways", "missing_stretches"]

_SAMPLE_KM = 0.4
_BESIDE_KM = 0.5  # how far an aligned road may lie from the freeway drawn straight
_LIKELY_KM = 1.6  # within this an aligned road is preferred when a freeway is laid onto the graph
_ANCHOR_KM = 2.0
_ANCHORS = 3
_MIN_CHAIN_KM = 0.5
_LENGTH_SHARE, _LENGTH_KM = 0.05, 2.5  # how far the two lengths of one stretch may differ
_DETOUR_SHARE, _DETOUR_KM = 1.25, 5.0  # a way round this much longer means that a stretch is missing


def missing_stretches(
    lat: np.ndarray, lon: np.ndarray, km: np.ndarray, freeways: RawGraph, engine: Engine
) -> list[tuple[int, int, float]]:
    """Freeway stretches that the highway graph lacks: (node, node, km), each once.

    Arguments as for ``find_freeways``.
    """
    engine.reweight(np.rint(km * 1000))
    ends = _freeway_ends(lat, lon, freeways)
    missing = []
    for start, end, chain_km in _chains(freeways, [bool(nodes) for nodes in ends]):
        path = engine.path_between(ends[start], ends[end])
        if path is None or km[path[1]].sum() > _DETOUR_SHARE * chain_km + _DETOUR_KM:
            a, b = ends[start][0][0], ends[end][0][0]
            # The nodes taken lie a little off the freeway's own: no road is shorter than the straight line.
            missing.append((a, b, max(chain_km, float(haversine_km(lat[a], lon[a], lat[b], lon[b])))))
    return missing


def find_freeways(
    lat: np.ndarray,
    lon: np.ndarray,
    tail: np.ndarray,
    head: np.ndarray,
    km: np.ndarray,
    freeways: RawGraph,
    engine: Engine,
) -> np.ndarray:
    """Whether each edge is a freeway, bool (m,).

    Args:
        lat, lon, tail, head, km: The highway graph; edges in both directions.
        freeways: The freeway graph.
        engine: Shortest paths on the highway graph; its weights are changed.
    """
    points = unit_vectors(lat, lon) * EARTH_KM
    distance = _distance_beside(points, tail, head, km, freeways)
    found = distance <= _BESIDE_KM

    metres = np.rint(km * 1000)
    engine.reweight(np.where(distance <= _LIKELY_KM, metres * 0.95, metres))
    ends = _freeway_ends(lat, lon, freeways)
    for start, end, chain_km in _chains(freeways, [bool(nodes) for nodes in ends]):
        path = engine.path_between(ends[start], ends[end])
        if path is None or not path[1]:
            continue
        edges = np.array(path[1])
        if abs(km[edges].sum() - chain_km) <= _LENGTH_SHARE * chain_km + _LENGTH_KM:
            found[edges] = True
    reverse = _reverse_edges(tail, head)
    both_ways: np.ndarray = found | found[reverse]
    return both_ways


def _freeway_ends(lat: np.ndarray, lon: np.ndarray, freeways: RawGraph) -> list[list[tuple[int, int]]]:
    """For each freeway node the highway nodes near it with their distance in metres, nearest first."""
    tree = cKDTree(unit_vectors(lat, lon) * EARTH_KM)
    points = unit_vectors(freeways.lat, freeways.lon) * EARTH_KM
    away_km, near = tree.query(points, k=_ANCHORS, distance_upper_bound=_ANCHOR_KM)
    return [
        [(int(node), int(1000 * away)) for node, away in zip(nodes, aways, strict=True) if np.isfinite(away)]
        for nodes, aways in zip(near, away_km, strict=True)
    ]


def _distance_beside(
    points: np.ndarray, tail: np.ndarray, head: np.ndarray, km: np.ndarray, freeways: RawGraph
) -> np.ndarray:
    """Largest distance of an edge's course to a freeway that runs the same way, inf if over 1.6 km."""
    starts = unit_vectors(freeways.lat, freeways.lon)[freeways.tail] * EARTH_KM
    ends = unit_vectors(freeways.lat, freeways.lon)[freeways.head] * EARTH_KM
    pieces = np.maximum(1, np.ceil(freeways.km / _SAMPLE_KM)).astype(int)
    owner = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[owner]
    samples = cKDTree(starts[owner] * (1 - share[:, None]) + ends[owner] * share[:, None])
    freeway_course = _directions(starts, ends)
    course = _directions(points[tail], points[head])

    largest = np.zeros(len(tail))
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        here = points[tail] * (1 - place) + points[head] * place
        away, sample = samples.query(here, distance_upper_bound=_LIKELY_KM)
        near = np.isfinite(away)
        largest = np.maximum(largest, away)
        if place in (0.25, 0.5, 0.75):
            cosine = np.zeros(len(tail))
            cosine[near] = np.abs((course[near] * freeway_course[owner[sample[near]]]).sum(-1))
            # Coordinates are rounded to 100 m, so that the course of a short edge says nothing.
            largest[(cosine < 0.8) & (km >= 0.3)] = np.inf
    return largest


def _directions(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    vectors = ends - starts
    directions: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return directions


def _chains(freeways: RawGraph, is_anchor: list[bool]) -> list[tuple[int, int, float]]:
    """Shortest freeway stretches between two anchors with no anchor between: (start, end, km)."""
    out: list[list[tuple[int, float]]] = [[] for _ in freeways.lat]
    for tail, head, km in zip(
        freeways.tail.tolist(), freeways.head.tolist(), freeways.km.tolist(), strict=True
    ):
        if tail != head:
            out[tail].append((head, km))
    chains = []
    for start in (node for node, anchor in enumerate(is_anchor) if anchor):
        best = {start: 0.0}
        queue = [(0.0, start)]
        while queue:
            km, node = heapq.heappop(queue)
            if km > best[node]:
                continue
            if node != start and is_anchor[node]:
                if start < node and km >= _MIN_CHAIN_KM:
                    chains.append((start, node, km))
                continue
            for after, step in out[node]:
                if km + step < best.get(after, np.inf):
                    best[after] = km + step
                    heapq.heappush(queue, (km + step, after))
    return chains


def _reverse_edges(tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Number of the edge that leads back, for each edge; itself where there is none."""
    size = int(max(tail.max(), head.max())) + 1
    forward = tail.astype(np.int64) * size + head
    backward = head.astype(np.int64) * size + tail
    order = np.argsort(forward)
    place = np.minimum(np.searchsorted(forward[order], backward), len(forward) - 1)
    return np.where(forward[order][place] == backward, order[place], np.arange(len(tail)))
