"""Build the road graph of North America from the installed packages: the work of some 20 s, done once."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from tools.roads import states
from tools.roads.classify import find_freeways, missing_stretches
from tools.roads.engine import Engine, contraction_order
from tools.roads.gaps import Road, is_ferry, known_gaps, missing_bridges
from tools.roads.geo import haversine_km
from tools.roads.graph import RoadGraph
from tools.roads.source import RawGraph, read_freeways, read_highways
from tools.roads.tolls import match_tolls, toll_facilities
from tools.tool import Progress

__all__ = ["build_roads"]

_BOX = ((14.0, 72.0), (-170.0, -50.0))  # latitude and longitude of North America


def build_roads(progress: Progress | None = None) -> RoadGraph:
    """Build the graph from the packages, without the cache; raises RoadDataMissing."""

    def tell(stage: str, share: float) -> None:
        if progress is not None:
            progress(stage, share)

    tell("reading the road data", 0.0)
    freeways = read_freeways()
    lat, lon, tail, head, km = _north_america(read_highways())
    tell("ordering the road graph", 0.15)
    order = contraction_order(lat, lon, tail, head)
    tell("finding freeways", 0.4)
    # For the few queries of the build, an order made before these roads are added is good enough.
    bridges = missing_bridges(lat, lon, tail, km, Engine(order, tail, head))
    tail, head, km = _with_roads(tail, head, km, [road for road in bridges if not is_ferry(lat, lon, road)])
    missing = missing_stretches(lat, lon, km, freeways, Engine(order, tail, head))
    tail, head, km = _with_roads(tail, head, km, [road for road in missing if not is_ferry(lat, lon, road)])
    freeway = find_freeways(lat, lon, tail, head, km, freeways, Engine(order, tail, head))
    tell("ordering the road graph again", 0.65)
    order = contraction_order(lat, lon, tail, head)
    tell("finding toll roads", 0.85)
    toll, _ = match_tolls(lat, lon, tail, head, km, freeway)
    tell("finding states", 0.9)
    state = states.label_points(lat, lon)
    cross_edge, cross_state = states.crossed_states(lat[tail], lon[tail], lat[head], lon[head])
    tell("road graph ready", 1.0)
    return RoadGraph(
        lat=lat,
        lon=lon,
        component=_components(len(lat), tail, head),
        state=state,
        tail=tail.astype(np.uint32),
        head=head.astype(np.uint32),
        length_km=km,
        freeway=freeway,
        toll=toll,
        toll_names=tuple(facility.name for facility in toll_facilities()),
        cross_edge=cross_edge,
        cross_state=cross_state,
        order=order,
    )


def _north_america(world: RawGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Nodes (lat, lon) and edges (tail, head, km) of North America with the missing links, by tail."""
    (south, north), (west, east) = _BOX
    inside = (world.lat > south) & (world.lat < north) & (world.lon > west) & (world.lon < east)
    number = np.cumsum(inside) - 1
    keep = inside[world.tail] & inside[world.head] & (world.tail != world.head)
    lat, lon = world.lat[inside], world.lon[inside]
    tail, head, km = number[world.tail[keep]], number[world.head[keep]], world.km[keep]

    links = [
        (_nearest(lat, lon, link.ends[0]), _nearest(lat, lon, link.ends[1]), link.km)
        for link in known_gaps().links
    ]
    return lat, lon, *_with_roads(tail, head, km, links)


def _nearest(lat: np.ndarray, lon: np.ndarray, point: tuple[float, float]) -> int:
    return int(haversine_km(point[0], point[1], lat, lon).argmin())


def _with_roads(
    tail: np.ndarray, head: np.ndarray, km: np.ndarray, roads: list[Road]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges with roads (node, node, km) added in both directions, sorted by tail and head, none twice."""
    a, b, length = (np.array(column) for column in zip(*roads, strict=True)) if roads else ([], [], [])
    tail = np.concatenate([tail, a, b]).astype(np.int64)
    head = np.concatenate([head, b, a]).astype(np.int64)
    km = np.concatenate([km, length, length])
    order = np.lexsort((km, head, tail))
    tail, head, km = tail[order], head[order], km[order]
    first = np.ones(len(tail), dtype=bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    first &= tail != head
    return tail[first], head[first], km[first]


def _components(node_count: int, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Connected component of each node, numbered by size, the largest 0."""
    matrix = csr_matrix((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(node_count, node_count))
    _, label = connected_components(matrix, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(label), kind="stable"), kind="stable")
    components: np.ndarray = rank[label].astype(np.int32)
    return components
