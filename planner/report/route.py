"""A route for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.answer import Answer
from planner.report.domain import Domain, field_lines
from tools.roads import Route, RouteAnswer

__all__ = ["ROUTE"]

_MILE = 1.609344


def _route(answer: Answer) -> Route | None:
    return answer.result.route if isinstance(answer.result, RouteAnswer) else None


def _fields(answer: Answer) -> dict[str, Any]:
    found = _route(answer)
    return {"route": _route_object(found) if found else None}


def _show(answer: Answer, console: Console) -> None:
    if (found := _route(answer)) is not None:
        _print_route(found, console)


def _unsatisfied(answer: Answer) -> str:
    if _route(answer) is None:
        return "There is no such trip."
    return "Not every wish can be kept; this is the nearest answer."


def _route_object(route: Route) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "distance_km": round(route.distance_km, 1),
        "duration_h": round(route.duration_h, 2),
        "toll_km": round(route.toll_km, 1),
        "tolls": [stretch.name for stretch in route.tolls],
        "legs": [
            {
                "from": leg.start.label,
                "to": leg.end.label,
                "distance_km": round(leg.distance_km, 1),
                "duration_h": round(leg.duration_h, 2),
                "toll_km": round(leg.toll_km, 1),
            }
            for leg in route.legs
        ],
        "geometry": {"type": "LineString", "coordinates": [list(point) for point in route.coordinates]},
    }
    if len(route.hours_by_day) > 1:
        fields["hours_by_day"] = [round(h, 2) for h in route.hours_by_day]
    if route.depart or route.arrive:
        fields |= {"depart": route.depart, "arrive": route.arrive}
    return fields


def _print_route(route: Route, console: Console) -> None:
    table = Table(title=None, box=None, pad_edge=False)
    for heading in ("from", "to"):
        table.add_column(heading)
    for heading in ("km", "mi", "time", "toll km"):
        table.add_column(heading, justify="right")
    for leg in route.legs:
        table.add_row(
            escape(leg.start.label),
            escape(leg.end.label),
            *_figures(leg.distance_km, leg.duration_h, leg.toll_km),
        )
    if len(route.legs) > 1:
        table.add_row("[bold]total", "", *_figures(route.distance_km, route.duration_h, route.toll_km))
    console.print("\n[bold]Route[/bold]")
    console.print(table)
    if route.tolls:
        console.print(
            "  tolls: " + escape(", ".join(f"{t.name} {t.distance_km:.0f} km" for t in route.tolls))
        )
    if len(route.hours_by_day) > 1:
        days = ", ".join(f"day {i} {_clock(hours)}" for i, hours in enumerate(route.hours_by_day, 1))
        console.print(f"  driving: {days}", highlight=False)
    if route.depart or route.arrive:
        console.print(f"  leave {route.depart or '-'}, arrive {route.arrive or '-'}", highlight=False)


def _figures(km: float, hours: float, toll_km: float) -> tuple[str, str, str, str]:
    return f"{km:,.0f}", f"{km / _MILE:,.0f}", _clock(hours), f"{toll_km:,.0f}"


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02d}"


ROUTE = Domain(
    empty={"route": None},
    fields=_fields,
    understood=field_lines,
    show=_show,
    unsatisfied=_unsatisfied,
)
