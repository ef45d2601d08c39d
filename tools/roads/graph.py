"""The road graph: frozen arrays, and the same as a networkx graph."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.roads.states import STATES

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["FREEWAY_KMH", "NO_TOLL", "ROAD_KMH", "RoadGraph"]

# The data has no speeds. With these a drive from New York to Los Angeles over Denver takes 43 h.
FREEWAY_KMH = 105.0
ROAD_KMH = 75.0
NO_TOLL = -1


@dataclass(frozen=True, eq=False)
class RoadGraph:
    """Roads of North America as a directed graph; n nodes, m edges sorted by tail.

    Attributes:
        lat, lon: Node coordinates in degrees (WGS 84, 0.001 degree steps), float64 (n,).
        component: Connected component of each node, 0 the mainland, then by size, int32 (n,).
        state: Index into STATES of the state that holds each node, -1 outside or over water, int16 (n,).
        tail, head: Node numbers of each edge, uint32 (m,).
        length_km: Length along the road, float64 (m,); an edge is drawn straight.
        freeway: Whether an edge is a freeway of the United States, bool (m,).
        toll: Index into ``toll_names`` of the facility an edge belongs to in this direction, -1 if
            free, int16 (m,).
        toll_names: Names of the toll facilities.
        cross_edge, cross_state: The pairs (edge, state) where an edge touches a state, by edge.
        order: Contraction order of the nodes, uint32 (n,).
        notes: What a person should know about how the graph came to be (a rebuilt cache, say).

    Roads have no names, no one-way streets and no ferries; local streets are missing.
    """

    lat: np.ndarray
    lon: np.ndarray
    component: np.ndarray
    state: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    length_km: np.ndarray
    freeway: np.ndarray
    toll: np.ndarray
    toll_names: tuple[str, ...]
    cross_edge: np.ndarray
    cross_state: np.ndarray
    order: np.ndarray
    notes: tuple[str, ...] = field(default=())

    @property
    def node_count(self) -> int:
        """Number of nodes, n."""
        return len(self.lat)

    @property
    def edge_count(self) -> int:
        """Number of directed edges, m."""
        return len(self.tail)

    @cached_property
    def hours(self) -> np.ndarray:
        """Driving time of each edge in hours, float64 (m,): an estimate from the class of road."""
        return self.length_km / np.where(self.freeway, FREEWAY_KMH, ROAD_KMH)

    @cached_property
    def first_out(self) -> np.ndarray:
        """Edges leaving node v are first_out[v] to first_out[v + 1], int64 (n + 1,)."""
        return np.searchsorted(self.tail, np.arange(self.node_count + 1))

    def edge(self, tail: int, head: int) -> int:
        """Number of the edge between two nodes; KeyError if there is none."""
        if not 0 <= tail < self.node_count:
            raise KeyError((tail, head))
        start, stop = self.first_out[tail], self.first_out[tail + 1]
        found = np.flatnonzero(self.head[start:stop] == head)
        if not len(found):
            raise KeyError((tail, head))
        return int(start + found[0])

    def edges_in_state(self, code: str) -> np.ndarray:
        """Numbers of the edges that touch a state, by postal code (empty for an unknown code)."""
        return (
            self.cross_edge[self.cross_state == STATES.index(code)] if code in STATES else np.array([], int)
        )

    def with_notes(self, *notes: str) -> RoadGraph:
        """The same graph with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What the cache stores: every attribute but the notes."""
        return {
            item.name: np.asarray(getattr(self, item.name)) for item in fields(self) if item.name != "notes"
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> RoadGraph:
        """Inverse of ``to_arrays``; ValueError if the arrays do not fit together."""
        expected = {item.name for item in fields(cls)} - {"notes"}
        if set(arrays) != expected:
            raise ValueError(f"arrays {sorted(set(arrays) ^ expected)} are missing or unknown")
        names = tuple(str(name) for name in arrays["toll_names"])
        values: dict[str, Any] = {**arrays, "toll_names": names}
        graph = cls(**values)
        n, m = graph.node_count, graph.edge_count
        by_node = (graph.lon, graph.component, graph.state, graph.order)
        by_edge = (graph.head, graph.length_km, graph.freeway, graph.toll)
        if any(len(values) != n for values in by_node) or any(len(values) != m for values in by_edge):
            raise ValueError("arrays differ in length")
        return graph

    def to_networkx(self) -> nx.DiGraph:
        """The graph as networkx knows it.

        Nodes carry ``lat``, ``lon`` and ``state`` (postal code or None); edges ``distance_km``,
        ``road_class`` ("freeway" or "road"), ``speed_kmh``, ``time_h`` and ``toll`` (the facility
        charged in this direction, or None).
        """
        import networkx as nx  # no plan needs it

        graph = nx.DiGraph()
        for node, (lat, lon, state) in enumerate(
            zip(self.lat.tolist(), self.lon.tolist(), self.state.tolist(), strict=True)
        ):
            graph.add_node(node, lat=lat, lon=lon, state=STATES[state] if state >= 0 else None)
        graph.add_edges_from(
            (
                tail,
                head,
                {
                    "distance_km": km,
                    "road_class": "freeway" if freeway else "road",
                    "speed_kmh": FREEWAY_KMH if freeway else ROAD_KMH,
                    "time_h": hours,
                    "toll": self.toll_names[toll] if toll >= 0 else None,
                },
            )
            for tail, head, km, freeway, hours, toll in zip(
                self.tail.tolist(),
                self.head.tolist(),
                self.length_km.tolist(),
                self.freeway.tolist(),
                self.hours.tolist(),
                self.toll.tolist(),
                strict=True,
            )
        )
        return graph
