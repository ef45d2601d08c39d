"""Toll facilities of the United States, laid onto the road graph.

No package knows tolls. ``tolls.yaml`` holds a table of facilities with published lengths and waypoints;
each is laid onto the graph as the shortest chain of nodes near its waypoints, freeways preferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.roads.geo import haversine_km

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["TOLLS_FILE", "Match", "TollFacility", "match_tolls", "toll_facilities"]

TOLLS_FILE = Path(__file__).with_name("tolls.yaml")

_CANDIDATES = 8
_REACH_KM = 8.0
_MARGIN_DEG = 0.35  # a facility is searched for within its waypoints' box and this margin
_OFF_FREEWAY = 1.5  # a kilometre off the freeway counts as so many: toll roads are freeways
# As does a kilometre between a waypoint and the node taken for it; more for a short crossing, whose ends
# would else both be taken to one bank.
_OFFSET = {"road": 2.0, "bridge": 5.0, "tunnel": 5.0}
_JUNCTION_KM = 0.4
_TWIN_KM = 0.3  # the other carriageway's nodes lie this near


class TollFacility(BaseModel):
    """One line of ``tolls.yaml``; its head explains the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["road", "bridge", "tunnel"]
    km: float = Field(gt=0)
    direction: Literal["both", "along"]
    path: tuple[tuple[float, float], ...] = Field(min_length=2)
    also: tuple[tuple[tuple[float, float], ...], ...] = ()
    source: str
    page: str | None = None
    tolerance: float = Field(default=0.10, gt=0)
    outlier: str | None = None

    @field_validator("path")
    @classmethod
    def _inside_the_us(cls, path: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(not (24 < lat < 50 and -125 < lon < -66) for lat, lon in path):
            raise ValueError("a waypoint is (latitude, longitude) in the contiguous United States")
        return path

    def fits(self, matched_km: float) -> bool:
        """Whether a length found on the graph agrees with the published one."""
        slack = 1.5 if self.kind == "road" else 3.5
        return abs(matched_km - self.km) <= max(self.tolerance * self.km, slack)


class Match(BaseModel):
    """Where a facility lies on the graph: node numbers from end to end, and their length."""

    model_config = ConfigDict(frozen=True)

    nodes: tuple[int, ...]
    km: float


@lru_cache(maxsize=1)
def toll_facilities() -> tuple[TollFacility, ...]:
    """The table, in the order in which facilities claim edges."""
    table: dict[str, Any] = yaml.safe_load(TOLLS_FILE.read_text())
    return tuple(TollFacility(**entry) for entry in table["facilities"])


def match_tolls(
    lat: np.ndarray, lon: np.ndarray, tail: np.ndarray, head: np.ndarray, km: np.ndarray, freeway: np.ndarray
) -> tuple[np.ndarray, list[Match | None]]:
    """Lay every facility onto the graph.

    Args:
        lat, lon: Nodes, degrees (n,).
        tail, head, km, freeway: Edges in both directions (m,).

    Returns:
        For each edge the index of the facility charged in this direction, -1 if free, int16 (m,); and
        where each facility was found, None if it was not.
    """
    toll = np.full(len(tail), -1, dtype=np.int16)
    matches: list[Match | None] = []
    roads = _Roads(lat, lon, tail, head, km, freeway)
    for number, facility in enumerate(toll_facilities()):
        region = _Region(np.array([*facility.path, *(p for way in facility.also for p in way)]), roads)
        found = [region.lay(np.array(way), facility.kind) for way in (facility.path, *facility.also)]
        for way in found:
            if way is not None:
                edges = region.charged(way, facility)
                toll[edges[toll[edges] < 0]] = number
        first = found[0]
        matches.append(None if first is None else region.match(first))
    return toll, matches


@dataclass(frozen=True)
class _Roads:
    """The arguments of ``match_tolls``."""

    lat: np.ndarray
    lon: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    km: np.ndarray
    freeway: np.ndarray


@dataclass(frozen=True)
class _Chain:
    """Nodes of a region in a row, and kilometres from the first to each."""

    nodes: list[int]
    position: np.ndarray


class _Region:
    """The part of the graph around a facility's waypoints, with node numbers of its own."""

    def __init__(self, points: np.ndarray, roads: _Roads) -> None:
        low, high = points.min(axis=0) - _MARGIN_DEG, points.max(axis=0) + _MARGIN_DEG
        inside = (
            (roads.lat >= low[0]) & (roads.lat <= high[0]) & (roads.lon >= low[1]) & (roads.lon <= high[1])
        )
        local = np.cumsum(inside) - 1
        self.nodes = np.flatnonzero(inside)
        self.edges = np.flatnonzero(inside[roads.tail] & inside[roads.head])
        self.lat, self.lon = roads.lat[self.nodes], roads.lon[self.nodes]
        self.tail, self.head = local[roads.tail[self.edges]], local[roads.head[self.edges]]
        self.km, self.freeway = roads.km[self.edges], roads.freeway[self.edges]
        self.on_freeway = np.zeros(len(self.nodes), dtype=bool)
        self.on_freeway[self.tail[self.freeway]] = True

    def lay(self, way: np.ndarray, kind: str) -> _Chain | None:
        """The cheapest chain of nodes along the waypoints, if there is one."""
        cost = self.km * np.where(self.freeway | (kind != "road"), 1.0, _OFF_FREEWAY)
        layers = [_candidates(point, kind, self.lat, self.lon, self.on_freeway) for point in way]
        nodes = _shortest_chain(self._matrix(cost), layers)
        if nodes is None:
            return None
        length = self._matrix(self.km)
        steps = [length[a, b] for a, b in pairwise(nodes)]
        return _Chain(nodes, np.concatenate([[0.0], np.cumsum(steps)]))

    def charged(self, chain: _Chain, facility: TollFacility) -> np.ndarray:
        """Edges of the whole graph that a chain and its other carriageway take in, where tolled."""
        place = _positions(chain.nodes, chain.position, self.lat, self.lon)
        advance = place[self.head] - place[self.tail]  # nan off the facility
        rank = np.full(len(self.nodes), -2)  # place in the chain; -2 is no neighbour of any
        rank[chain.nodes] = np.arange(len(chain.nodes))
        both_on = (rank[self.tail] >= 0) & (rank[self.head] >= 0)
        itself = both_on & (np.abs(rank[self.tail] - rank[self.head]) == 1)
        # The other carriageway runs beside the chain from node to node, and is as long.
        beside = np.abs(np.abs(advance) - self.km) <= 0.1 * self.km + 0.15
        beside &= self.freeway | (facility.kind != "road")
        tolled = itself | beside
        # A short piece at a junction is also crossed by who does not pay: only longer ones are charged.
        longest = np.diff(chain.position).max(initial=0.0)
        tolled &= self.km >= min(_JUNCTION_KM, longest)
        if facility.direction == "along":
            tolled &= advance > 0
        charged: np.ndarray = self.edges[tolled]
        return charged

    def match(self, chain: _Chain) -> Match:
        """A chain in node numbers of the whole graph."""
        return Match(nodes=tuple(self.nodes[chain.nodes].tolist()), km=float(chain.position[-1]))

    def _matrix(self, weight: np.ndarray) -> csr_matrix:
        from scipy.sparse import csr_matrix  # scipy takes long to import, and only building needs this

        # Coordinates step by 100 m, so that distinct nodes may be 0 km apart; scipy reads 0 as no edge.
        size = len(self.nodes)
        return csr_matrix((np.maximum(weight, 1e-6), (self.tail, self.head)), shape=(size, size))


def _candidates(
    point: np.ndarray, kind: str, lat: np.ndarray, lon: np.ndarray, on_freeway: np.ndarray
) -> list[tuple[int, float]]:
    """Nodes that a waypoint may mean, with their cost: the nearest, and the nearest on a freeway."""
    away = haversine_km(point[0], point[1], lat, lon)
    near = np.flatnonzero(away <= _REACH_KM)
    near = near[np.argsort(away[near])]
    chosen = {*near[:_CANDIDATES].tolist(), *near[on_freeway[near]][:_CANDIDATES].tolist()}
    return [(node, _OFFSET[kind] * float(away[node])) for node in sorted(chosen)]


def _shortest_chain(graph: csr_matrix, layers: list[list[tuple[int, float]]]) -> list[int] | None:
    """Nodes of the cheapest path that takes one candidate of each layer in turn."""
    from scipy.sparse.csgraph import dijkstra

    if not all(layers):
        return None
    best = np.array([cost for _, cost in layers[0]])
    taken: list[tuple[np.ndarray, np.ndarray]] = []  # per step: best predecessor candidate, search trees
    for before, after in pairwise(layers):
        distance, parents = dijkstra(graph, indices=[node for node, _ in before], return_predecessors=True)
        total = best[:, None] + distance[:, [node for node, _ in after]]
        choice = total.argmin(axis=0)
        taken.append((choice, parents))
        best = total.min(axis=0) + np.array([cost for _, cost in after])
    if not np.isfinite(best.min()):
        return None
    last = int(best.argmin())
    chain = [layers[-1][last][0]]
    for step in range(len(layers) - 2, -1, -1):
        choice, parents = taken[step]
        first = int(choice[last])
        while chain[-1] != layers[step][first][0]:
            chain.append(int(parents[first, chain[-1]]))
        last = first
    return chain[::-1]


def _positions(chain: list[int], position: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Kilometres along the chain of every node that lies beside one of the chain's, else nan."""
    place = np.full(len(lat), np.nan)
    nearest = np.full(len(lat), _TWIN_KM)
    for node, km in zip(chain, position, strict=True):
        box = (np.abs(lat - lat[node]) < 0.004) & (np.abs(lon - lon[node]) < 0.006)
        beside = np.flatnonzero(box)
        away = haversine_km(lat[node], lon[node], lat[beside], lon[beside])
        closer = away < nearest[beside]
        place[beside[closer]] = km
        nearest[beside[closer]] = away[closer]
    place[chain] = position  # a node on the chain keeps its own place
    return place
