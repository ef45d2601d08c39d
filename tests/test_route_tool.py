"""The route tool as the agent sees it: names resolved together, questions, constraints, honest checks."""

import pytest

import tools.roads.tool as route_tool
from tools.places import Place
from tools.registry import TOOLS
from tools.roads.arguments import RouteArguments
from tools.roads.types import RouteAnswer, RouteRequest
from tools.tool import Questions, silent

TOOL = TOOLS["route"]


def prepared(**call):
    return TOOL.prepare(RouteArguments(**call), silent)


def test_names_become_places_all_together():
    request = prepared(origin="Boston", destination="Bangor", via=["Portland"], avoid_places=["Vermont"])
    assert isinstance(request, RouteRequest)
    assert [p.label for p in (request.origin, *request.via, request.destination)] == [
        "Boston, MA",
        "Portland, ME",
        "Bangor, ME",
    ]
    assert request.avoid_places[0].is_state
    assert TOOL.constraints(request) == {
        "origin": "Boston, MA",
        "destination": "Bangor, ME",
        "via": ["Portland, ME"],
        "avoid_places": ["Vermont"],
    }


def test_every_doubt_is_asked_at_once_and_what_is_known_is_kept():
    asked = prepared(
        origin="Springfield", destination="Los Angeles", via=["Qwxzyville"], avoid_places=["Zzyx"]
    )
    assert isinstance(asked, Questions)
    assert [(q.field, q.said) for q in asked.questions] == [
        ("origin", "Springfield"),
        ("via", "Qwxzyville"),
        ("avoid_places", "Zzyx"),
    ]
    assert len(asked.questions[0].candidates) > 2
    assert asked.constraints == {
        "origin": "Springfield",
        "destination": "Los Angeles, CA",
        "via": ["Qwxzyville"],
        "avoid_places": ["Zzyx"],
    }


def test_a_place_means_the_same_as_a_stop_and_a_state_to_avoid():
    """New York is a city as a stop, and may be a state as a place to keep out of."""
    request = prepared(origin="New York", destination="Boston", avoid_places=["Connecticut"])
    assert request.origin.label == "New York, NY" and request.avoid_places[0].label == "Connecticut"


@pytest.mark.parametrize("extra", [{}, {"round_trip": True}, {"avoid": ["tolls"]}])
def test_a_trip_to_where_it_starts_is_asked_about(extra):
    asked = prepared(origin="Denver", destination="Denver, CO", **extra)
    assert isinstance(asked, Questions) and asked.questions[0].field == "destination"
    assert asked.constraints["origin"] == asked.constraints["destination"] == "Denver, CO"


def test_a_loop_through_stops_is_a_trip():
    assert isinstance(prepared(origin="Utica, NY", destination="Utica, NY", via=["Rome, NY"]), RouteRequest)


def test_whole_numbers_have_no_fraction_in_the_constraints():
    request = prepared(origin="Utica, NY", destination="Rome, NY", max_hours_per_day=8, max_distance_km=643.0)
    shown = TOOL.constraints(request)
    assert repr(shown["max_distance_km"]) == "643" and repr(shown["max_hours_per_day"]) == "8"
    half = TOOL.constraints(prepared(origin="Utica, NY", destination="Rome, NY", max_hours_per_day=3.5))
    assert half["max_hours_per_day"] == 3.5


def test_no_route_is_one_broken_check_with_its_reason():
    request = prepared(origin="New York", destination="Honolulu, HI")
    answer = TOOL.run(request, silent)
    (check,) = TOOL.verify(request, answer)
    assert not check.satisfied and check.constraint == "route" and "Honolulu" in check.evidence
    assert "No road" in TOOL.summary(answer)


def test_a_wish_that_the_search_gave_up_is_never_called_kept():
    request = prepared(origin="Utica, NY", destination="Rome, NY")
    answer = TOOL.run(request, silent)
    assert isinstance(answer, RouteAnswer)
    assert all(check.satisfied for check in TOOL.verify(request, answer))
    doubtful = RouteAnswer(route=answer.route, relaxed=("tolls",), warnings=())
    broken = [check.constraint for check in TOOL.verify(request, doubtful) if not check.satisfied]
    assert broken == ["tolls"]


def test_the_roads_and_the_gazetteer_are_loaded_once():
    assert route_tool.router(silent) is route_tool.router(silent)
    assert isinstance(next(iter(route_tool.gazetteer(silent).places())), Place)
