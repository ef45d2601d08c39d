"""The toll table against the road graph: lengths, directions, and no free way beside a toll crossing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tools.roads import RoadGraph, toll_facilities
from tools.roads.engine import BLOCKED, Engine
from tools.roads.geo import haversine_km
from tools.roads.tolls import Match, match_tolls

# Matched lengths that differ from the published ones, by name; tolls.yaml gives each its reason.
OUTLIERS = {
    "Robert F. Kennedy (Triborough) Bridge",
    "Newburgh-Beacon Bridge",
    "Governor Harry W. Nice Memorial Bridge",
    "Chesapeake Bay Bridge-Tunnel",
    "San Mateo-Hayward Bridge",
    "Dumbarton Bridge",
    "SR 520 Evergreen Point Floating Bridge",
    "Cimarron Turnpike",
    "Cherokee Turnpike",
    "Kilpatrick Turnpike",
    "Sunshine Skyway Bridge",
    "Sam Houston Tollway",
    "Dallas North Tollway",
}

# Toll crossings with a free bridge a short way off, which is in the city too.
FREE_NEARBY = {"Queens-Midtown Tunnel", "Hugh L. Carey (Brooklyn-Battery) Tunnel"}

FACILITIES = {facility.name: facility for facility in toll_facilities()}


@pytest.fixture(scope="module")
def matches(roads: RoadGraph) -> dict[str, Match]:
    toll, found = match_tolls(
        roads.lat, roads.lon, roads.tail.astype(int), roads.head.astype(int), roads.length_km, roads.freeway
    )
    assert np.array_equal(toll, roads.toll)  # the graph's tolls are these
    return {name: match for name, match in zip(FACILITIES, found, strict=True) if match is not None}


def test_the_table_is_large_and_every_line_has_a_source() -> None:
    assert len(FACILITIES) == len(toll_facilities()) >= 90
    assert all(len(facility.source) > 8 for facility in FACILITIES.values())
    assert sum(bool(f.page and f.page.startswith("http")) for f in FACILITIES.values()) >= 90
    assert {facility.name for facility in FACILITIES.values() if facility.outlier} == OUTLIERS


def test_every_facility_is_found_and_charges_some_edge(roads: RoadGraph, matches: dict[str, Match]) -> None:
    assert matches.keys() == FACILITIES.keys()
    charged = {roads.toll_names[number] for number in np.unique(roads.toll) if number >= 0}
    assert charged == FACILITIES.keys()


@pytest.mark.parametrize("name", FACILITIES)
def test_matched_length_is_the_published_one(matches: dict[str, Match], name: str) -> None:
    facility = FACILITIES[name]
    assert facility.fits(matches[name].km) != (name in OUTLIERS), (
        f"{matches[name].km:.1f} km of {facility.km} km"
    )


@pytest.mark.parametrize("name", FACILITIES)
def test_ends_lie_near_the_waypoints(roads: RoadGraph, matches: dict[str, Match], name: str) -> None:
    nodes = matches[name].nodes
    for node, point in ((nodes[0], FACILITIES[name].path[0]), (nodes[-1], FACILITIES[name].path[-1])):
        away = float(haversine_km(*point, roads.lat[node], roads.lon[node]))
        assert away < (8.0 if FACILITIES[name].kind == "road" else 3.5)


def _directions(roads: RoadGraph, match: Match) -> tuple[float, float]:
    """Kilometres charged along a facility's chain, and in the other direction."""
    ahead = [roads.edge(a, b) for a, b in pairwise(match.nodes)]
    back = [roads.edge(b, a) for a, b in pairwise(match.nodes)]
    charged = roads.toll >= 0
    return float(roads.length_km[ahead][charged[ahead]].sum()), float(
        roads.length_km[back][charged[back]].sum()
    )


@pytest.mark.parametrize("name", FACILITIES)
def test_direction_of_the_toll(roads: RoadGraph, matches: dict[str, Match], name: str) -> None:
    ahead, back = _directions(roads, matches[name])
    assert ahead >= 0.5 * matches[name].km
    if FACILITIES[name].direction == "both":
        assert back == pytest.approx(ahead, rel=0.05, abs=0.5)
    else:
        # Another facility may share a junction's edge; the crossing itself is free on the way back.
        assert back <= 0.35 * matches[name].km


def test_known_one_way_tolls_point_the_right_way(roads: RoadGraph, matches: dict[str, Match]) -> None:
    def course(name: str) -> tuple[float, float]:
        nodes = matches[name].nodes
        return (
            float(roads.lat[nodes[-1]] - roads.lat[nodes[0]]),
            float(roads.lon[nodes[-1]] - roads.lon[nodes[0]]),
        )

    assert course("Golden Gate Bridge")[0] < 0  # southbound, into San Francisco
    assert course("San Francisco-Oakland Bay Bridge")[1] < 0  # westbound
    assert course("George Washington Bridge")[1] > 0  # eastbound, into New York
    assert course("Governor Mario M. Cuomo (Tappan Zee) Bridge")[1] > 0
    assert course("Delaware Memorial Bridge")[1] < 0  # into Delaware
    assert course("Benjamin Franklin Bridge")[1] < 0  # into Philadelphia
    assert course("John F. Kennedy Memorial Highway (I-95)")[1] > 0  # northbound


def test_no_free_way_runs_beside_a_toll_crossing(roads: RoadGraph, matches: dict[str, Match]) -> None:
    """The data may hold carriageways as roads of their own: all of a crossing must be charged."""
    engine = Engine(roads.order, roads.tail, roads.head)
    metres = np.rint(roads.length_km * 1000)
    metres[roads.toll >= 0] = BLOCKED
    engine.reweight(metres)
    for name, facility in FACILITIES.items():
        if facility.kind == "road" or name in FREE_NEARBY:
            continue
        nodes = matches[name].nodes
        path = engine.path(nodes[0], nodes[-1])
        assert path is None or path[0] / 1000 > matches[name].km + 5, name


def test_touching_a_toll_road_is_free(roads: RoadGraph) -> None:
    """Short pieces at junctions, which crossing traffic uses, are charged on no toll road."""
    kinds = np.array([facility.kind == "road" for facility in FACILITIES.values()])
    charged = roads.toll >= 0
    assert roads.length_km[charged][kinds[roads.toll[charged]]].min() >= 0.4
