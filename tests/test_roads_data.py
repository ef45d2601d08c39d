"""The road graph: what it holds, what was repaired, and what it must not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.roads import RoadDataMissing, RoadGraph
from tools.roads.engine import Engine
from tools.roads.gaps import known_gaps
from tools.roads.geo import haversine_km, segment_distance_km
from tools.roads.graph import FREEWAY_KMH, ROAD_KMH
from tools.roads.source import _parse, read_freeways
from tools.roads.states import STATES, label_points


@pytest.fixture(scope="module")
def by_distance(roads: RoadGraph) -> Engine:
    engine = Engine(roads.order, roads.tail, roads.head)
    engine.reweight(np.maximum(1, np.rint(roads.length_km * 1000)))
    return engine


def _node(roads: RoadGraph, lat: float, lon: float) -> int:
    return int(haversine_km(lat, lon, roads.lat, roads.lon).argmin())


def _km(roads: RoadGraph, engine: Engine, a: tuple[float, float], b: tuple[float, float]) -> float:
    path = engine.path(_node(roads, *a), _node(roads, *b))
    return float("inf") if path is None else float(roads.length_km[path[1]].sum())


def test_graph_is_north_america_with_every_road_in_both_directions(roads: RoadGraph) -> None:
    assert 100_000 < roads.node_count < 120_000
    assert (np.diff(roads.tail.astype(int)) >= 0).all()
    forward = roads.tail.astype(np.int64) * roads.node_count + roads.head
    backward = roads.head.astype(np.int64) * roads.node_count + roads.tail
    assert len(np.unique(forward)) == roads.edge_count
    assert np.array_equal(np.sort(forward), np.sort(backward))
    assert (roads.tail != roads.head).all()
    assert np.array_equal(np.sort(roads.order), np.arange(roads.node_count))


def test_no_road_is_shorter_than_the_straight_line(roads: RoadGraph) -> None:
    a, b = roads.tail, roads.head
    straight = haversine_km(roads.lat[a], roads.lon[a], roads.lat[b], roads.lon[b])
    # Coordinates are rounded to 0.001 degree, 0.16 km corner to corner at both ends.
    assert (roads.length_km >= 0.99 * straight - 0.16).all()


def test_freeways_are_about_as_long_as_in_their_own_graph(roads: RoadGraph) -> None:
    freeways = read_freeways()
    own = freeways.km[freeways.tail < freeways.head].sum()
    found = roads.length_km[roads.freeway].sum() / 2
    assert own == pytest.approx(99_219, rel=0.001)
    assert found == pytest.approx(own, rel=0.05)
    # Not all of it by chance: Interstate 70 through Kansas is freeway, US 50 through Nevada is not.
    on_70 = roads.freeway & (np.abs(roads.lat[roads.tail] - 38.87) < 0.03)
    on_70 &= (roads.lon[roads.tail] > -99.2) & (roads.lon[roads.tail] < -98.5)
    assert on_70.any()
    on_50 = np.abs(roads.lat[roads.tail] - 39.4) < 0.15
    on_50 &= (roads.lon[roads.tail] > -117.5) & (roads.lon[roads.tail] < -116.0)
    assert on_50.any() and not roads.freeway[on_50].any()


@pytest.mark.parametrize(
    ("what", "a", "b", "most"),
    [
        ("I-70 Denver to Grand Junction", (39.739, -104.985), (39.064, -108.551), 420),
        ("I-90 Missoula to Butte", (46.872, -113.994), (46.004, -112.535), 210),
        ("Bay Bridge San Francisco to Oakland", (37.775, -122.419), (37.804, -122.271), 22),
        ("Galveston to Houston", (29.301, -94.798), (29.760, -95.370), 90),
        ("Key West to Miami", (24.556, -81.783), (25.774, -80.194), 275),
        ("Newport to Providence", (41.490, -71.313), (41.824, -71.413), 65),
        ("Tacoma Narrows", (47.253, -122.444), (47.329, -122.580), 25),
        ("Chesapeake Bay Bridge-Tunnel", (36.853, -75.978), (37.268, -76.020), 80),
        ("Norris Bridge on the Rappahannock", (37.600, -76.440), (37.720, -76.380), 40),
    ],
)
def test_bridges_and_stretches_missing_in_the_data_are_there(
    roads: RoadGraph,
    by_distance: Engine,
    what: str,
    a: tuple[float, float],
    b: tuple[float, float],
    most: float,
) -> None:
    assert _km(roads, by_distance, a, b) <= most, what


@pytest.mark.parametrize(
    ("ferry", "a", "b"),
    [
        ("Cape May to Lewes", (38.968, -74.960), (38.783, -75.120)),
        ("Galveston to Bolivar", (29.330, -94.772), (29.364, -94.780)),
        ("Bridgeport to Port Jefferson", (41.173, -73.186), (40.947, -73.070)),
        ("New London to Orient Point", (41.354, -72.094), (41.154, -72.241)),
        ("Ludington to Manitowoc", (43.950, -86.460), (44.092, -87.652)),
        ("Seattle to Bainbridge Island", (47.602, -122.338), (47.623, -122.511)),
        ("Edmonds to Kingston", (47.813, -122.384), (47.796, -122.496)),
        ("Port Townsend to Coupeville", (48.112, -122.760), (48.159, -122.673)),
        ("Mukilteo to Clinton", (47.949, -122.305), (47.975, -122.350)),
        ("Cave-in-Rock", (37.468, -88.165), (37.460, -88.160)),
        ("Merrimac", (43.372, -89.628), (43.364, -89.624)),
    ],
)
def test_no_ferry_is_a_road(
    roads: RoadGraph, by_distance: Engine, ferry: str, a: tuple[float, float], b: tuple[float, float]
) -> None:
    # Driving round takes far longer than the crossing; where both landings share a node, there is no edge.
    first, second = _node(roads, *a), _node(roads, *b)
    crossing = float(haversine_km(a[0], a[1], b[0], b[1]))
    landing_gap = float(
        haversine_km(roads.lat[first], roads.lon[first], roads.lat[second], roads.lon[second])
    )
    if first == second or landing_gap < 0.3 * crossing:  # only one of the landings has a road in the data
        return
    assert _km(roads, by_distance, a, b) > crossing + 15, ferry


def test_the_islands_named_have_no_mainland_road_in_their_circle(roads: RoadGraph) -> None:
    for island in known_gaps().islands:
        away = haversine_km(*island.centre, roads.lat, roads.lon)
        assert not ((away < island.radius_km) & (roads.component == 0)).any(), island.name


def test_hawaii_and_juneau_are_components_of_their_own(roads: RoadGraph) -> None:
    honolulu, hilo, juneau = (
        roads.component[_node(roads, *place)]
        for place in ((21.307, -157.858), (19.707, -155.082), (58.302, -134.42))
    )
    assert len({0, int(honolulu), int(hilo), int(juneau)}) == 4
    anchorage = _node(roads, 61.218, -149.900)
    assert roads.component[anchorage] == 0


def test_states_of_known_cities() -> None:
    cities = {
        "CO": (39.739, -104.985),
        "KS": (39.114, -94.627),
        "MO": (39.100, -94.578),
        "AK": (61.218, -149.9),
    }
    cities |= {"HI": (21.307, -157.858), "DC": (38.895, -77.036), "ID": (43.615, -116.202)}
    lat, lon = (np.array(values) for values in zip(*cities.values(), strict=True))
    assert [STATES[label] for label in label_points(lat, lon)] == list(cities)
    assert label_points(np.array([43.65, 32.52]), np.array([-79.38, -117.02])).tolist() == [-1, -1]


def test_edges_in_a_state_hold_all_between_its_nodes_and_none_far_off(roads: RoadGraph) -> None:
    edges = roads.edges_in_state("CO")
    inside = roads.state == STATES.index("CO")
    assert set(np.flatnonzero(inside[roads.tail] | inside[roads.head])) <= set(edges.tolist())
    assert roads.lon[roads.tail[edges]].min() > -113 and roads.lon[roads.tail[edges]].max() < -99
    assert len(roads.edges_in_state("ZZ")) == 0


def test_networkx_graph_says_the_same(roads: RoadGraph) -> None:
    graph = roads.to_networkx()
    assert graph.number_of_nodes() == roads.node_count
    assert graph.number_of_edges() == roads.edge_count
    rng = np.random.default_rng(5)
    tolled = rng.choice(np.flatnonzero(roads.toll >= 0), 50)
    for edge in (*rng.integers(0, roads.edge_count, 200), *tolled):
        tail, head = int(roads.tail[edge]), int(roads.head[edge])
        assert roads.edge(tail, head) == edge
        data = graph.edges[tail, head]
        assert data["distance_km"] == roads.length_km[edge]
        assert data["road_class"] == ("freeway" if roads.freeway[edge] else "road")
        assert data["speed_kmh"] == (FREEWAY_KMH if roads.freeway[edge] else ROAD_KMH)
        assert data["time_h"] == pytest.approx(data["distance_km"] / data["speed_kmh"])
        assert data["toll"] == (roads.toll_names[roads.toll[edge]] if roads.toll[edge] >= 0 else None)
    denver = _node(roads, 39.739, -104.985)
    assert graph.nodes[denver]["state"] == "CO"
    with pytest.raises(KeyError):
        roads.edge(0, 0)


def test_distance_to_a_segment() -> None:
    lat1, lon1, lat2, lon2 = (np.array([value]) for value in (40.0, -101.0, 40.0, -99.0))
    assert segment_distance_km(40.1, -100.0, lat1, lon1, lat2, lon2)[0] == pytest.approx(11.12, abs=0.02)
    assert segment_distance_km(40.0, -98.9, lat1, lon1, lat2, lon2)[0] == pytest.approx(8.52, abs=0.02)


@pytest.mark.parametrize(
    "text", ["", "graph=[{1: 2.0}, {0: 2.0}]\n", "graph=[{9: 1.0}]\nnodes=[[1.0, 2.0]]\n", "x"]
)
def test_a_file_that_is_not_the_road_data_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "world_highways.py"
    path.write_text(text)
    with pytest.raises(RoadDataMissing, match="world_highways"):
        _parse(path)
