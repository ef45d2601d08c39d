"""The route tool as the agent sees it: names to places, places to a route, the route to its checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from tools.places import Ambiguous, Found, Gazetteer, Place, Resolution
from tools.roads.arguments import RouteArguments
from tools.roads.data import load_roads
from tools.roads.router import Router
from tools.roads.types import Check, RouteAnswer, RouteRequest
from tools.roads.verify import verify
from tools.tool import Progress, Question, Questions, Tool, silent

__all__ = ["ROUTE_TOOL", "gazetteer", "in_one_line", "router"]

_SHOWN = 6


def gazetteer(progress: Progress) -> Gazetteer:
    """The gazetteer, loaded once in a process."""
    return _loaded("gazetteer", progress)


def router(progress: Progress) -> Router:
    """The road graph with its router, loaded once in a process."""
    return _loaded("router", progress)


_LOADED: dict[str, Any] = {}


def _loaded(name: str, progress: Progress) -> Any:
    if name not in _LOADED:
        _LOADED[name] = Gazetteer.load(progress) if name == "gazetteer" else Router(load_roads(progress))
    return _LOADED[name]


def _prepare(call: RouteArguments, progress: Progress) -> RouteRequest | Questions:
    """Resolve every name of a call, all names of the trip together.

    A place that is not there or could be two is asked about, never guessed.
    """
    if call.origin is None and call.destination is None:
        asked = Question(
            field="destination", said=None, reason="neither a start nor a destination was understood"
        )
        return Questions((asked,), _fields(call, {}, {}))
    book = gazetteer(progress)
    named = (
        ("origin", call.origin),
        *(("via", name) for name in call.via),
        ("destination", call.destination),
    )
    said = [(field, name) for field, name in named if name is not None]
    stops = book.resolve_trip([name for _, name in said])
    places = _places(stops)
    avoided = tuple(book.resolve_avoid(name, places) for name in call.avoid_places)
    meant = [*zip((field for field, _ in said), stops, strict=True), *(("avoid_places", r) for r in avoided)]
    questions = [_question(field, r) for field, r in meant if not isinstance(r, Found)]
    questions += [
        Question(field=field, said=None, reason=f"no {word} was understood")
        for field, word in (("origin", "start"), ("destination", "destination"))
        if getattr(call, field) is None
    ]
    if not questions and len(places) == 2 and places[0] == places[1]:
        reason = f"the trip starts and ends in {places[0].label}: say where else to go"
        questions = [Question(field="destination", said=call.destination, reason=reason)]
    if questions:
        return Questions(tuple(questions), _fields(call, _labels(stops), _labels(avoided)))
    return RouteRequest(
        origin=places[0],
        destination=places[-1],
        via=places[1:-1],
        avoid_places=tuple(dict.fromkeys(_places(avoided))),
        **call.model_dump(exclude={"origin", "destination", "via", "avoid_places"}),
    )


def _places(resolutions: Sequence[Resolution]) -> tuple[Place, ...]:
    return tuple(resolution.place for resolution in resolutions if isinstance(resolution, Found))


def _labels(resolutions: Sequence[Resolution]) -> dict[str, str]:
    return {r.said: r.place.label for r in resolutions if isinstance(r, Found)}


def _question(field: str, resolution: Resolution) -> Question:
    candidates = () if isinstance(resolution, Found) else resolution.candidates[:_SHOWN]
    reason = "could be several places"
    similar: tuple[str, ...] = ()
    if not isinstance(resolution, Ambiguous):
        reason = "is not a place that the gazetteer knows"
        with_state = "," in resolution.said
        similar = tuple(dict.fromkeys(place.label if with_state else place.name for place in candidates))
    return Question(
        field=field,
        said=resolution.said,
        reason=f"{resolution.said!r} {reason}",
        candidates=tuple(place.label for place in candidates),
        similar=similar,
    )


def _fields(call: RouteArguments, stops: dict[str, str], avoided: dict[str, str]) -> dict[str, Any]:
    """The call in the fields of the public schema, names resolved as far as they are known."""
    values = _plain(call)
    for field in ("origin", "destination"):
        if field in values:
            values[field] = stops.get(values[field], values[field])
    if "via" in values:
        values["via"] = [stops.get(name, name) for name in values["via"]]
    if "avoid_places" in values:
        values["avoid_places"] = [avoided.get(name, name) for name in values["avoid_places"]]
    return values


def _constraints(request: RouteRequest) -> dict[str, Any]:
    values = _plain(request)
    values |= {"origin": request.origin.label, "destination": request.destination.label}
    for field in ("via", "avoid_places"):
        if field in values:
            places: tuple[Place, ...] = getattr(request, field)
            values[field] = [place.label for place in places]
    return values


def _plain(model: BaseModel) -> dict[str, Any]:
    """The fields that are not at their default, as JSON has them; whole numbers without a fraction."""
    values = model.model_dump(exclude_defaults=True, mode="json")
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


def _run(request: RouteRequest, progress: Progress) -> RouteAnswer:
    return router(progress).plan(request)


def _verify(request: RouteRequest, answer: RouteAnswer) -> tuple[Check, ...]:
    if answer.route is None:
        why = answer.warnings[0] if answer.warnings else "no road connects the stops"
        return (Check(constraint="route", satisfied=False, evidence=why),)
    checks = verify(router(silent).graph, request, answer.route)
    if answer.relaxed and all(check.satisfied for check in checks):
        # The search gave up a wish that the walk finds kept: they disagree, which is no proof.
        evidence = "the search gave it up, although the route seems to keep it"
        checks += tuple(Check(constraint=name, satisfied=False, evidence=evidence) for name in answer.relaxed)
    return checks


def _summary(answer: RouteAnswer) -> str:
    if answer.route is None:
        return "No road connects these places."
    return in_one_line(answer.route.distance_km, answer.route.duration_h)


def in_one_line(distance_km: float, duration_h: float) -> str:
    """A route as the agent remembers it."""
    return f"The route has {distance_km:,.0f} km and takes {duration_h:.1f} hours."


def _warnings(answer: RouteAnswer) -> tuple[str, ...]:
    return answer.warnings


ROUTE_TOOL = Tool(
    name="route",
    description="Plan a car route in the United States on real roads.",
    needs="where the trip starts and ends",
    arguments=RouteArguments,
    prepare=_prepare,
    constraints=_constraints,
    run=_run,
    warnings=_warnings,
    verify=_verify,
    summary=_summary,
)
