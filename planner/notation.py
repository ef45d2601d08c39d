"""The terse lines in which the model writes down what it has understood.

    route
    from Knoxville
    to Cincinnati
    via Lexington, KY; Berea
    any order
    avoid motorways, tolls
    not Georgia
    shortest
    round trip
    hours 3.5
    leave 06:15
    by 16:30
    max 200 mi

A field at its default has no line, the order of the lines is fixed. The form costs a third of the
tokens of JSON and every word of it is one or two tokens of the base's vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["from_lines", "to_lines"]

_KM_PER_MILE = 1.609344


def to_lines(means: Mapping[str, Any]) -> str:
    """Write a route's meaning as lines; ``max_distance`` is text with its unit ("200 mi")."""
    lines = ["route", f"from {means['origin']}", f"to {means['destination']}"]
    if means.get("via"):
        lines.append("via " + "; ".join(means["via"]))
    if means.get("via_order") == "any":
        lines.append("any order")
    if means.get("avoid"):
        lines.append("avoid " + ", ".join(sorted(means["avoid"])))
    if means.get("avoid_places"):
        lines.append("not " + "; ".join(means["avoid_places"]))
    if means.get("optimize") == "distance":
        lines.append("shortest")
    if means.get("round_trip"):
        lines.append("round trip")
    if means.get("max_hours_per_day"):
        lines.append(f"hours {means['max_hours_per_day']:g}")
    if means.get("depart"):
        lines.append(f"leave {means['depart']}")
    if means.get("arrive_by"):
        lines.append(f"by {means['arrive_by']}")
    if means.get("max_distance"):
        lines.append(f"max {means['max_distance']}")
    return "\n".join(lines) + "\n"


def from_lines(text: str) -> dict[str, Any]:
    """Read the model's lines back into the fields of the public schema, names as decoded.

    Raises:
        ValueError: If a line is not of the form above.
    """
    means: dict[str, Any] = {}
    for line in text.strip().split("\n"):
        key, _, value = line.partition(" ")
        match key:
            case "route":
                continue
            case "from":
                means["origin"] = value.strip()
            case "to":
                means["destination"] = value.strip()
            case "via":
                means["via"] = [name.strip() for name in value.split(";")]
            case "any":
                means["via_order"] = "any"
            case "avoid":
                means["avoid"] = sorted({kind.strip() for kind in value.split(",")})
            case "not":
                means["avoid_places"] = [name.strip() for name in value.split(";")]
            case "shortest":
                means["optimize"] = "distance"
            case "round":
                means["round_trip"] = True
            case "hours":
                means["max_hours_per_day"] = float(value)
            case "leave":
                means["depart"] = value
            case "by":
                means["arrive_by"] = value
            case "max":
                number, unit = value.split()
                means["max_distance_km"] = round(float(number) * (_KM_PER_MILE if unit == "mi" else 1))
            case _:
                raise ValueError(f"not a line of the notation: {line!r}")
    return means
