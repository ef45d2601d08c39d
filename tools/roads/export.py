"""A route for other programs: GeoJSON (RFC 7946) and GPX 1.1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import gpxpy.gpx

from tools.places.types import Place
from tools.roads.graph import NO_TOLL, RoadGraph
from tools.roads.types import Leg, Route, TollStretch

__all__ = ["ATTRIBUTION", "Point", "leg_points", "stops", "to_geojson", "to_gpx", "toll_lines"]

ATTRIBUTION = "Road data © OpenStreetMap contributors, ODbL. Places: GeoNames, CC BY."

Point = tuple[float, float]
"""Longitude and latitude in degrees, in this order as in GeoJSON."""


def stops(route: Route) -> list[Place]:
    """Start, stops and end of a route in order; a round trip's start stands last, too."""
    return [route.legs[0].start, *(leg.end for leg in route.legs)] if route.legs else []


def leg_points(leg: Leg, graph: RoadGraph) -> list[Point]:
    """The leg's course along the roads."""
    nodes = list(leg.nodes)
    return list(zip(graph.lon[nodes].tolist(), graph.lat[nodes].tolist(), strict=True))


def toll_lines(route: Route, graph: RoadGraph) -> Iterator[tuple[TollStretch, list[Point]]]:
    """Every unbroken stretch on one toll facility, with its own length, in travel order."""
    for leg in route.legs:
        edges = [(graph.edge(tail, head), tail, head) for tail, head in pairwise(leg.nodes)]
        for toll, group in groupby(edges, key=lambda edge: int(graph.toll[edge[0]])):
            if toll == NO_TOLL:
                continue
            run = list(group)
            nodes = [run[0][1], *(head for _, _, head in run)]
            km = float(graph.length_km[[number for number, _, _ in run]].sum())
            points = zip(graph.lon[nodes].tolist(), graph.lat[nodes].tolist(), strict=True)
            yield TollStretch(name=graph.toll_names[toll], distance_km=km), list(points)


def to_geojson(route: Route, graph: RoadGraph) -> dict[str, Any]:
    """A FeatureCollection: the route, its stops in order, and every toll stretch.

    Each feature's ``kind`` is "route", "stop" or "toll". Distances are kilometres, times hours.
    """
    features = [
        _feature(
            "LineString",
            _line(list(route.coordinates)),
            kind="route",
            distance_km=round(route.distance_km, 3),
            duration_h=round(route.duration_h, 4),
            toll_km=round(route.toll_km, 3),
        )
    ]
    for number, place in enumerate(stops(route), start=1):
        point = [round(place.lon, 6), round(place.lat, 6)]
        features.append(_feature("Point", point, kind="stop", number=number, name=place.label))
    for toll, points in toll_lines(route, graph):
        features.append(
            _feature(
                "LineString",
                _line(points),
                kind="toll",
                name=toll.name,
                distance_km=round(toll.distance_km, 3),
            )
        )
    return {"type": "FeatureCollection", "attribution": ATTRIBUTION, "features": features}


def to_gpx(route: Route, title: str) -> str:
    """GPX 1.1: a waypoint for each stop and the route as one track named ``title``."""
    gpx = gpxpy.gpx.GPX()
    gpx.creator = "lpm-planner"
    gpx.name = title
    gpx.copyright_author = "OpenStreetMap contributors"
    gpx.copyright_license = "https://www.openstreetmap.org/copyright"
    gpx.waypoints = [gpxpy.gpx.GPXWaypoint(place.lat, place.lon, name=place.label) for place in stops(route)]
    segment = gpxpy.gpx.GPXTrackSegment([gpxpy.gpx.GPXTrackPoint(lat, lon) for lon, lat in route.coordinates])
    track = gpxpy.gpx.GPXTrack(
        name=title, description=f"{route.distance_km:.0f} km, {route.duration_h:.1f} h"
    )
    track.segments.append(segment)
    gpx.tracks.append(track)
    return gpx.to_xml(version="1.1")


def _line(points: list[Point]) -> list[list[float]]:
    """Positions of a LineString, which needs two even where nothing is driven."""
    points = points * 2 if len(points) == 1 else points
    return [[round(lon, 6), round(lat, 6)] for lon, lat in points]


def _feature(shape: str, coordinates: list[Any], **properties: object) -> dict[str, Any]:
    geometry = {"type": shape, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}
