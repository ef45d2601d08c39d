"""Schedules: what is found keeps every constraint and is as short as brute force makes it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.scheduler.planning import plan_project
from tools.scheduler.problem import Problem, problem_of, scheduled_tasks
from tools.scheduler.revise import replan, what_if
from tools.scheduler.serial import list_schedule, serial_schedule
from tools.scheduler.solver import solve
from tools.scheduler.types import (
    Absence,
    Demand,
    Link,
    LinkKind,
    Person,
    Report,
    ScheduleAnswer,
    ScheduleRequest,
    Task,
)
from tools.scheduler.verify import verify
from tools.tool import silent

MONDAY = date(2027, 1, 4)
PEOPLE = ("Ann", "Bo", "Crew")


@st.composite
def requests(draw: st.DrawFn, most: int = 6, kinds: tuple[LinkKind, ...] = ("FS", "SS", "FF", "SF")):
    """Small projects with everything that the request knows but ends that cannot be kept."""
    count = draw(st.integers(1, most))
    capacity = {"Ann": 1, "Bo": 1, "Crew": draw(st.integers(1, 3))}
    tasks, links = [], []
    for number in range(count):
        who = draw(st.sets(st.sampled_from(PEOPLE), max_size=2))
        rest = [name for name in PEOPLE if name not in who]
        units = draw(st.integers(1, capacity["Crew"]))
        either = tuple(rest[:2]) if len(rest) > 1 and draw(st.integers(0, 3)) == 0 else ()
        tasks.append(
            Task(
                name=f"t{number}",
                days=draw(st.sampled_from((0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0))),
                who=tuple(Demand(name=n, units=units if n == "Crew" else 1) for n in sorted(who)),
                either=either,
                earliest=draw(st.none() | st.just(MONDAY + timedelta(days=3))),
            )
        )
        for before in range(number):
            if draw(st.integers(0, 3)) == 0:
                kind: LinkKind = draw(st.sampled_from(kinds))
                lag = draw(st.sampled_from((-1.0, 0.0, 0.0, 0.5, 2.0)))
                links.append(Link(before=f"t{before}", after=f"t{number}", kind=kind, lag=lag))
    absences = []
    for _ in range(draw(st.integers(0, 3))):
        first = MONDAY + timedelta(days=draw(st.integers(0, 9)))
        last = first + timedelta(days=draw(st.integers(0, 4)))
        part: Literal["day", "morning", "afternoon"] = draw(st.sampled_from(("day", "morning", "afternoon")))
        absences.append(
            Absence(who=draw(st.sampled_from((*PEOPLE, None))), first=first, last=last, part=part)
        )
    return ScheduleRequest(
        start=MONDAY,
        tasks=tuple(tasks),
        links=tuple(links),
        people=tuple(Person(name=name, capacity=places) for name, places in capacity.items()),
        absences=tuple(absences),
        one_at_a_time=draw(st.booleans()),
        holidays=draw(st.booleans()),
    )


def broken(request: ScheduleRequest, answer: ScheduleAnswer) -> list[str]:
    return [f"{c.constraint}: {c.evidence}" for c in verify(request, answer) if not c.satisfied]


SLOW = settings(max_examples=40, suppress_health_check=list(HealthCheck))


@SLOW
@given(requests())
def test_every_schedule_found_keeps_every_constraint(request_: ScheduleRequest) -> None:
    answer = plan_project(request_, silent, seconds=5)
    assert broken(request_, answer) == []
    assert answer.optimal and answer.bound == answer.days and not answer.broken
    assert all(task.slack >= 0 for task in answer.tasks)
    critical = {task.task for task in answer.tasks if task.critical}
    assert critical and set(answer.critical_path) <= critical


def test_the_critical_path_is_the_chain_that_waits_for_each_other() -> None:
    answer = plan_project(project(), silent)
    assert answer.critical_path == ("dig", "pour", "plant")
    assert [task.critical for task in answer.tasks] == [True, True, False, True]


@SLOW
@given(requests(), st.randoms(use_true_random=False))
def test_a_serial_schedule_is_feasible_whatever_the_priorities(request_: ScheduleRequest, chance) -> None:
    problem, calendar = problem_of(request_)
    plan = serial_schedule(problem, [chance.random() for _ in problem.jobs])
    none = (0,) * len(problem.jobs)
    tasks = scheduled_tasks(problem, calendar, plan, none, request_)
    days = plan.makespan / 4
    answer = ScheduleAnswer(
        tasks=tasks, finish=max(task.end for task in tasks), days=days, bound=0, optimal=False
    )
    assert broken(request_, answer) == []


def shortest(problem: Problem) -> int:
    """The least makespan of all serial schedules: with links from end to begin only, one is optimal."""
    count = len(problem.jobs)
    return min(serial_schedule(problem, order).makespan for order in permutations(range(count)))


@SLOW
@given(
    requests(most=5, kinds=("FS",)).filter(lambda r: not r.absences and not any(t.either for t in r.tasks))
)
def test_the_makespan_is_that_of_brute_force(request_: ScheduleRequest) -> None:
    problem, _ = problem_of(request_)
    solution = solve(problem, seconds=5)
    assert solution.optimal
    assert solution.plan.makespan == shortest(problem) <= list_schedule(problem).makespan


def project(**changes: object) -> ScheduleRequest:
    """Digging and pouring by one person, a fence by another, planting by either."""
    ann, bo = (Demand(name="Ann"),), (Demand(name="Bo"),)
    values: dict[str, object] = {
        "start": MONDAY,
        "tasks": (
            Task(name="dig", days=3, who=ann),
            Task(name="pour", days=2, who=ann),
            Task(name="fence", days=1.5, who=bo),
            Task(name="plant", days=1, either=("Ann", "Bo")),
        ),
        "links": (Link(before="dig", after="pour"), Link(before="pour", after="plant")),
        "people": (Person(name="Ann"), Person(name="Bo")),
    }
    return ScheduleRequest.model_validate(values | changes)


def test_the_same_request_has_the_same_schedule() -> None:
    assert plan_project(project(), silent) == plan_project(project(), silent)


def test_a_task_runs_over_days_off_without_work() -> None:
    away = Absence(who="Ann", first=MONDAY + timedelta(days=1), last=MONDAY + timedelta(days=2))
    dig = plan_project(project(absences=(away,)), silent).tasks[0]
    assert (dig.start, dig.end) == (MONDAY, MONDAY + timedelta(days=4))


def test_a_holiday_is_no_working_day() -> None:
    start = date(2027, 1, 18)  # Martin Luther King Jr. Day
    assert plan_project(project(start=start), silent).tasks[0].start == start
    assert plan_project(project(start=start, holidays=True), silent).tasks[0].start == date(2027, 1, 19)


def test_effort_is_shared() -> None:
    both = (Demand(name="Ann"), Demand(name="Bo"))
    tasks = (Task(name="paint", effort=3, who=both),)
    assert plan_project(project(tasks=tasks, links=()), silent).days == 1.5


def test_many_at_once_is_level() -> None:
    """Without capacities nobody has more at the same time than a soonest finish needs."""
    ann = (Demand(name="Ann"),)
    tasks = (Task(name="long", days=4, who=ann), *(Task(name=n, days=2, who=ann) for n in ("x", "y")))
    answer = plan_project(project(tasks=tasks, links=(), one_at_a_time=False), silent)
    assert answer.days == 4
    _, x, y = sorted(answer.tasks, key=lambda task: task.task)
    assert {x.start, y.start} == {MONDAY, MONDAY + timedelta(days=2)}


def test_an_end_that_cannot_be_kept_is_explained_and_the_nearest_plan_given() -> None:
    away = Absence(who="Ann", first=MONDAY + timedelta(days=1), last=MONDAY + timedelta(days=1))
    request_ = project(deadline=date(2027, 1, 11), absences=(away,))
    answer = plan_project(request_, silent)
    assert answer.finish == date(2027, 1, 12) and answer.optimal
    assert [check.constraint for check in verify(request_, answer) if not check.satisfied] == [
        "deadline 2027-01-11"
    ]
    assert answer.conflict is not None
    assert answer.conflict.wishes == (
        "everything is finished by 2027-01-11",
        "Ann is away on 2027-01-05",
        "'pour' begins after the end of 'dig'",
        "'plant' begins after the end of 'pour'",
    )
    assert answer.conflict.changes[:2] == (
        "move the deadline to 2027-01-12",
        "lift Ann's absence of 2027-01-05",
    )
    for changed in (
        project(deadline=date(2027, 1, 12), absences=(away,)),
        project(deadline=date(2027, 1, 11)),
    ):
        assert plan_project(changed, silent).broken == ()


FRIDAY, NEXT_MONDAY = date(2027, 1, 8), date(2027, 1, 11)


def test_a_milestone_lies_on_its_own_day_even_if_nobody_works_on_it() -> None:
    """A wedding on a Saturday is neither on the Friday before nor on the Monday after."""
    saturday = date(2027, 1, 9)
    wedding = Task(name="wedding", days=0, earliest=saturday, latest=saturday)
    thanks = Task(name="thanks", days=1)
    request_ = project(tasks=(wedding, thanks), links=(Link(before="wedding", after="thanks"),))
    answer = plan_project(request_, silent)
    assert [(task.start, task.end) for task in answer.tasks] == [(saturday,) * 2, (NEXT_MONDAY,) * 2]
    assert broken(request_, answer) == [] and not answer.broken
    assert plan_project(project(tasks=(wedding,), links=()), silent).finish == saturday


@pytest.mark.parametrize(
    ("limits", "says", "helps"),
    [
        ({"latest": FRIDAY}, "'handover' ends by 2027-01-08", "let 'handover' end on 2027-01-11"),
        ({}, "everything is finished by 2027-01-08", "move the deadline to 2027-01-11"),
    ],
)
def test_a_milestone_after_its_end_is_explained_though_no_work_lies_between(
    limits: dict[str, date], says: str, helps: str
) -> None:
    handover = Task.model_validate({"name": "handover", "days": 0, "earliest": NEXT_MONDAY, **limits})
    deadline = None if limits else FRIDAY
    request_ = project(tasks=(Task(name="dig", days=5), handover), links=(), deadline=deadline)
    answer = plan_project(request_, silent)
    assert len(broken(request_, answer)) == 1 and answer.broken == (says,)
    assert answer.conflict is not None
    assert answer.conflict.wishes == (says, "'handover' begins on 2027-01-11 or later")
    assert answer.conflict.changes == (helps, "let 'handover' begin before 2027-01-11")
    after = Link(before="dig", after="handover")
    soon = handover.model_copy(update={"earliest": None})
    other = project(tasks=(request_.tasks[0], soon), links=(after,), deadline=deadline)
    assert plan_project(other, silent).broken == ()


DAYS = st.integers(0, 11).map(lambda number: MONDAY + timedelta(days=number))


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(requests(most=3), st.data())
def test_what_a_plan_says_it_breaks_is_what_its_checks_find(
    request_: ScheduleRequest, data: st.DataObject
) -> None:
    """With ends that cannot be kept, then after a report, then with one task longer."""
    tasks = tuple(t.model_copy(update={"latest": data.draw(st.none() | DAYS)}) for t in request_.tasks)
    request_ = request_.model_copy(update={"tasks": tasks, "deadline": data.draw(st.none() | DAYS)})
    answer = plan_project(request_, silent, seconds=5)
    assert len(broken(request_, answer)) == len(answer.broken)
    assert (answer.conflict is not None) == bool(answer.broken)
    on, task = data.draw(DAYS), data.draw(st.sampled_from(tasks))
    share = data.draw(st.sampled_from((0.3, 0.5, 1.0))) if task.length else 1.0
    begun, later = replan(request_, answer, [Report(task.name, share, on)], silent)
    assert len(broken(begun, later)) == len(later.broken)
    slip = what_if(begun, later, task.name, 1.25, silent)
    assert len(broken(slip.request, slip.replanned)) == len(slip.replanned.broken)


def test_a_buffer_is_kept_before_the_deadline() -> None:
    late = project(deadline=date(2027, 1, 11), buffer=1)
    assert plan_project(late, silent).broken != ()
    assert broken(late, plan_project(late, silent)) != []
    assert plan_project(project(deadline=date(2027, 1, 12), buffer=1), silent).broken == ()


@pytest.mark.parametrize(
    "change",
    [
        {"start": MONDAY - timedelta(days=7), "end": MONDAY - timedelta(days=5)},
        {"end": MONDAY + timedelta(days=1)},
        {"end": MONDAY + timedelta(days=5)},
        {"begins": 1},
        {"who": ("Bo",)},
        {"who": ()},
        {"start": MONDAY + timedelta(days=3), "end": MONDAY + timedelta(days=7)},
    ],
)
def test_a_schedule_that_was_tampered_with_is_caught(change: dict[str, object]) -> None:
    request_ = project()
    answer = plan_project(request_, silent)
    assert broken(request_, answer) == []
    first = answer.tasks[0].model_copy(update=change)
    assert broken(request_, answer.model_copy(update={"tasks": (first, *answer.tasks[1:])})) != []


@pytest.mark.parametrize("change", [{"finish": MONDAY}, {"days": 5.75}])
def test_a_finish_that_is_not_the_tasks_is_caught(change: dict[str, object]) -> None:
    request_ = project()
    (only,) = broken(request_, plan_project(request_, silent).model_copy(update=change))
    assert only.startswith("finish ") and "after 6 working days" in only


@SLOW
@given(requests(), st.data())
def test_a_task_moved_out_of_its_order_is_caught(request_: ScheduleRequest, data: st.DataObject) -> None:
    """A task of somebody, put whole weeks before the project starts or its length changed, is caught."""
    answer = plan_project(request_, silent, seconds=5)
    place = data.draw(st.integers(0, len(answer.tasks) - 1))
    task = answer.tasks[place]
    weeks = timedelta(weeks=data.draw(st.integers(4, 6)))
    change: dict[str, object] = data.draw(
        st.sampled_from(
            [
                {"start": task.start - weeks, "end": task.end - weeks},
                {"end": task.end + weeks},
                {"who": (*task.who, "Nobody")},
            ]
        )
    )
    tasks = (*answer.tasks[:place], task.model_copy(update=change), *answer.tasks[place + 1 :])
    assert broken(request_, answer.model_copy(update={"tasks": tasks})) != []
