"""The route tool's arguments as a person means them: names as said, not yet resolved."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.notation import NAME, NAMES, Clock, Flag, Kinds, Line, Number, Quantity
from tools.roads.types import Avoidable

__all__ = ["RouteArguments"]


class RouteArguments(BaseModel):
    """Fields and defaults of the public schema of route requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Annotated[str | None, Line("from", NAME)] = None
    destination: Annotated[str | None, Line("to", NAME)] = None
    via: Annotated[tuple[str, ...], Line("via", NAMES)] = ()
    via_order: Annotated[Literal["fixed", "any"], Line("any order", Flag("any"))] = "fixed"
    avoid: Annotated[tuple[Avoidable, ...], Line("avoid", Kinds(("tolls", "ferries", "motorways")))] = ()
    avoid_places: Annotated[tuple[str, ...], Line("not", NAMES)] = ()
    optimize: Annotated[Literal["time", "distance"], Line("shortest", Flag("distance"))] = "time"
    round_trip: Annotated[bool, Line("round trip", Flag(True))] = False
    max_hours_per_day: Annotated[float | None, Field(gt=0), Line("hours", Number())] = None
    depart: Annotated[str | None, Line("leave", Clock())] = None
    arrive_by: Annotated[str | None, Line("by", Clock())] = None
    max_distance_km: Annotated[
        float | None, Field(gt=0), Line("max", Quantity({"km": 1.0, "mi": 1.609344}))
    ] = None
