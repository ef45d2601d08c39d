"""Routes as GeoJSON and GPX, read back by other libraries than wrote them."""

import json
import xml.etree.ElementTree as ET

import gpxpy
import numpy as np
import pytest
from shapely.geometry import shape

from tools.places import Found, Gazetteer, Place
from tools.roads.data import load_roads
from tools.roads.export import stops, to_geojson, to_gpx, toll_lines
from tools.roads.graph import RoadGraph
from tools.roads.router import Router
from tools.roads.types import Route, RouteRequest


@pytest.fixture(scope="module")
def graph() -> RoadGraph:
    return load_roads()


def plan(graph: RoadGraph, *names: str, **wishes: object) -> Route:
    found = Gazetteer.load().resolve_trip(names)
    places = [outcome.place for outcome in found if isinstance(outcome, Found)]
    request = RouteRequest.model_validate(
        {"origin": places[0], "destination": places[-1], "via": tuple(places[1:-1]), **wishes}
    )
    route = Router(graph).plan(request).route
    assert route is not None
    return route


@pytest.fixture(scope="module")
def turnpike(graph: RoadGraph) -> Route:
    return plan(graph, "New York", "Cleveland", "Chicago")


def of_kind(collection: dict, kind: str) -> list[dict]:
    return [feature for feature in collection["features"] if feature["properties"]["kind"] == kind]


def test_geojson_holds_the_route_its_stops_and_its_tolls(graph: RoadGraph, turnpike: Route) -> None:
    collection = json.loads(json.dumps(to_geojson(turnpike, graph)))
    assert collection["type"] == "FeatureCollection"
    assert "OpenStreetMap" in collection["attribution"]
    (line,) = of_kind(collection, "route")
    assert shape(line["geometry"]).geom_type == "LineString"
    assert np.allclose(line["geometry"]["coordinates"], turnpike.coordinates, atol=1e-6)
    assert line["properties"]["distance_km"] == pytest.approx(turnpike.distance_km, abs=1e-3)

    points = of_kind(collection, "stop")
    assert [p["properties"]["name"] for p in points] == ["New York, NY", "Cleveland, OH", "Chicago, IL"]
    assert [p["properties"]["number"] for p in points] == [1, 2, 3]
    assert points[0]["geometry"]["coordinates"] == pytest.approx([-74.006, 40.714], abs=0.01)


def test_toll_stretches_lie_on_the_route_and_add_up(graph: RoadGraph, turnpike: Route) -> None:
    collection = to_geojson(turnpike, graph)
    tolls = of_kind(collection, "toll")
    assert {"Ohio Turnpike", "Indiana Toll Road"} <= {toll["properties"]["name"] for toll in tolls}
    total = sum(toll["properties"]["distance_km"] for toll in tolls)
    assert total == pytest.approx(turnpike.toll_km, abs=0.01 * len(tolls))
    (line,) = of_kind(collection, "route")
    course = shape(line["geometry"]).buffer(1e-5)
    assert all(course.covers(shape(toll["geometry"])) for toll in tolls)
    for stretch in turnpike.tolls:
        pieces = [t.distance_km for t, _ in toll_lines(turnpike, graph) if t.name == stretch.name]
        assert sum(pieces) == pytest.approx(stretch.distance_km, abs=0.01)


def test_a_route_without_tolls_has_no_toll_stretch(graph: RoadGraph) -> None:
    route = plan(graph, "Denver", "Boulder", avoid=("tolls",))
    assert of_kind(to_geojson(route, graph), "toll") == []


def test_gpx_is_version_1_1_with_waypoints_and_one_track(turnpike: Route) -> None:
    text = to_gpx(turnpike, "To <Chicago> & back")
    root = ET.fromstring(text)
    assert root.tag == "{http://www.topografix.com/GPX/1/1}gpx" and root.get("version") == "1.1"
    read = gpxpy.parse(text)
    assert [waypoint.name for waypoint in read.waypoints] == ["New York, NY", "Cleveland, OH", "Chicago, IL"]
    (track,) = read.tracks
    assert track.name == "To <Chicago> & back"
    (segment,) = track.segments
    assert np.allclose([(p.longitude, p.latitude) for p in segment.points], turnpike.coordinates)
    assert read.copyright_author == "OpenStreetMap contributors"
    assert (segment.length_2d() or 0) / 1000 == pytest.approx(turnpike.distance_km, rel=0.1)


def test_a_round_trip_ends_where_it_began(graph: RoadGraph) -> None:
    route = plan(graph, "Boston", "Providence", round_trip=True)
    assert [place.label for place in stops(route)] == ["Boston, MA", "Providence, RI", "Boston, MA"]


def test_a_route_of_one_point_is_still_a_line(graph: RoadGraph) -> None:
    denver = Place("Denver", "CO", 39.739, -104.985, 1, 1)
    route = Route(
        legs=(),
        distance_km=0,
        duration_h=0,
        toll_km=0,
        tolls=(),
        coordinates=((denver.lon, denver.lat),),
        hours_by_day=(0.0,),
        depart=None,
        arrive=None,
    )
    (line,) = of_kind(to_geojson(route, graph), "route")
    assert line["geometry"]["coordinates"] == [[-104.985, 39.739]] * 2  # RFC 7946 wants two positions
