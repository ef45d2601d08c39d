"""A route as one HTML page that needs no network: the map, its itinerary and its checks.

The page holds everything: lines as base64 of whole-number steps, one style sheet and one script
(``page/``). Its content security policy forbids any request, so nothing can be fetched by mistake.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from jinja2 import Environment, PackageLoader, StrictUndefined

from tools.places.types import Place
from tools.roads.export import ATTRIBUTION, Point, leg_points, stops, toll_lines
from tools.roads.graph import RoadGraph
from tools.roads.states import state_shapes
from tools.roads.types import Check, Leg, Route

__all__ = ["render_map"]

STEP_DEG = 0.001
"""Lines are drawn to this many degrees, the precision of the road data."""

_MARGIN = 0.25  # of the route's extent, on each side
_LEAST_MARGIN_DEG = 0.5
_MOST_TOWNS = 1500
_MILES_PER_KM = 1 / 1.609344

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

Lines = tuple[np.ndarray, list[int]]
"""Points of all lines one after the other (n, 2), longitude first, and how many each line has."""


def render_map(
    route: Route,
    graph: RoadGraph,
    *,
    title: str,
    checks: Sequence[Check] = (),
    warnings: Sequence[str] = (),
    towns: Iterable[Place] = (),
) -> str:
    """The page: roads in grey around the route, the route, its stops, tolls, itinerary and checks.

    Args:
        route: The route; its legs' nodes belong to ``graph``.
        graph: The roads.
        title: Heading of the page, any text.
        checks: What was checked, listed in the panel.
        warnings: Sentences for the person, listed above the itinerary.
        towns: Places to name on the map for orientation; the largest in view are shown.

    Raises:
        ValueError: For a route without legs, which has nothing to draw.
    """
    if not route.legs:
        raise ValueError("a route without legs cannot be drawn")
    points = [leg_points(leg, graph) for leg in route.legs]
    places = stops(route)
    box = _box(np.array([*(p for leg in points for p in leg), *((s.lon, s.lat) for s in places)]))
    around = _grown(box)
    tolls = [(toll, line) for toll, line in toll_lines(route, graph)]
    data = {
        "step": STEP_DEG,
        "box": box,
        "states": _pack(_state_rings(around)),
        "roads": _pack(_chains(graph, ~graph.freeway, around)),
        "freeways": _pack(_chains(graph, graph.freeway, around)),
        "legs": _pack(_lines(points)),
        "tolls": _pack(_lines([line for _, line in tolls])),
        "tollNames": [toll.name for toll, _ in tolls],
        "links": _links(route.legs, graph),
        "stops": _stop_labels(places),
        "towns": _town_labels(towns, around, places),
    }
    environment = Environment(
        loader=PackageLoader("tools.roads", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"km": _km, "miles": _miles, "hours": _hours}
    toll_boxes: dict[str, list[Box]] = {}
    for toll, line in tolls:
        toll_boxes.setdefault(toll.name, []).append(_box(np.array(line)))
    return environment.get_template("map.html").render(
        title=title,
        route=route,
        legs=[(leg, _box(np.array(line))) for leg, line in zip(route.legs, points, strict=True)],
        tolls=[(toll, _around(toll_boxes[toll.name])) for toll in route.tolls if toll.name in toll_boxes],
        checks=checks,
        warnings=warnings,
        attribution=ATTRIBUTION,
        data=data,
    )


def _box(points: np.ndarray) -> Box:
    """Bounds of points (n, 2), longitude first."""
    west, south = points.min(axis=0).tolist()
    east, north = points.max(axis=0).tolist()
    return west, south, east, north


def _around(boxes: list[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _grown(box: Box) -> Box:
    """The box and a margin; a page is wide, so both ways get the larger extent's margin."""
    west, south, east, north = box
    margin = max(_LEAST_MARGIN_DEG, _MARGIN * max(east - west, north - south))
    return west - margin, south - margin, east + margin, north + margin


def _chains(graph: RoadGraph, of_class: np.ndarray, box: Box) -> Lines:
    """The roads of a class within a box, as few long lines.

    A road driven both ways is drawn once. Lines run on through nodes where only two pieces meet.
    """
    west, south, east, north = box
    inside = (graph.lon >= west) & (graph.lon <= east) & (graph.lat >= south) & (graph.lat <= north)
    chosen = of_class & (inside[graph.tail] | inside[graph.head])
    tail, head = graph.tail[chosen].astype(np.int64), graph.head[chosen].astype(np.int64)
    pairs = np.unique(np.minimum(tail, head) * graph.node_count + np.maximum(tail, head))
    beside: dict[int, list[int]] = {}
    for a, b in zip(*map(np.ndarray.tolist, np.divmod(pairs, graph.node_count)), strict=True):
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)

    def follow(here: int) -> int:
        there = beside[here].pop()
        beside[there].remove(here)
        return there

    nodes: list[int] = []
    sizes: list[int] = []
    junctions = [node for node, others in beside.items() if len(others) != 2]
    for start in [*junctions, *beside]:
        while beside[start]:
            line = [start, follow(start)]
            while len(beside[line[-1]]) == 1:
                line.append(follow(line[-1]))
            nodes += line
            sizes.append(len(line))
    return np.stack([graph.lon[nodes], graph.lat[nodes]], axis=1), sizes


def _state_rings(box: Box) -> Lines:
    """Outlines of the states that touch the box, as closed rings."""
    frame = shapely.box(*box)
    rings: list[np.ndarray] = []
    for shape in state_shapes().values():
        for part in shapely.get_parts(shape):
            if part.geom_type == "Polygon" and frame.intersects(part):
                rings += [np.array(ring.coords) for ring in (part.exterior, *part.interiors)]
    return _lines(rings)


def _lines(parts: Sequence[Sequence[Point] | np.ndarray]) -> Lines:
    points = np.concatenate([np.asarray(part) for part in parts]) if parts else np.zeros((0, 2))
    return points, [len(part) for part in parts]


def _pack(lines: Lines) -> dict[str, str]:
    """Lines as base64: first points (int32), points per line (uint32), steps between points (int16).

    All in units of ``STEP_DEG``, little-endian, longitude before latitude. Raises ValueError for a
    step of more than 32 degrees, which no road and no border has.
    """
    points, sizes = lines
    units = np.round(points / STEP_DEG).astype(np.int32)
    first = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, int)
    steps = np.diff(units, axis=0, prepend=units[:1])
    steps = np.delete(steps, first, axis=0)
    if np.abs(steps).max(initial=0) > np.iinfo(np.int16).max:
        raise ValueError("a line has a step of more than 32 degrees")
    return {
        "starts": _base64(units[first].astype("<i4")),
        "sizes": _base64(np.array(sizes, dtype="<u4")),
        "steps": _base64(steps.astype("<i2")),
    }


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _links(legs: Sequence[Leg], graph: RoadGraph) -> list[list[float]]:
    """From each stop to the road node that stands for it: the local streets the data does not have."""
    ends = [(leg.start, leg.nodes[0]) for leg in legs] + [(legs[-1].end, legs[-1].nodes[-1])]
    return [[place.lon, place.lat, float(graph.lon[node]), float(graph.lat[node])] for place, node in ends]


def _stop_labels(places: Sequence[Place]) -> list[dict[str, Any]]:
    """One label for each place; one that is passed twice (a round trip's start) shows both numbers."""
    labels: dict[str, dict[str, Any]] = {}
    for number, place in enumerate(places, start=1):
        at = {"name": place.label, "lon": place.lon, "lat": place.lat, "numbers": []}
        labels.setdefault(place.label, at)["numbers"].append(number)
    return list(labels.values())


def _town_labels(towns: Iterable[Place], box: Box, named: Sequence[Place]) -> list[dict[str, Any]]:
    """The largest towns in the box that are not named yet, largest first."""
    west, south, east, north = box
    inside = [t for t in towns if west <= t.lon <= east and south <= t.lat <= north and t not in named]
    inside.sort(key=lambda town: -town.population)
    return [{"name": town.name, "lon": town.lon, "lat": town.lat} for town in inside[:_MOST_TOWNS]]


def _km(value: float) -> str:
    return f"{value:,.0f} km" if value >= 10 else f"{value:.1f} km"


def _miles(km: float) -> str:
    miles = km * _MILES_PER_KM
    return f"{miles:,.0f} mi" if miles >= 10 else f"{miles:.1f} mi"


def _hours(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
