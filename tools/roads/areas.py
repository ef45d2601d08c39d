"""What it means to keep out of a place: the edges a city or a state takes in.

A state is its outline. A city is a circle around its centre that would hold its people at 2,000 per
square kilometre, 3 to 20 km wide: the gazetteer knows centres and populations, not outlines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tools.places.types import Place
from tools.roads.geo import haversine_km, segment_distance_km
from tools.roads.graph import RoadGraph

__all__ = ["city_radius_km", "edges_in_place", "stop_inside"]

_PEOPLE_PER_KM2 = 2000.0
_SAME_PLACE_KM = 2.0


def city_radius_km(place: Place, stops: Sequence[Place]) -> float:
    """Radius of the circle to keep out of, in km; smaller where a stop lies nearer than that.

    A stop at the centre itself does not shrink it: that wish and that stop contradict each other.
    """
    radius = min(20.0, max(3.0, math.sqrt(place.population / (_PEOPLE_PER_KM2 * math.pi))))
    for stop in stops:
        away = _away_km(place, stop)
        if _SAME_PLACE_KM < away < radius / 0.75:
            radius = min(radius, 0.75 * away)
    return radius


def stop_inside(place: Place, stops: Sequence[Place]) -> Place | None:
    """The first stop that lies in a place to keep out of, if any."""
    for stop in stops:
        if place.is_state:
            if stop.state == place.state:
                return stop
        elif _away_km(place, stop) <= _SAME_PLACE_KM:
            return stop
    return None


def edges_in_place(graph: RoadGraph, place: Place, stops: Sequence[Place]) -> np.ndarray:
    """Numbers of the edges that touch a place, drawn straight between their nodes."""
    if place.is_state:
        return graph.edges_in_state(place.state)
    tail, head = graph.tail, graph.head
    away = segment_distance_km(
        place.lat, place.lon, graph.lat[tail], graph.lon[tail], graph.lat[head], graph.lon[head]
    )
    return np.flatnonzero(away <= city_radius_km(place, stops))


def _away_km(a: Place, b: Place) -> float:
    return float(haversine_km(a.lat, a.lon, b.lat, b.lon))
