"""Plan a trip: stops onto the graph, wishes into weights, shortest paths, and an honest answer.

A wish to keep off something is hard first: its edges are blocked. If the stops cannot all be reached
that way, the wish turns soft: its edges count a hundredfold, which gives the route that uses least of
them, and the answer says what was broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from tools.places.types import Place
from tools.roads.areas import edges_in_place, stop_inside
from tools.roads.clock import Timetable, drive_days, minutes_ahead, timetable
from tools.roads.engine import BLOCKED, Engine
from tools.roads.graph import RoadGraph
from tools.roads.order import EXACT_STOPS, best_order
from tools.roads.snap import SNAP_KM, Snapped, nearest_road, snap_within
from tools.roads.types import Leg, Route, RouteAnswer, RouteRequest, TollStretch

__all__ = ["Router"]

_SOFT = 100  # an unwanted kilometre is worth so many others
_CENTISECONDS = 360_000.0  # per hour: whole numbers fine enough for 100 m, small enough for any trip
_METRE = 3.4  # centiseconds for a metre, so that time and distance can be mixed
_FAR_KM = 10.0
_ABROAD_KM = 30.0

_KINDS = {"tolls": "toll roads", "motorways": "motorways"}


@dataclass(frozen=True)
class _Wish:
    """Something to keep off. ``clash`` is the stop that contradicts it, if any."""

    name: str
    words: str
    edges: np.ndarray
    clash: Place | None = None


@dataclass(frozen=True)
class _Trip:
    """Stops in order on the graph, and the edges of each leg."""

    stops: list[Snapped]
    edges: list[np.ndarray]


class Router:
    """Answers route requests on one graph. Not for use by several threads at once."""

    def __init__(self, graph: RoadGraph) -> None:
        self.graph = graph
        self._engine = Engine(graph.order, graph.tail, graph.head)

    def plan(self, request: RouteRequest) -> RouteAnswer:
        """The best route for a request, or the nearest to it, with what it breaks.

        ``relaxed`` names broken wishes as the request does: ``tolls``, ``motorways``,
        ``avoid_places: Colorado``, ``max_distance_km``, ``arrive_by``.
        """
        warnings: list[str] = []
        places = [request.origin, *request.via, request.destination]
        stops = self._onto_roads(places, warnings)
        if stops is None:
            return RouteAnswer(route=None, relaxed=(), warnings=tuple(warnings))

        hard, soft, met = self._settle(stops, self._wishes(request, places))
        for before, after in zip(stops, met, strict=True):
            if after.km > before.km + 1.0:
                warnings.append(
                    f"{after.place.label} is met {after.km:.1f} km from its centre, to keep to the wishes"
                )
        blocked = np.zeros(self.graph.edge_count, dtype=bool)
        for wish in hard:
            blocked[wish.edges] = True
        trip, times = self._search(request, met, blocked, soft)
        route = self._route(request, trip, times)

        relaxed = []
        used = np.concatenate(trip.edges)
        for wish in soft:
            broken = used[np.isin(used, wish.edges)]
            if len(broken):
                relaxed.append(wish.name)
                warnings.append(self._broken(wish, broken))
        if request.max_distance_km is not None and route.distance_km > request.max_distance_km:
            relaxed.append("max_distance_km")
            warnings.append(
                f"no route found within {request.max_distance_km:,.0f} km: "
                f"this one has {route.distance_km:,.0f} km"
            )
        if not times.on_time:
            relaxed.append("arrive_by")
            warnings.append(
                f"leaving at {request.depart} the trip ends at {times.arrive}, after {request.arrive_by}: "
                f"it takes {route.duration_h:.1f} h of driving"
            )
        warnings += self._remarks(request, trip, used)
        return RouteAnswer(route=route, relaxed=tuple(relaxed), warnings=tuple(warnings))

    def _onto_roads(self, places: Sequence[Place], warnings: list[str]) -> list[Snapped] | None:
        """Every place on the graph and all in one component; else None, with a warning that says why."""
        stops: list[Snapped] = []
        for place in places:
            snapped = nearest_road(self.graph, place)
            if snapped is None:
                warnings.append(
                    f"no road of the data reaches {place.label} (none within {SNAP_KM:.0f} km by land)"
                )
                return None
            if snapped.km > _FAR_KM:
                warnings.append(f"the nearest road in the data is {snapped.km:.0f} km from {place.label}")
            stops.append(snapped)
        for stop in stops[1:]:
            if self.graph.component[stop.node] != self.graph.component[stops[0].node]:
                warnings.append(f"no road connects {stops[0].place.label} and {stop.place.label}")
                return None
        return stops

    def _wishes(self, request: RouteRequest, places: Sequence[Place]) -> list[_Wish]:
        """What to keep off, places first: they are the last to be given up. Ferries: the graph has none."""
        wishes = [
            _Wish(
                f"avoid_places: {place.label}",
                place.label,
                edges_in_place(self.graph, place, places),
                stop_inside(place, places),
            )
            for place in request.avoid_places
        ]
        edges = {
            "tolls": np.flatnonzero(self.graph.toll >= 0),
            "motorways": np.flatnonzero(self.graph.freeway),
        }
        wishes += [_Wish(kind, _KINDS[kind], edges[kind]) for kind in edges if kind in request.avoid]
        return wishes

    def _settle(
        self, stops: list[Snapped], wishes: list[_Wish]
    ) -> tuple[list[_Wish], list[_Wish], list[Snapped]]:
        """Split wishes into hard and soft ones such that the stops can reach each other."""
        hard: list[_Wish] = []
        soft = [wish for wish in wishes if wish.clash is not None]
        blocked = np.zeros(self.graph.edge_count, dtype=bool)
        met = stops
        for wish in wishes:
            if wish.clash is not None:
                continue
            tried = blocked.copy()
            tried[wish.edges] = True
            reached = snap_within(self.graph, stops, tried)
            if reached is None:
                soft.append(wish)
            else:
                hard.append(wish)
                blocked, met = tried, reached
        return hard, soft, met

    def _search(
        self, request: RouteRequest, stops: list[Snapped], blocked: np.ndarray, soft: list[_Wish]
    ) -> tuple[_Trip, Timetable]:
        """The best trip; where it breaks a limit of distance or time, the next that keeps it."""
        shares = [0.0] if request.optimize == "time" else [1.0]
        if request.max_distance_km is not None and request.optimize == "time":
            shares = [0.0, 0.25, 0.5, 0.75, 1.0]
        elif request.arrive_by and request.depart and request.optimize == "distance":
            shares = [1.0, 0.75, 0.5, 0.25, 0.0]
        tried: list[tuple[tuple[bool, bool, float], _Trip, Timetable]] = []
        for share in shares:
            trip = self._trip(request, stops, self._weights(share, blocked, soft))
            edges = np.concatenate(trip.edges)
            km, hours = self.graph.length_km[edges].sum(), float(self.graph.hours[edges].sum())
            times = _times(request, hours)
            too_far = request.max_distance_km is not None and km > request.max_distance_km
            if not too_far and times.on_time:
                return trip, times
            tried.append(((too_far, not times.on_time, float(km if too_far else hours)), trip, times))
        _, trip, times = min(tried, key=lambda each: each[0])
        return trip, times

    def _weights(self, distance_share: float, blocked: np.ndarray, soft: list[_Wish]) -> np.ndarray:
        """Weights for a mix of time (share 0) and distance (share 1)."""
        time = self.graph.hours * _CENTISECONDS
        distance = self.graph.length_km * 1000 * _METRE
        weights = np.maximum(1, np.rint((1 - distance_share) * time + distance_share * distance))
        if soft:  # a kilometre that breaks two wishes counts once: weights stay in range
            weights[np.unique(np.concatenate([wish.edges for wish in soft]))] *= _SOFT
        weights[blocked] = BLOCKED
        return np.minimum(weights, BLOCKED)

    def _trip(self, request: RouteRequest, stops: list[Snapped], weights: np.ndarray) -> _Trip:
        """Shortest paths under the weights through the stops, in the best order if it is free."""
        self._engine.reweight(weights)
        if request.via_order == "any" and len(stops) > 3:
            matrix = self._engine.matrix([stop.node for stop in stops])
            costs = [[float("inf") if cost is None else float(cost) for cost in row] for row in matrix]
            stops = [stops[row] for row in best_order(costs)]
        if request.round_trip:
            stops = [*stops, stops[0]]
        edges = []
        for start, end in pairwise(stops):
            path = self._engine.path(start.node, end.node)
            if path is None:  # snap_within took nodes that reach each other; soft weights stay in range
                raise RuntimeError(f"no path from {start.place.label} to {end.place.label}")
            edges.append(np.array(path[1], dtype=np.int64))
        return _Trip(stops, edges)

    def _route(self, request: RouteRequest, trip: _Trip, times: Timetable) -> Route:
        graph = self.graph
        legs = []
        for (start, end), edges in zip(pairwise(trip.stops), trip.edges, strict=True):
            tolls = self._tolls(edges)
            legs.append(
                Leg(
                    start=start.place,
                    end=end.place,
                    distance_km=float(graph.length_km[edges].sum()),
                    duration_h=float(graph.hours[edges].sum()),
                    toll_km=sum(stretch.distance_km for stretch in tolls),
                    tolls=tolls,
                    nodes=(start.node, *graph.head[edges].tolist()),
                )
            )
        every = np.concatenate(trip.edges)
        nodes = [trip.stops[0].node, *graph.head[every].tolist()]
        if len(nodes) == 1:  # GeoJSON: a line has two positions or more
            nodes *= 2
        tolls = self._tolls(every)
        duration = float(graph.hours[every].sum())
        days = drive_days(duration, request.max_hours_per_day)
        return Route(
            legs=tuple(legs),
            distance_km=float(graph.length_km[every].sum()),
            duration_h=duration,
            toll_km=sum(stretch.distance_km for stretch in tolls),
            tolls=tolls,
            coordinates=tuple(zip(graph.lon[nodes].tolist(), graph.lat[nodes].tolist(), strict=True)),
            hours_by_day=days,
            day_ends=self._day_ends(every, days),
            depart=times.depart,
            arrive=times.arrive,
        )

    def _tolls(self, edges: np.ndarray) -> tuple[TollStretch, ...]:
        """Toll facilities in the order in which they are met."""
        facility = self.graph.toll[edges]
        km = self.graph.length_km[edges]
        met = dict.fromkeys(facility[facility >= 0].tolist())
        return tuple(
            TollStretch(name=self.graph.toll_names[number], distance_km=float(km[facility == number].sum()))
            for number in met
        )

    def _day_ends(self, edges: np.ndarray, days: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
        """Where each day but the last ends, (lon, lat), on the road drawn straight between its nodes."""
        graph = self.graph
        passed = np.cumsum(graph.hours[edges])
        ends = []
        for hours in np.cumsum(days[:-1]):
            place = min(int(np.searchsorted(passed, hours)), len(edges) - 1)
            edge = edges[place]
            a, b = graph.tail[edge], graph.head[edge]
            share = 1 - (passed[place] - hours) / graph.hours[edge] if graph.hours[edge] > 0 else 1.0
            ends.append(
                (
                    float(graph.lon[a] + share * (graph.lon[b] - graph.lon[a])),
                    float(graph.lat[a] + share * (graph.lat[b] - graph.lat[a])),
                )
            )
        return tuple(ends)

    def _broken(self, wish: _Wish, edges: np.ndarray) -> str:
        """A warning in words for a wish that the route does not keep."""
        km = self.graph.length_km[edges].sum()
        if wish.clash is not None:
            return (
                f"{wish.clash.label} is a stop, so {wish.words} cannot be avoided: the route has "
                f"{km:,.1f} km of road that touches it, the least that was found"
            )
        detail = ""
        if wish.name == "tolls":
            detail = ": " + ", ".join(
                f"{stretch.name} {stretch.distance_km:,.1f} km" for stretch in self._tolls(edges)
            )
        limits = " (it lacks local streets)" if wish.name == "motorways" else ""
        return (
            f"no route in the road data{limits} keeps off {wish.words}; "
            f"this one uses least of them, {km:,.1f} km{detail}"
        )

    def _remarks(self, request: RouteRequest, trip: _Trip, used: np.ndarray) -> list[str]:
        """What else a person should know about the route."""
        remarks = []
        if len(used) == 0:
            remarks.append("all stops are the same place on the road graph: nothing to drive")
        abroad = (self.graph.state[self.graph.tail[used]] < 0) & (self.graph.state[self.graph.head[used]] < 0)
        km = self.graph.length_km[used][abroad].sum()
        if km > _ABROAD_KM:
            remarks.append(
                f"about {km:,.0f} km of the route are outside the United States (Canada or Mexico)"
            )
        minutes = _clocks_ahead(request)
        if minutes and (request.depart or request.arrive_by):
            remarks.append(
                f"clock times are local: those of {request.destination.label} are {abs(minutes) / 60:g} h "
                f"{'ahead of' if minutes > 0 else 'behind'} those of {request.origin.label} today"
            )
        if request.via_order == "any" and len(request.via) > EXACT_STOPS:
            remarks.append(f"with more than {EXACT_STOPS} stops the order is a good one, not proven best")
        return remarks


def _times(request: RouteRequest, hours: float) -> Timetable:
    days = drive_days(hours, request.max_hours_per_day)
    limited = request.max_hours_per_day is not None
    return timetable(days, limited, request.depart, request.arrive_by, _clocks_ahead(request))


def _clocks_ahead(request: RouteRequest) -> int:
    end = request.origin if request.round_trip else request.destination
    return minutes_ahead(request.origin, end, date.today())
