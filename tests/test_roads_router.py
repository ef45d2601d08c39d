"""Routes: equal to networkx's under random constraints, and honest where wishes cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from typing import Literal

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.towns import (
    ADAK,
    CHICAGO,
    CLEVELAND,
    COLORADO,
    DENVER,
    HONOLULU,
    JUNEAU,
    KAILUA,
    LOS_ANGELES,
    MIAMI,
    NANTUCKET,
    NEBRASKA,
    NEW_YORK,
    NEWARK,
    OAKLAND,
    OMAHA,
    SAN_FRANCISCO,
    SEATTLE,
)
from tools.places.types import Place
from tools.roads import Check, RoadGraph, Route, RouteAnswer, Router, RouteRequest, verify
from tools.roads.engine import BLOCKED, Engine
from tools.roads.geo import haversine_km
from tools.roads.order import best_order
from tools.roads.states import STATES
from tools.roads.types import Avoidable


@pytest.fixture(scope="module")
def network(roads: RoadGraph) -> nx.DiGraph:
    return roads.to_networkx()


def _found(answer: RouteAnswer) -> Route:
    assert answer.route is not None, answer.warnings
    return answer.route


def _check(router: Router, request: RouteRequest, route: Route, field: str) -> Check:
    (check,) = (each for each in verify(router.graph, request, route) if each.constraint.startswith(field))
    return check


def _all_kept(router: Router, request: RouteRequest, answer: RouteAnswer) -> None:
    checks = verify(router.graph, request, _found(answer))
    assert answer.relaxed == ()
    assert [check for check in checks if not check.satisfied] == []


# ---------------------------------------------------------------- networkx is the reference


def test_engine_equals_networkx_under_random_weights_and_blocks(
    roads: RoadGraph, network: nx.DiGraph
) -> None:
    """120 random pairs under 12 random sets of weights and blocked edges: the same whole number."""
    rng = np.random.default_rng(20)
    engine = Engine(roads.order, roads.tail, roads.head)
    edges = list(zip(roads.tail.tolist(), roads.head.tolist(), strict=True))
    mainland = np.flatnonzero(roads.component == 0)
    unreachable = 0
    for trial in range(12):
        weights = np.rint((roads.hours if trial % 2 else roads.length_km) * rng.uniform(50, 2000)) + 1
        blocked = rng.random(roads.edge_count) < rng.choice([0.0, 0.02, 0.1])
        if trial % 3 == 0:
            blocked |= roads.toll >= 0
        if trial % 4 == 1:
            blocked |= roads.freeway
        if trial % 4 == 2:
            blocked[roads.edges_in_state(STATES[rng.integers(len(STATES))])] = True
        engine.reweight(np.where(blocked, BLOCKED, weights))
        reference = nx.DiGraph()
        reference.add_nodes_from(network)
        reference.add_weighted_edges_from(
            (*edge, weight)
            for edge, weight, stop in zip(edges, weights.astype(int).tolist(), blocked.tolist(), strict=True)
            if not stop
        )
        source = int(rng.choice(mainland))
        lengths = nx.single_source_dijkstra_path_length(reference, source)
        for target in rng.choice(mainland, 10).tolist():
            path = engine.path(source, target)
            if path is None:
                unreachable += 1
                assert target not in lengths
                continue
            assert path[0] == lengths[target]
            assert sum(int(weights[edge]) for edge in path[1]) == path[0]
            assert not blocked[path[1]].any()
            nodes = [source, *roads.head[path[1]].tolist()]
            assert nodes[-1] == target
            assert [edges[edge] for edge in path[1]] == list(pairwise(nodes))
    assert 0 < unreachable < 100  # both outcomes were met


def test_plans_equal_networkx_under_random_wishes(
    roads: RoadGraph, router: Router, network: nx.DiGraph
) -> None:
    """Whole plans against networkx's public attributes, for random stops and wishes."""
    rng = np.random.default_rng(7)
    inland = np.flatnonzero((roads.component == 0) & (roads.state >= 0))
    kept = 0
    for _ in range(16):
        stops = [
            Place(
                "Somewhere", STATES[roads.state[node]], float(roads.lat[node]), float(roads.lon[node]), 0, 1
            )
            for node in rng.choice(inland, 2).tolist()
        ]
        code = STATES[rng.integers(len(STATES))]
        kinds: tuple[Avoidable, ...] = ("tolls", "motorways")
        wishes = tuple(wish for wish in kinds if rng.random() < 0.4)
        shut = (Place(code, code, 0.0, 0.0, 0, 0, is_state=True),) if rng.random() < 0.4 else ()
        optimize: Literal["time", "distance"] = "time" if rng.random() < 0.5 else "distance"
        request = RouteRequest(
            origin=stops[0], destination=stops[1], avoid=wishes, avoid_places=shut, optimize=optimize
        )
        answer = router.plan(request)
        route = _found(answer)
        if answer.relaxed:
            assert not all(check.satisfied for check in verify(roads, request, route))
            continue
        closed = set(roads.edges_in_state(code).tolist()) if shut else set()
        measure = "time_h" if optimize == "time" else "distance_km"

        def weight(
            tail: int,
            head: int,
            data: dict[str, object],
            wishes: tuple[Avoidable, ...] = wishes,
            closed: set[int] = closed,
            measure: str = measure,
        ) -> object:
            barred = ("tolls" in wishes and data["toll"] is not None) or (
                "motorways" in wishes and data["road_class"] == "freeway"
            )
            if barred or (closed and roads.edge(tail, head) in closed):
                return None
            return data[measure]

        nodes = route.legs[0].nodes
        best = nx.bidirectional_dijkstra(network, nodes[0], nodes[-1], weight=weight)[0]
        mine = route.duration_h if optimize == "time" else route.distance_km
        assert mine == pytest.approx(best, rel=1e-4)
        _all_kept(router, request, answer)
        kept += 1
    assert kept >= 10


# ---------------------------------------------------------------- tolls


def test_new_york_to_los_angeles_over_denver_with_and_without_tolls(router: Router) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, via=(DENVER,))
    paid = router.plan(request)
    route = _found(paid)
    assert route.distance_km == pytest.approx(4_401, rel=0.01)
    assert 40 < route.duration_h < 46
    assert {"Ohio Turnpike", "Indiana Toll Road"} <= {stretch.name for stretch in route.tolls}
    assert [leg.end.name for leg in route.legs] == ["Denver", "Los Angeles"]
    _all_kept(router, request, paid)

    spared = request.model_copy(update={"avoid": ("tolls",)})
    free = router.plan(spared)
    assert _found(free).toll_km == 0 and _found(free).tolls == ()
    assert _found(free).distance_km == pytest.approx(4_441, rel=0.01)
    assert _found(free).duration_h > route.duration_h
    _all_kept(router, spared, free)


def test_a_bridge_tolled_one_way_is_free_the_other(router: Router) -> None:
    into = _found(router.plan(RouteRequest(origin=OAKLAND, destination=SAN_FRANCISCO)))
    assert [stretch.name for stretch in into.tolls] == ["San Francisco-Oakland Bay Bridge"]
    assert into.distance_km < 22
    out = RouteRequest(origin=SAN_FRANCISCO, destination=OAKLAND, avoid=("tolls",))
    answer = router.plan(out)
    assert _found(answer).toll_km == 0 and _found(answer).distance_km < 22
    _all_kept(router, out, answer)


def test_tolls_that_cannot_be_avoided_are_told_by_name_and_km(roads: RoadGraph, router: Router) -> None:
    """With the only way into a stop tolled (in a copy of the graph), the least-toll route is given."""
    key_west = Place("Key West", "FL", 24.5557, -81.7826, 25755, 4160812)
    long_link = np.flatnonzero(roads.length_km == 205.0)
    toll = roads.toll.copy()
    toll[long_link] = 0
    answer = Router(replace(roads, toll=toll)).plan(
        RouteRequest(origin=MIAMI, destination=key_west, avoid=("tolls",))
    )
    route = _found(answer)
    assert answer.relaxed == ("tolls",)
    assert route.toll_km == pytest.approx(205.0)
    assert any(roads.toll_names[0] in warning and "205.0 km" in warning for warning in answer.warnings)


def test_motorways_are_kept_to_the_least(router: Router) -> None:
    request = RouteRequest(origin=CHICAGO, destination=DENVER, avoid=("motorways",))
    answer = router.plan(request)
    check = _check(router, request, _found(answer), "avoid motorways")
    assert check.satisfied == (answer.relaxed == ())
    # To Chicago's centre a few kilometres may be needed; never a journey.
    graph = router.graph
    nodes = [node for leg in _found(answer).legs for node in leg.nodes]
    edges = [graph.edge(a, b) for a, b in pairwise(nodes) if a != b]
    assert graph.length_km[edges][graph.freeway[edges]].sum() < 10


# ---------------------------------------------------------------- places to keep out of


def test_a_state_is_kept_out_of(router: Router) -> None:
    request = RouteRequest(origin=CHICAGO, destination=SAN_FRANCISCO, avoid_places=(NEBRASKA,))
    answer = router.plan(request)
    _all_kept(router, request, answer)
    open_request = request.model_copy(update={"avoid_places": ()})
    usual = _found(router.plan(open_request))
    assert not _check(router, request, usual, "avoid_places").satisfied  # else the wish tests nothing
    assert _found(answer).distance_km > usual.distance_km


def test_a_city_is_kept_out_of(router: Router) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=DENVER, avoid_places=(CHICAGO, CLEVELAND))
    answer = router.plan(request)
    _all_kept(router, request, answer)
    usual = _found(router.plan(RouteRequest(origin=NEW_YORK, destination=CHICAGO)))
    assert not _check(router, request, usual, f"avoid_places {CHICAGO.label}").satisfied


def test_a_stop_beside_a_city_to_keep_out_of(router: Router) -> None:
    request = RouteRequest(origin=NEWARK, destination=CHICAGO, avoid_places=(NEW_YORK,))
    _all_kept(router, request, router.plan(request))


@pytest.mark.parametrize("place", [COLORADO, DENVER], ids=["state", "city"])
def test_a_stop_in_a_place_to_avoid_is_told(router: Router, place: Place) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, via=(DENVER,), avoid_places=(place,))
    answer = router.plan(request)
    assert answer.relaxed == (f"avoid_places: {place.label}",)
    assert any("Denver, CO is a stop" in warning for warning in answer.warnings)
    assert _check(router, request, _found(answer), "via Denver").satisfied
    assert not _check(router, request, _found(answer), "avoid_places").satisfied


def test_kansas_city_is_met_without_kansas(router: Router) -> None:
    kansas_city = Place("Kansas City", "MO", 39.0997, -94.5786, 508090, 4393217)
    kansas = Place("Kansas", "KS", 38.5, -98.5, 0, 0, is_state=True)
    request = RouteRequest(origin=kansas_city, destination=DENVER, avoid_places=(kansas,))
    _all_kept(router, request, router.plan(request))


# ---------------------------------------------------------------- stops, order, round trips


def test_any_order_equals_the_best_of_all_orders(router: Router) -> None:
    stops = (MIAMI, SEATTLE, OMAHA)
    request = RouteRequest(origin=NEW_YORK, destination=SAN_FRANCISCO, via=stops, via_order="any")
    free = router.plan(request)
    orders = [
        _found(router.plan(request.model_copy(update={"via": order, "via_order": "fixed"}))).duration_h
        for order in permutations(stops)
    ]
    assert _found(free).duration_h == pytest.approx(min(orders), abs=1e-6)
    assert max(orders) > 1.1 * min(orders)
    _all_kept(router, request, free)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 99), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_best_order_equals_brute_force(costs: list[list[int]]) -> None:
    last = len(costs) - 1

    def total(order: tuple[int, ...]) -> int:
        return sum(costs[a][b] for a, b in pairwise((0, *order, last)))

    order = best_order(costs)
    assert order[0] == 0 and order[-1] == last and sorted(order) == list(range(last + 1))
    assert total(tuple(order[1:-1])) == min(total(between) for between in permutations(range(1, last)))


def test_many_stops_get_a_good_order() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((16, 2))
    costs = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)).tolist()
    order = best_order(costs)
    assert sorted(order) == list(range(16)) and order[0] == 0 and order[-1] == 15
    shuffled = [
        sum(costs[a][b] for a, b in pairwise([0, *rng.permutation(range(1, 15)).tolist(), 15]))
        for _ in range(300)
    ]
    assert sum(costs[a][b] for a, b in pairwise(order)) < min(shuffled)


def test_round_trip_comes_back(router: Router) -> None:
    request = RouteRequest(origin=CHICAGO, destination=DENVER, via=(OMAHA,), round_trip=True)
    answer = router.plan(request)
    assert [leg.end.name for leg in _found(answer).legs] == ["Omaha", "Denver", "Chicago"]
    _all_kept(router, request, answer)


def test_origin_equal_to_destination(router: Router) -> None:
    request = RouteRequest(origin=DENVER, destination=DENVER)
    answer = router.plan(request)
    route = _found(answer)
    assert route.distance_km == 0 and len(route.coordinates) == 2
    assert any("nothing to drive" in warning for warning in answer.warnings)
    _all_kept(router, request, answer)


# ---------------------------------------------------------------- no road


@pytest.mark.parametrize("place", [HONOLULU, JUNEAU, NANTUCKET, ADAK], ids=lambda place: place.name)
def test_without_a_road_there_is_no_route_but_a_reason(router: Router, place: Place) -> None:
    for request in (
        RouteRequest(origin=place, destination=LOS_ANGELES),
        RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, via=(place,)),
    ):
        answer = router.plan(request)
        assert answer.route is None
        assert len(answer.warnings) == 1 and place.label in answer.warnings[0]


def test_within_an_island_there_are_roads(router: Router) -> None:
    request = RouteRequest(origin=HONOLULU, destination=KAILUA)
    answer = router.plan(request)
    assert 10 < _found(answer).distance_km < 40
    _all_kept(router, request, answer)


# ---------------------------------------------------------------- distance and clock


def test_a_distance_limit_is_met_with_a_shorter_route_if_there_is_one(router: Router) -> None:
    fastest = _found(router.plan(RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES)))
    shortest = _found(
        router.plan(RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, optimize="distance"))
    )
    assert shortest.distance_km < fastest.distance_km - 20
    limit = (shortest.distance_km + fastest.distance_km) / 2
    request = RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, max_distance_km=limit)
    answer = router.plan(request)
    assert _found(answer).distance_km <= limit
    assert _found(answer).duration_h <= shortest.duration_h
    _all_kept(router, request, answer)


def test_a_distance_limit_out_of_reach_is_told(router: Router) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=LOS_ANGELES, max_distance_km=3000)
    answer = router.plan(request)
    assert answer.relaxed == ("max_distance_km",)
    assert not _check(router, request, _found(answer), "max_distance_km").satisfied


def test_days_never_exceed_the_limit(router: Router, roads: RoadGraph) -> None:
    request = RouteRequest(
        origin=NEW_YORK, destination=LOS_ANGELES, max_hours_per_day=8, depart="08:00", arrive_by="18:00"
    )
    answer = router.plan(request)
    route = _found(answer)
    assert len(route.hours_by_day) == 6 and max(route.hours_by_day) <= 8
    assert sum(route.hours_by_day) == pytest.approx(route.duration_h)
    assert len(route.day_ends) == 5
    for lon, lat in route.day_ends:  # each night is on the route
        assert (
            haversine_km(lat, lon, np.array(route.coordinates)[:, 1], np.array(route.coordinates)[:, 0]).min()
            < 80
        )
    _all_kept(router, request, answer)


def test_a_deadline_missed_is_told(router: Router) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=CHICAGO, depart="08:00", arrive_by="12:00")
    answer = router.plan(request)
    assert answer.relaxed == ("arrive_by",)
    assert not _check(router, request, _found(answer), "arrive_by").satisfied


def test_the_latest_departure_is_told(router: Router) -> None:
    request = RouteRequest(origin=NEW_YORK, destination=CHICAGO, arrive_by="10:00")
    answer = router.plan(request)
    assert _found(answer).depart is not None and "(-1 day)" in str(_found(answer).depart)
    _all_kept(router, request, answer)


@pytest.mark.parametrize("field", ["depart", "arrive_by"])
@pytest.mark.parametrize("clock", ["24:00", "8:00", "08:60", "eight", ""])
def test_a_clock_time_that_is_none_is_refused(field: str, clock: str) -> None:
    with pytest.raises(ValidationError):
        RouteRequest.model_validate({"origin": DENVER, "destination": OMAHA, field: clock})
