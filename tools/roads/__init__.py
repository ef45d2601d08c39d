"""The road tool: road graph, tolls, routing, and verification.

``load_roads`` gives the graph, ``Router(graph).plan(request)`` a route, ``verify(graph, request, route)``
its checks.
"""

from tools.roads.data import load_roads
from tools.roads.graph import RoadGraph
from tools.roads.router import Router
from tools.roads.source import RoadDataMissing
from tools.roads.tolls import toll_facilities
from tools.roads.types import Check, Leg, Route, RouteAnswer, RouteRequest, TollStretch
from tools.roads.verify import verify

__all__ = [
    "Check",
    "Leg",
    "RoadDataMissing",
    "RoadGraph",
    "Route",
    "RouteAnswer",
    "RouteRequest",
    "Router",
    "TollStretch",
    "load_roads",
    "toll_facilities",
    "verify",
]
