"""Check a route against its request by walking its nodes.

Nothing of the path search is used: only the nodes the route returns, the graph's arrays, and the state
outlines. A route whose figures or edges do not hold up fails its checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from tools.places.types import Place
from tools.roads.areas import city_radius_km
from tools.roads.clock import clock_minutes, show_clock
from tools.roads.gaps import known_gaps
from tools.roads.geo import haversine_km
from tools.roads.graph import RoadGraph
from tools.roads.snap import ACCESS_KM, SNAP_KM
from tools.roads.states import STATES, state_shapes
from tools.roads.types import Check, Route, RouteRequest

__all__ = ["verify"]

_SAMPLE_KM = 0.5
_AGREE_KM, _AGREE_H = 0.01, 0.001
_SAME_STOP_KM = 1.0


@dataclass(frozen=True)
class _Walk:
    """What walking the route finds: nodes visited, edges driven, and the node at which each leg ends."""

    nodes: list[int]
    edges: np.ndarray
    km: float
    hours: float
    legs: list[tuple[int, int]]


def verify(graph: RoadGraph, request: RouteRequest, route: Route) -> tuple[Check, ...]:
    """One check for each constraint in force, in the order of the request's fields.

    ``constraint`` starts with the field's name: ``"avoid tolls"``, ``"via Denver, CO"``. A route that
    does not lie on the graph fails in one check named ``route``.
    """
    try:
        walk = _walk(graph, route)
    except (KeyError, ValueError) as error:
        return (
            Check(constraint="route", satisfied=False, evidence=f"the route leaves the road graph: {error}"),
        )
    checks = [_figures(graph, route, walk), *_stops(graph, request, walk)]
    if request.via_order == "any":
        checks.append(_any_order(request, route))
    checks += [_avoid(graph, kind, walk) for kind in request.avoid]
    places = (request.origin, *request.via, request.destination)
    checks += [_avoid_place(graph, place, places, walk) for place in request.avoid_places]
    checks.append(_optimize(request, walk))
    if request.round_trip:
        checks.append(_round_trip(request, walk))
    checks += _times(request, route, walk)
    if request.max_distance_km is not None:
        checks.append(
            Check(
                constraint=f"max_distance_km {request.max_distance_km:g}",
                satisfied=walk.km <= request.max_distance_km,
                evidence=f"the edges sum to {walk.km:,.1f} km of {request.max_distance_km:,.1f} km allowed",
            )
        )
    return tuple(checks)


def _walk(graph: RoadGraph, route: Route) -> _Walk:
    """Follow the legs edge by edge; KeyError where there is no edge, ValueError where legs do not join."""
    nodes = [route.legs[0].nodes[0]]
    for leg in route.legs:
        if leg.nodes[0] != nodes[-1]:
            raise ValueError(f"the leg to {leg.end.label} does not start where the one before ends")
        nodes += leg.nodes[1:]
    edges = np.array([graph.edge(a, b) for a, b in pairwise(nodes)], dtype=np.int64)
    return _Walk(
        nodes=nodes,
        edges=edges,
        km=math.fsum(graph.length_km[edges]),
        hours=math.fsum(graph.hours[edges]),
        legs=[(leg.nodes[0], leg.nodes[-1]) for leg in route.legs],
    )


def _figures(graph: RoadGraph, route: Route, walk: _Walk) -> Check:
    """Whether distance, time and toll stretches are those of the edges."""
    tolls = _tolls(graph, walk.edges)
    told = {stretch.name: stretch.distance_km for stretch in route.tolls}
    agrees = (
        abs(route.distance_km - walk.km) <= _AGREE_KM
        and abs(sum(leg.distance_km for leg in route.legs) - walk.km) <= _AGREE_KM
        and abs(route.duration_h - walk.hours) <= _AGREE_H
        and abs(route.toll_km - sum(tolls.values())) <= _AGREE_KM
        and told.keys() == tolls.keys()
        and all(abs(told[name] - km) <= _AGREE_KM for name, km in tolls.items())
    )
    return Check(
        constraint="route",
        satisfied=agrees,
        evidence=f"{len(walk.edges):,} edges sum to {walk.km:,.1f} km, {walk.hours:.1f} h and "
        f"{sum(tolls.values()):,.1f} km of toll road; reported are {route.distance_km:,.1f} km, "
        f"{route.duration_h:.1f} h and {route.toll_km:,.1f} km",
    )


def _stops(graph: RoadGraph, request: RouteRequest, walk: _Walk) -> list[Check]:
    """Origin, each stop in its order, destination: the ends of the legs lie there."""
    ends = [walk.legs[0][0], *(end for _, end in walk.legs)]
    last = len(request.via) + 1
    if len(ends) != last + 1 + request.round_trip:
        expected = f"{last + request.round_trip} legs expected, {len(walk.legs)} found"
        return [Check(constraint="via", satisfied=False, evidence=expected)]
    checks = [_near(graph, "origin", request.origin, ends[:1], "it starts")]
    for number, place in enumerate(request.via, start=1):
        if request.via_order == "fixed":
            checks.append(_near(graph, "via", place, [ends[number]], f"stop {number} of {len(request.via)}"))
        else:
            checks.append(_near(graph, "via", place, ends[1:last], "one of the stops"))
    checks.append(_near(graph, "destination", request.destination, [ends[last]], "it ends"))
    return checks


def _near(graph: RoadGraph, field: str, place: Place, nodes: list[int], words: str) -> Check:
    """Whether one of some nodes is as near to a place as roads allow."""
    away = haversine_km(place.lat, place.lon, graph.lat[nodes], graph.lon[nodes]).min()
    everywhere = haversine_km(place.lat, place.lon, graph.lat, graph.lon)
    # On the route's own component: a nearer road that cannot be reached from here is none.
    nearest = everywhere[graph.component == graph.component[nodes[0]]].min()
    return Check(
        constraint=f"{field} {place.label}",
        satisfied=bool(away <= min(nearest + ACCESS_KM, SNAP_KM + ACCESS_KM)),
        evidence=f"{words} {away:.1f} km from the centre (nearest road {nearest:.1f} km)",
    )


def _any_order(request: RouteRequest, route: Route) -> Check:
    visited = [leg.end for leg in route.legs[: len(request.via)]]
    return Check(
        constraint="via_order any",
        satisfied=sorted(place.label for place in visited) == sorted(place.label for place in request.via),
        evidence="visited in the order " + ", ".join(place.label for place in visited)
        if visited
        else "no stops",
    )


def _tolls(graph: RoadGraph, edges: np.ndarray) -> dict[str, float]:
    """Kilometres driven on each toll facility, in its tolled direction."""
    km: dict[str, float] = {}
    for facility, length in zip(graph.toll[edges].tolist(), graph.length_km[edges].tolist(), strict=True):
        if facility >= 0:
            name = graph.toll_names[facility]
            km[name] = km.get(name, 0.0) + length
    return km


def _avoid(graph: RoadGraph, kind: str, walk: _Walk) -> Check:
    if kind == "tolls":
        tolls = _tolls(graph, walk.edges)
        listed = ", ".join(f"{name} {km:,.1f} km" for name, km in tolls.items())
        known = len(graph.toll_names)
        evidence = (
            f"toll roads used: {listed}" if tolls else f"none of the {known} toll facilities known is used"
        )
        return Check(constraint="avoid tolls", satisfied=not tolls, evidence=evidence)
    if kind == "motorways":
        km = math.fsum(graph.length_km[walk.edges][graph.freeway[walk.edges]])
        return Check(
            constraint="avoid motorways",
            satisfied=km == 0,
            evidence=f"{km:,.1f} of {walk.km:,.1f} km are on edges classed as freeway",
        )
    lines = known_gaps().ferries
    taken = [line.name for line in lines if line.crossed(graph.lat[walk.nodes], graph.lon[walk.nodes])]
    evidence = (
        f"ferries taken: {', '.join(taken)}"
        if taken
        else f"none of the {len(lines)} ferries that the data drew as roads is taken; the data holds no "
        "others, and places that only a ferry reaches are not connected"
    )
    return Check(constraint="avoid ferries", satisfied=not taken, evidence=evidence)


def _avoid_place(graph: RoadGraph, place: Place, stops: tuple[Place, ...], walk: _Walk) -> Check:
    """Whether any point of the route, drawn straight between its nodes, lies in a place."""
    constraint = f"avoid_places {place.label}"
    lat, lon, km = _samples(graph, walk)
    if place.is_state:
        if place.state not in STATES:
            return Check(
                constraint=constraint, satisfied=False, evidence=f"no outline of {place.label} is known"
            )
        inside = shapely.contains_xy(state_shapes()[place.state], lon, lat)
        area = f"the outline of {place.label}"
    else:
        radius = city_radius_km(place, stops)
        away = haversine_km(place.lat, place.lon, lat, lon)
        inside = away < radius
        area = f"the circle of {radius:.1f} km around {place.label} (nearest point {away.min():.1f} km away)"
    return Check(
        constraint=constraint,
        satisfied=not inside.any(),
        evidence=f"{km[inside].sum():,.1f} of {walk.km:,.1f} km lie in {area}, by {len(lat):,} points on it",
    )


def _samples(graph: RoadGraph, walk: _Walk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points along the route, at most 0.5 km apart, with the kilometres each stands for."""
    if not len(walk.edges):
        return graph.lat[walk.nodes], graph.lon[walk.nodes], np.zeros(len(walk.nodes))
    length = graph.length_km[walk.edges]
    pieces = np.ceil(length / _SAMPLE_KM).astype(int) + 1
    owner = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[owner]
    a, b = graph.tail[walk.edges][owner], graph.head[walk.edges][owner]
    lat = graph.lat[a] + share * (graph.lat[b] - graph.lat[a])
    lon = graph.lon[a] + share * (graph.lon[b] - graph.lon[a])
    return lat, lon, (length / pieces)[owner]


def _zones_crossed(request: RouteRequest) -> int:
    """Minutes between what the clocks say on this day where the trip ends and where it starts."""
    end = request.origin if request.round_trip else request.destination
    if not (request.origin.timezone and end.timezone):
        return 0
    noon = datetime.combine(date.today(), time(12), UTC)
    there, here = (
        noon.astimezone(ZoneInfo(place.timezone)).replace(tzinfo=None) for place in (end, request.origin)
    )
    return round((there - here) / timedelta(minutes=1))


def _optimize(request: RouteRequest, walk: _Walk) -> Check:
    figure = f"{walk.hours:.1f} h" if request.optimize == "time" else f"{walk.km:,.1f} km"
    pace = walk.km / walk.hours if walk.hours else 0.0
    return Check(
        constraint=f"optimize {request.optimize}",
        satisfied=True,
        evidence=f"{figure} by the route's edges ({pace:.0f} km/h on average); "
        "walking them cannot prove that it is least",
    )


def _round_trip(request: RouteRequest, walk: _Walk) -> Check:
    return Check(
        constraint="round_trip",
        satisfied=walk.nodes[-1] == walk.nodes[0],
        evidence=f"it ends at the node where it starts, in {request.origin.label}"
        if walk.nodes[-1] == walk.nodes[0]
        else "it ends elsewhere than it starts",
    )


def _times(request: RouteRequest, route: Route, walk: _Walk) -> list[Check]:
    """Daily limit, departure and deadline, by counting minutes from departure to arrival."""
    checks = []
    limit = request.max_hours_per_day
    days = route.hours_by_day
    whole = abs(math.fsum(days) - walk.hours) <= _AGREE_H
    if limit is not None:
        checks.append(
            Check(
                constraint=f"max_hours_per_day {limit:g}",
                satisfied=whole and max(days) <= min(limit, 24.0) + 1e-9,
                evidence=f"{walk.hours:.1f} h of driving on {len(days)} day{'s' if len(days) != 1 else ''}, "
                f"at most {max(days):.1f} h on one",
            )
        )
    # Nights are whole days from departure to departure; the last day's drive is rounded up to a minute.
    # By the clocks at its end the trip seems as much longer as they are ahead.
    zones = _zones_crossed(request)
    elapsed = 1440 * (len(days) - 1) + math.ceil(60 * days[-1] - 1e-6) + zones
    if request.depart is not None:
        arrival = show_clock(clock_minutes(request.depart) + elapsed)
        checks.append(
            Check(
                constraint=f"depart {request.depart}",
                satisfied=whole and route.depart == request.depart and route.arrive == arrival,
                evidence=f"leaving at {request.depart}, the last minute of driving ends at {arrival}",
            )
        )
    if request.arrive_by is not None and request.depart is None:
        start = show_clock(clock_minutes(request.arrive_by) - elapsed)
        checks.append(
            Check(
                constraint=f"arrive_by {request.arrive_by}",
                satisfied=whole and route.depart == start,
                evidence=f"no departure was asked for; leaving by {start} arrives at {request.arrive_by}",
            )
        )
    elif request.arrive_by is not None and request.depart is not None:
        leaving, deadline = clock_minutes(request.depart), clock_minutes(request.arrive_by)
        arrival_minute = leaving + elapsed
        due = deadline + 1440 * ((leaving + zones - deadline) // 1440 + 1)
        due += 1440 * (len(days) - 1) if limit is not None else 0
        checks.append(
            Check(
                constraint=f"arrive_by {request.arrive_by}",
                satisfied=whole and arrival_minute <= due,
                evidence=f"arrival {show_clock(arrival_minute)}, due {show_clock(due)}, "
                + ("on the day of arrival" if limit is not None else f"the first after {request.depart}"),
            )
        )
    return checks
