"""An answer for people (terminal) and for programs (one JSON object).

Names may come from anybody's text: what a terminal would obey instead of showing is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.answer import Answer, Status, UsageReport
from tools.roads import Route, RouteAnswer

__all__ = ["answer_object", "error_object", "print_answer", "visible"]

_MILE = 1.609344


def answer_object(answer: Answer) -> dict[str, Any]:
    """The answer as plain values; the form that ``planner route --json`` prints."""
    found = answer.result.route if isinstance(answer.result, RouteAnswer) else None
    fields: dict[str, Any] = {
        "constraints": answer.constraints,
        "route": _route_object(found) if found else None,
        "checks": [check.model_dump(mode="json") for check in answer.checks],
        "warnings": [*answer.warnings],
        "session": answer.session,
        "usage": answer.usage.model_dump(),
    }
    if answer.questions:
        fields["questions"] = [question.model_dump(mode="json") for question in answer.questions]
    return fields


def error_object(message: str, session: str | None) -> dict[str, Any]:
    """The same form where there is no answer, because something failed: ``error`` says what."""
    return {
        "constraints": {},
        "route": None,
        "checks": [],
        "warnings": [],
        "session": session or "",
        "usage": dict.fromkeys(UsageReport.model_fields, 0),
        "error": message,
    }


def visible(text: str) -> str:
    """The text without anything that controls a terminal: escapes, bells, overwriting, writing backwards."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )


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


def print_answer(answer: Answer, console: Console, written: Sequence[Path] = ()) -> None:
    """Print what was understood, the itinerary, the checks, the files written, and the cost."""
    if answer.constraints:
        console.print("[bold]Understood[/bold]")
        for field, value in answer.constraints.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            console.print(f"  {field.replace('_', ' '):<18} {_shown(shown)}", highlight=False)
    if answer.questions:
        console.print("\n[bold yellow]Please say more[/bold yellow]")
        for question in answer.questions:
            console.print(f"  {question.field}: {_shown(question.reason)}", highlight=False)
            if question.candidates:
                console.print(f"    perhaps {_shown('; '.join(question.candidates))}", highlight=False)
    if isinstance(answer.result, RouteAnswer) and answer.result.route is not None:
        _print_route(answer.result.route, console)
    if answer.checks:
        console.print("\n[bold]Checks[/bold]")
        for check in answer.checks:
            mark = "[green]kept  [/green]" if check.satisfied else "[red]broken[/red]"
            console.print(f"  {mark} {_shown(check.constraint)}: {_shown(check.evidence)}", highlight=False)
    for warning in answer.warnings:
        console.print(f"[yellow]warning:[/yellow] {_shown(warning)}", highlight=False)
    for path in written:
        console.print(f"written: {_shown(str(path))}", highlight=False)
    if answer.status is Status.UNSATISFIED:
        found = isinstance(answer.result, RouteAnswer) and answer.result.route is not None
        end = "not every wish can be kept; this is the nearest answer" if found else "there is no such trip"
        console.print(f"[red]{end.capitalize()}.[/red]")
    usage = answer.usage
    turn = f"turn {answer.turn}" if answer.turn else "unchanged"
    console.print(
        f"\n{usage.model_calls} model calls, {usage.tokens_in} tokens in, {usage.tokens_out} out, "
        f"{usage.latent_steps} latent steps, {usage.seconds:.1f} s"
        + (f"; session {_shown(answer.session)}, {turn}" if answer.session else ""),
        style="dim",
        highlight=False,
    )


def _shown(text: str) -> str:
    return escape(visible(text))


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
