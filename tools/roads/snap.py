"""From places to nodes of the road graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.places.types import Place
from tools.roads.gaps import known_gaps
from tools.roads.geo import haversine_km
from tools.roads.graph import RoadGraph

__all__ = ["ACCESS_KM", "SNAP_KM", "Snapped", "nearest_road", "snap_within"]

SNAP_KM = 60.0  # a place further from any road in the data cannot be reached
ACCESS_KM = 5.0  # so much further than the nearest road a stop may be met, to keep off unwanted roads


@dataclass(frozen=True)
class Snapped:
    """A stop on the graph: its node, and how far that is from the place's centre."""

    place: Place
    node: int
    km: float


def nearest_road(graph: RoadGraph, place: Place) -> Snapped | None:
    """The road node for a place, on the mainland where that is near; None where no road is near.

    A place on an island without a road bridge never snaps to a shore across the water.
    """
    away = haversine_km(place.lat, place.lon, graph.lat, graph.lon)
    for island in known_gaps().islands:
        centre = island.centre
        if haversine_km(centre[0], centre[1], place.lat, place.lon) <= island.radius_km:
            away = np.where(
                haversine_km(centre[0], centre[1], graph.lat, graph.lon) <= island.radius_km, away, np.inf
            )
    mainland = np.where(graph.component == 0, away, np.inf)
    # Small components inside the mainland are crumbs of the data; a real island's road is far from it.
    node = int(mainland.argmin() if mainland.min() <= SNAP_KM else away.argmin())
    return Snapped(place, node, float(away[node])) if away[node] <= SNAP_KM else None


def snap_within(graph: RoadGraph, stops: Sequence[Snapped], blocked: np.ndarray) -> list[Snapped] | None:
    """Nodes for stops that can all reach each other without the blocked edges.

    Args:
        stops: From ``nearest_road``, all in one component of the graph.
        blocked: Edges not to be used, bool (m,).

    Returns:
        The nearest nodes in the largest strongly connected part of what is left, or None if one of them
        is more than ACCESS_KM further than the nearest road.
    """
    if not blocked.any():
        return list(stops)
    from scipy.sparse import csr_matrix  # scipy takes long to import, and a trip without wishes needs none
    from scipy.sparse.csgraph import connected_components

    free = ~blocked
    size = graph.node_count
    matrix = csr_matrix(
        (np.ones(free.sum(), dtype=np.int8), (graph.tail[free], graph.head[free])), (size, size)
    )
    _, part = connected_components(matrix, directed=True, connection="strong")
    home = graph.component == graph.component[stops[0].node]
    largest = int(np.bincount(part[home]).argmax())
    inside = home & (part == largest)
    met = []
    for stop in stops:
        away = np.where(inside, haversine_km(stop.place.lat, stop.place.lon, graph.lat, graph.lon), np.inf)
        node = int(away.argmin())
        if away[node] > stop.km + ACCESS_KM:
            return None
        met.append(Snapped(stop.place, node, float(away[node])))
    return met
