"""Verification: it fails routes that were tampered with, and days and clocks add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.towns import CHICAGO, CLEVELAND, DENVER, INDIANA, IOWA, OMAHA
from tools.places.types import Place
from tools.roads import RoadGraph, Route, Router, RouteRequest, verify
from tools.roads.clock import clock_minutes, drive_days, minutes_ahead, timetable
from tools.roads.gaps import known_gaps


@pytest.fixture(scope="module")
def request_() -> RouteRequest:
    return RouteRequest(
        origin=CLEVELAND,
        destination=DENVER,
        via=(CHICAGO, OMAHA),
        max_hours_per_day=8,
        depart="09:00",
        max_distance_km=5000,
    )


@pytest.fixture(scope="module")
def route(roads: RoadGraph, request_: RouteRequest) -> Route:
    found = Router(roads).plan(request_).route
    assert found is not None and found.toll_km > 100
    return found


def _failed(roads: RoadGraph, request: RouteRequest, route: Route) -> set[str]:
    return {check.constraint for check in verify(roads, request, route) if not check.satisfied}


def test_an_honest_route_passes_and_every_constraint_has_one_check(
    roads: RoadGraph, request_: RouteRequest, route: Route
) -> None:
    checks = verify(roads, request_, route)
    assert [check.constraint for check in checks] == [
        "route",
        "origin Cleveland, OH",
        "via Chicago, IL",
        "via Omaha, NE",
        "destination Denver, CO",
        "optimize time",
        "max_hours_per_day 8",
        "depart 09:00",
        "max_distance_km 5000",
    ]
    assert all(check.satisfied and check.evidence for check in checks)


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({"distance_km": 100.0}, "route"),
        ({"duration_h": 1.0}, "route"),
        ({"toll_km": 0.0}, "route"),
        ({"tolls": ()}, "route"),
        ({"hours_by_day": (8.0,)}, "max_hours_per_day 8"),
        ({"arrive": "09:30"}, "depart 09:00"),
        ({"depart": "10:00"}, "depart 09:00"),
    ],
)
def test_a_wrong_figure_fails(
    roads: RoadGraph, request_: RouteRequest, route: Route, change: dict[str, object], failing: str
) -> None:
    assert failing in _failed(roads, request_, route.model_copy(update=change))


def test_a_route_that_leaves_the_roads_fails(roads: RoadGraph, request_: RouteRequest, route: Route) -> None:
    leg = route.legs[0]
    shortcut = leg.model_copy(update={"nodes": (leg.nodes[0], leg.nodes[-1])})
    assert _failed(roads, request_, route.model_copy(update={"legs": (shortcut, *route.legs[1:])})) == {
        "route"
    }
    apart = (route.legs[0], route.legs[2], route.legs[1])
    assert _failed(roads, request_, route.model_copy(update={"legs": apart})) == {"route"}
    beyond = leg.model_copy(update={"nodes": (*leg.nodes, roads.node_count + 5)})
    assert _failed(roads, request_, route.model_copy(update={"legs": (beyond, *route.legs[1:])})) == {"route"}


def test_stops_left_out_or_in_another_order_fail(
    roads: RoadGraph, request_: RouteRequest, route: Route
) -> None:
    swapped = request_.model_copy(update={"via": (OMAHA, CHICAGO)})
    assert {"via Omaha, NE", "via Chicago, IL"} <= _failed(roads, swapped, route)
    assert _failed(roads, swapped.model_copy(update={"via_order": "any"}), route) == set()
    assert "via" in _failed(roads, request_.model_copy(update={"via": (CHICAGO,)}), route)
    assert "destination Cleveland, OH" in _failed(
        roads, request_.model_copy(update={"destination": CLEVELAND}), route
    )
    assert "via" in _failed(roads, request_.model_copy(update={"round_trip": True}), route)


def test_what_was_to_be_avoided_is_found(roads: RoadGraph, request_: RouteRequest, route: Route) -> None:
    wishes = request_.model_copy(
        update={"avoid": ("tolls", "motorways", "ferries"), "avoid_places": (IOWA, INDIANA, OMAHA)}
    )
    checks = {check.constraint: check for check in verify(roads, wishes, route)}
    assert not checks["avoid tolls"].satisfied
    assert "Ohio Turnpike" in checks["avoid tolls"].evidence
    assert not checks["avoid motorways"].satisfied
    assert checks["avoid ferries"].satisfied and "none of the 4 ferries" in checks["avoid ferries"].evidence
    assert not checks["avoid_places Iowa"].satisfied
    assert not checks["avoid_places Indiana"].satisfied
    assert not checks["avoid_places Omaha, NE"].satisfied
    unknown = Place("Guam", "GU", 13.4, 144.8, 0, 0, is_state=True)
    assert "avoid_places Guam" in _failed(
        roads, request_.model_copy(update={"avoid_places": (unknown,)}), route
    )
    assert "max_distance_km 1000" in _failed(
        roads, request_.model_copy(update={"max_distance_km": 1000.0}), route
    )


def test_a_ferry_that_the_data_drew_as_a_road_is_found() -> None:
    lines = {line.name.split(" ferry")[0]: line for line in known_gaps().ferries}
    landings = np.array(lines["Port Aransas"].ends)
    assert lines["Port Aransas"].crossed(*landings.T)
    assert lines["Port Aransas"].crossed(*landings[::-1].T)
    assert not lines["Port Aransas"].crossed(*landings[[0, 0]].T), "a street at one landing is no ferry"
    assert not lines["Merrimac"].crossed(*landings.T)


# ---------------------------------------------------------------- days and clocks


@pytest.fixture(scope="module")
def crossing(roads: RoadGraph) -> tuple[RouteRequest, Route]:
    chicago = replace(CHICAGO, timezone="America/Chicago")
    cleveland = replace(CLEVELAND, timezone="America/New_York")
    request = RouteRequest(origin=chicago, destination=cleveland, depart="08:00", arrive_by="14:00")
    answer = Router(roads).plan(request)
    assert any("1 h ahead of those of Chicago, IL" in warning for warning in answer.warnings)
    assert answer.route is not None
    return request, answer.route


def test_an_arrival_is_by_the_clocks_where_the_trip_ends(
    roads: RoadGraph, crossing: tuple[RouteRequest, Route]
) -> None:
    request, route = crossing
    assert route.arrive is not None and route.hours_by_day == (route.duration_h,)
    there = clock_minutes(route.arrive)
    assert there == 8 * 60 + 60 + int(np.ceil(route.duration_h * 60 - 1e-6))
    assert there > 14 * 60 and _failed(roads, request, route) == {"arrive_by 14:00"}
    in_time = request.model_copy(update={"arrive_by": route.arrive})
    assert _failed(roads, in_time, route) == set()
    # By the clocks where it starts the trip would have been in time.
    alike = request.model_copy(
        update={"origin": replace(request.origin, timezone=request.destination.timezone)}
    )
    assert "depart 08:00" in _failed(roads, alike, route)


def test_there_and_back_the_clocks_are_the_same(
    roads: RoadGraph, crossing: tuple[RouteRequest, Route]
) -> None:
    request = crossing[0].model_copy(update={"round_trip": True, "arrive_by": None})
    answer = Router(roads).plan(request)
    assert answer.route is not None and answer.route.arrive is not None
    hours = answer.route.duration_h
    assert clock_minutes(answer.route.arrive[:5]) == (480 + int(np.ceil(hours * 60 - 1e-6))) % 1440
    assert not any("clock times" in warning for warning in answer.warnings)


def test_clocks_are_compared_on_a_day() -> None:
    phoenix, denver = (
        replace(DENVER, name=name, timezone=f"America/{name}") for name in ("Phoenix", "Denver")
    )
    assert minutes_ahead(phoenix, denver, date(2027, 1, 15)) == 0
    assert minutes_ahead(phoenix, denver, date(2027, 7, 15)) == 60
    assert minutes_ahead(denver, phoenix, date(2027, 7, 15)) == -60
    assert minutes_ahead(DENVER, phoenix, date(2027, 7, 15)) == 0, "no zone is known"


AHEAD = st.sampled_from([-360, -180, -120, -60, 0, 60, 120, 180])
CLOCKS = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")


@given(st.floats(0, 200), st.one_of(st.none(), st.floats(0.25, 30)))
def test_days_add_up_and_keep_the_limit(hours: float, limit: float | None) -> None:
    days = drive_days(hours, limit)
    assert sum(days) == pytest.approx(hours, abs=1e-6)
    assert all(day >= -1e-9 for day in days)
    if limit is not None:
        assert max(days) <= min(limit, 24) + 1e-6
        assert len(days) == max(1, int(np.ceil(hours / min(limit, 24) - 1e-9)))


@given(st.floats(0.1, 150), st.one_of(st.none(), st.floats(1, 24)), CLOCKS, CLOCKS, AHEAD)
def test_clock_agrees_with_calendar_arithmetic(
    hours: float, limit: float | None, depart: str, due: str, ahead: int
) -> None:
    days = drive_days(hours, limit)
    times = timetable(days, limit is not None, depart, due, ahead)
    here, there = UTC, timezone(timedelta(minutes=ahead))
    start = datetime(2026, 3, 1, tzinfo=here) + timedelta(minutes=clock_minutes(depart))
    elapsed = timedelta(days=len(days) - 1, minutes=int(np.ceil(days[-1] * 60 - 1e-6)))
    arrival = (start + elapsed).astimezone(there)
    assert times.arrive is not None
    assert times.arrive[:5] == arrival.strftime("%H:%M")
    night = (arrival.date() - start.date()).days
    assert ("day" in times.arrive) == (night != 0)
    deadline = datetime(2026, 2, 27, tzinfo=there) + timedelta(minutes=clock_minutes(due))
    while deadline <= start:
        deadline += timedelta(days=1)
    if limit is not None:
        deadline += timedelta(days=len(days) - 1)
    assert times.on_time == (arrival <= deadline)


@given(st.floats(0.1, 150), CLOCKS, AHEAD)
def test_leaving_at_the_latest_departure_arrives_in_time(hours: float, due: str, ahead: int) -> None:
    days = drive_days(hours, None)
    latest = timetable(days, False, None, due, ahead)
    assert latest.depart is not None
    back = timetable(days, False, latest.depart[:5], None, ahead)
    assert back.arrive is not None and back.arrive[:5] == due


@pytest.mark.parametrize("clock", ["", "8:00", "24:00", "12:60", "ab:cd", "12.30", "-1:00"])
def test_what_is_no_clock_time_is_refused(clock: str) -> None:
    with pytest.raises(ValueError, match="clock"):
        clock_minutes(clock)
