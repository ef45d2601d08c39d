"""Typed boundary of the road tool: what is asked of it and what it answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.places.types import Place
from tools.tool import Check

__all__ = ["Avoidable", "Check", "Leg", "Route", "RouteAnswer", "RouteRequest", "TollStretch"]

Avoidable = Literal["tolls", "ferries", "motorways"]

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class RouteRequest(BaseModel):
    """A trip with every name resolved; fields as in the public schema of route requests.

    Distances are kilometres, durations hours, clock times 24-hour ``HH:MM``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Place
    destination: Place
    via: tuple[Place, ...] = ()
    via_order: Literal["fixed", "any"] = "fixed"
    avoid: tuple[Avoidable, ...] = ()
    avoid_places: tuple[Place, ...] = ()
    optimize: Literal["time", "distance"] = "time"
    round_trip: bool = False
    max_hours_per_day: float | None = Field(default=None, gt=0)
    depart: str | None = Field(default=None, pattern=_CLOCK)
    arrive_by: str | None = Field(default=None, pattern=_CLOCK)
    max_distance_km: float | None = Field(default=None, gt=0)


class TollStretch(BaseModel):
    """A toll facility the route uses, in one direction."""

    model_config = ConfigDict(frozen=True)

    name: str
    distance_km: float


class Leg(BaseModel):
    """One stretch between consecutive stops.

    ``nodes`` are road graph node indices in travel order; the route's geometry and every check
    are derived from them alone.
    """

    model_config = ConfigDict(frozen=True)

    start: Place
    end: Place
    distance_km: float
    duration_h: float
    toll_km: float
    tolls: tuple[TollStretch, ...]
    nodes: tuple[int, ...]


class Route(BaseModel):
    """The route found.

    ``hours_by_day`` holds the hours of driving on each day (one entry where there is no daily limit),
    ``day_ends`` where each day but the last ends, as (lon, lat). ``depart`` and ``arrive`` are clock
    times, with ``" (+2 days)"`` or the like where they are not on the day of the time that was given.
    """

    model_config = ConfigDict(frozen=True)

    legs: tuple[Leg, ...]
    distance_km: float
    duration_h: float
    toll_km: float
    tolls: tuple[TollStretch, ...]
    coordinates: tuple[tuple[float, float], ...]  # (lon, lat), as in GeoJSON
    hours_by_day: tuple[float, ...]
    day_ends: tuple[tuple[float, float], ...] = ()
    depart: str | None
    arrive: str | None


class RouteAnswer(BaseModel):
    """What the road tool returns: ``route`` is None only where no road connects the stops.

    ``relaxed`` names the wishes that had to be broken to find ``route`` (empty if none).
    """

    model_config = ConfigDict(frozen=True)

    route: Route | None
    relaxed: tuple[str, ...]
    warnings: tuple[str, ...]
