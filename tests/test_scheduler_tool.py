"""The project tool as the agent sees it: names resolved, questions, constraints, honest checks."""

from __future__ import annotations

from datetime import date

import pytest

from planner.report import PROJECT
from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.estimates import finish_distribution
from tools.scheduler.files.yaml import read_yaml
from tools.scheduler.resolve import resolve
from tools.scheduler.revise import Report, against_baseline, replan, what_if
from tools.scheduler.tool import project_tool
from tools.scheduler.types import Estimate, Link, ScheduleAnswer, ScheduleRequest
from tools.tool import Questions, silent

FRIDAY = date(2027, 1, 8)
TOOL = project_tool(lambda: FRIDAY)

GARDEN = {
    "start": "2027-03-01",
    "deadline": "2027-03-12",
    "tasks": [
        {"name": "clear the beds", "days": 2, "who": ["Ola"]},
        {"name": "order seeds", "days": 0.5, "who": ["ola"]},
        {"name": "sow", "days": 1.5, "after": ["Clear beds", "order seeds"], "who": ["Ola", "Per"]},
    ],
    "days_off": [{"who": "PER", "from": "2027-03-03", "to": "2027-03-03"}],
}


def prepared(**call: object) -> ScheduleRequest | Questions:
    found = TOOL.prepare(ProjectArguments.model_validate(call), silent)
    assert isinstance(found, (ScheduleRequest, Questions))
    return found


def planned(**call: object) -> tuple[ScheduleRequest, ScheduleAnswer]:
    request = prepared(**call)
    assert isinstance(request, ScheduleRequest)
    answer = TOOL.run(request, silent)
    assert isinstance(answer, ScheduleAnswer)
    return request, answer


def test_names_are_matched_without_case_and_articles() -> None:
    request, answer = planned(**GARDEN)
    assert [link.before for link in request.links] == ["clear the beds", "order seeds"]
    assert [person.name for person in request.people] == ["Ola", "Per"]
    assert [task.end for task in answer.tasks][-1] == date(2027, 3, 5)
    assert all(check.satisfied for check in TOOL.verify(request, answer))
    assert TOOL.summary(answer).endswith("is finished on 2027-03-05.")
    shown = TOOL.constraints(request)
    assert shown["tasks"][2] == {
        "name": "sow",
        "days": 1.5,
        "after": ["clear the beds", "order seeds"],
        "who": ["Ola", "Per"],
    }
    assert repr(shown["tasks"][0]["days"]) == "2"
    assert shown["days_off"] == [{"who": "Per", "from": "2027-03-03", "to": "2027-03-03"}]
    assert ("one_at_a_time" in shown) is False


def test_what_a_file_says_beyond_the_public_schema_is_shown() -> None:
    text = """\
title: Garden
start: 2027-03-01
deadline: 2027-03-19
buffer: 1
holidays: true
weekdays: [mon, tue, wed, thu, fri, sat]
people: {Ola: 1, Per: 1, Crew: 3}
days_off: [{who: Per, from: 2027-03-03, to: 2027-03-04, part: morning}]
tasks:
  - {task: order seeds, best: 0.25, likely: 0.5, worst: 3, either: [Ola, Per]}
  - {task: sow, effort: 6, who: [Ola, "Crew [2]"], after: ["order seeds [SS+2]"]}
  - {task: fence, days: 3, who: Per, earliest: 2027-03-02, latest: 2027-03-12, priority: 5, after: [sow]}
"""
    request = resolve(read_yaml(text), FRIDAY)
    assert isinstance(request, ScheduleRequest)
    shown = TOOL.constraints(request)
    off = {"who": "Per", "from": "2027-03-03", "to": "2027-03-04", "part": "morning"}
    assert shown == {
        "title": "Garden",
        "start": "2027-03-01",
        "deadline": "2027-03-19",
        "buffer": 1,
        "tasks": [
            {
                "name": "order seeds",
                "days": 0.5,
                "either": ["Ola", "Per"],
                "estimate": {"best": 0.25, "likely": 0.5, "worst": 3},
            },
            {
                "name": "sow",
                "days": 2,
                "after": ["order seeds [SS+2]"],
                "who": ["Ola", "Crew [2]"],
                "effort": 6,
            },
            {
                "name": "fence",
                "days": 3,
                "after": ["sow"],
                "who": ["Per"],
                "earliest": "2027-03-02",
                "latest": "2027-03-12",
                "priority": 5,
            },
        ],
        "days_off": [off],
        "people": {"Crew": 3},
        "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat"],
        "holidays": True,
    }
    lines = [f"{name} {value}" for name, value in PROJECT.understood(shown)]
    assert [line for line in lines if line.split()[0] in ("task", "off", "team", "buffer")] == [
        "buffer 1",
        "task order seeds: 0.5 days, 0.25 at best, 0.5 likely, 3 at worst, by one of Ola, Per",
        "task sow: 2 days, 6 person-days, after order seeds [SS+2], by Ola, Crew [2]",
        "task fence: 3 days, after sow, by Per, not before 2027-03-02, to end by 2027-03-12, priority 5",
        "off Per: 2027-03-03 to 2027-03-04, in the morning",
        "team Crew: 3 at a time",
    ]


def test_without_a_start_the_next_working_day_is_taken_and_said() -> None:
    request, answer = planned(tasks=[{"name": "x", "days": 1}])
    assert request.start == date(2027, 1, 11)
    assert any("2027-01-11" in warning for warning in TOOL.warnings(answer))
    assert "start" not in TOOL.constraints(request)


def tasks(*after: tuple[str, ...], days: float = 1) -> list[dict[str, object]]:
    return [{"name": name, "days": days, "after": a} for name, a in zip("ABC", after, strict=False)]


@pytest.mark.parametrize(
    ("call", "field", "words"),
    [
        ({}, "tasks", "no task"),
        ({"tasks": tasks(("C",), ("A",), ("B",))}, "tasks", "A -> "),
        ({"tasks": tasks(("A",))}, "tasks", "A -> A"),
        ({"tasks": tasks((), ("Z",))}, "tasks", "'Z'"),
        ({"tasks": [{"name": "X", "days": 1}, {"name": "the x", "days": 1}]}, "tasks", "two tasks"),
        ({"tasks": tasks((), days=99_999)}, "tasks", "99999"),
        ({"tasks": tasks((), days=float("inf"))}, "tasks", "inf"),
        ({"tasks": tasks(()), "start": "2027-02-30"}, "start", "no day"),
        (
            {"tasks": tasks(()), "start": "2027-03-02", "deadline": "2027-03-01"},
            "deadline",
            "before the start",
        ),
        (
            {"tasks": tasks(()), "days_off": [{"who": "A", "from": "2027-03-02", "to": "2027-03-01"}]},
            "days_off",
            "before they begin",
        ),
        ({"tasks": [{"name": f"t{n}", "days": 1} for n in range(5_001)]}, "tasks", "5,001"),
    ],
)
def test_what_cannot_be_planned_is_asked_about(call: dict[str, object], field: str, words: str) -> None:
    asked = prepared(**call)
    assert isinstance(asked, Questions)
    assert [question.field for question in asked.questions] == [field]
    assert words in asked.questions[0].reason


def test_a_cycle_is_a_chain() -> None:
    asked = prepared(tasks=tasks(("C",), ("A",), ("B",)))
    assert isinstance(asked, Questions)
    chain = asked.questions[0].reason.split(": ")[1].split(" -> ")
    assert chain[0] == chain[-1] and "".join(chain[:-1]) in ("ABC", "BCA", "CAB")


def test_a_broken_deadline_is_told_with_what_would_help() -> None:
    request, answer = planned(**GARDEN | {"deadline": "2027-03-04"})
    assert [c.constraint for c in TOOL.verify(request, answer) if not c.satisfied] == ["deadline 2027-03-04"]
    told = TOOL.warnings(answer)
    assert told[0] == "cannot be kept: everything is finished by 2027-03-04"
    assert "it would help to move the deadline to 2027-03-05" in told


def test_a_slip_moves_what_waits_for_it() -> None:
    request, answer = planned(**GARDEN)
    slip = what_if(request, answer, "clear the beds", 5, silent)
    assert slip.moved["clear the beds"] == 5 and slip.before == date(2027, 3, 5)
    assert slip.same_order == slip.replanned.finish == date(2027, 3, 11)
    with pytest.raises(KeyError, match="no task"):
        what_if(request, answer, "mow", 1, silent)
    with pytest.raises(ValueError, match="negative"):
        what_if(request, answer, "sow", -1, silent)


def test_what_happened_is_kept_and_the_rest_planned_anew() -> None:
    request, answer = planned(**GARDEN)
    on = date(2027, 3, 4)
    changed, now = replan(request, answer, [Report("clear the beds", 0.5, on)], silent)
    assert all(check.satisfied for check in TOOL.verify(changed, now))
    beds = now.tasks[0]
    assert beds.start == answer.tasks[0].start and beds.resumes is not None and beds.resumes[0] > on
    drift = {d.task: d.days for d in against_baseline(request, answer, now)}
    assert drift["sow"] > 0
    done, later = replan(changed, now, [Report("clear the beds", 1, date(2027, 3, 5))], silent)
    assert later.tasks[0].end <= date(2027, 3, 5)
    assert all(check.satisfied for check in TOOL.verify(done, later))
    with pytest.raises(ValueError, match="share"):
        replan(request, answer, [Report("sow", 1.5, on)], silent)


def test_a_milestone_after_finished_work_is_reached_when_that_ends() -> None:
    """The rest of a plan begins after the report; a milestone takes no time and needs no day of its own."""
    request, answer = planned(
        start="2027-03-01",
        deadline="2027-03-05",
        tasks=[{"name": "build", "days": 5}, {"name": "check", "days": 1, "after": ["build"]}],
    )
    handover = request.tasks[1].model_copy(update={"days": 0})
    request = request.model_copy(update={"tasks": (request.tasks[0], handover)})
    changed, now = replan(request, answer, [Report("build", 1, date(2027, 3, 5))], silent)
    assert now.finish == date(2027, 3, 5) and now.broken == ()
    assert all(check.satisfied for check in TOOL.verify(changed, now))


def test_work_that_began_after_its_planned_end_ended_by_the_report() -> None:
    request, answer = planned(start="2027-03-01", tasks=[{"name": "dig", "days": 1}])
    late = Report("dig", 1, date(2027, 3, 4), began=(date(2027, 3, 3), 2))
    changed, now = replan(request, answer, [late], silent)
    (dig,) = now.tasks
    assert (dig.start, dig.begins, dig.end, dig.ends) == (date(2027, 3, 3), 2, date(2027, 3, 4), 4)
    assert all(check.satisfied for check in TOOL.verify(changed, now))


def test_what_was_reported_is_no_wish() -> None:
    """A conflict names what was asked for: nobody asked for the day on which the rest goes on."""
    request, answer = planned(
        start="2027-03-01",
        deadline="2027-03-05",
        tasks=[{"name": "dig", "days": 3}, {"name": "sow", "days": 1}],
    )
    on = date(2027, 3, 4)
    _, late = replan(request, answer, [Report("dig", 0.5, on)], silent)
    assert late.conflict is not None
    assert late.conflict.wishes == ("everything is finished by 2027-03-05",)
    assert late.conflict.changes == ("move the deadline to 2027-03-08",)
    # A day that was asked for, after the report, still is one.
    waits = request.tasks[1].model_copy(update={"earliest": date(2027, 3, 8)})
    asked = request.model_copy(update={"tasks": (request.tasks[0], waits)})
    _, waiting = replan(asked, answer, [Report("dig", 0.9, on)], silent)
    assert waiting.conflict is not None
    assert waiting.conflict.wishes == (
        "everything is finished by 2027-03-05",
        "'sow' begins on 2027-03-08 or later",
    )


def test_a_task_that_ended_late_does_not_hide_what_would_help() -> None:
    request, answer = planned(
        start="2027-03-01",
        deadline="2027-03-04",
        tasks=[{"name": "dig", "days": 2}, {"name": "sow", "days": 2, "after": ["dig"]}],
    )
    dig = request.tasks[0].model_copy(update={"latest": date(2027, 3, 1)})
    request = request.model_copy(update={"tasks": (dig, request.tasks[1])})
    changed, now = replan(request, answer, [Report("dig", 1, date(2027, 3, 3))], silent)
    assert now.broken == ("everything is finished by 2027-03-04", "'dig' ends by 2027-03-01")
    assert len([check for check in TOOL.verify(changed, now) if not check.satisfied]) == 2
    assert now.conflict is not None and now.conflict.changes == ("move the deadline to 2027-03-05",)


def test_a_task_under_way_slips_by_the_days_that_were_asked() -> None:
    request, answer = planned(start="2027-03-01", tasks=[{"name": "dig", "days": 4}])
    changed, now = replan(request, answer, [Report("dig", 0.5, date(2027, 3, 2))], silent)
    assert now.finish == date(2027, 3, 4)
    for days, finish in ((0, date(2027, 3, 4)), (4, date(2027, 3, 10))):
        slip = what_if(changed, now, "dig", days, silent)
        assert slip.same_order == slip.replanned.finish == finish
        assert all(check.satisfied for check in TOOL.verify(slip.request, slip.replanned))
    ended, after = replan(request, answer, [Report("dig", 1, date(2027, 3, 2))], silent)
    assert what_if(ended, after, "dig", 4, silent).replanned.finish == after.finish == date(2027, 3, 2)


def test_what_waits_for_a_begin_that_is_past_leaves_slack() -> None:
    request, answer = planned(
        start="2027-03-01",
        tasks=[
            {"name": "dig", "days": 4, "who": ["Ola"]},
            {"name": "sow", "days": 6, "who": ["Per"], "after": ["dig"]},
        ],
    )
    tied = request.model_copy(update={"links": (Link(before="dig", after="sow", kind="SS"),)})
    _, now = replan(tied, answer, [Report("dig", 0.5, date(2027, 3, 2))], silent)
    dig, sow = now.tasks
    assert (dig.slack, dig.critical) == (4, False)
    assert (sow.slack, sow.critical) == (0, True) and now.critical_path == ("sow",)


def test_the_finish_has_a_distribution() -> None:
    request, answer = planned(**GARDEN)
    certain = finish_distribution(request, answer)
    assert certain.p50 == certain.p95 == answer.finish and certain.on_plan == 1
    wide = request.tasks[0].model_copy(update={"estimate": Estimate(best=1, likely=2, worst=9)})
    doubtful = request.model_copy(update={"tasks": (wide, *request.tasks[1:])})
    spread = finish_distribution(doubtful, answer)
    assert answer.finish <= spread.p50 < spread.p80 < spread.p95
    assert 0 < spread.on_plan < 1 and spread == finish_distribution(doubtful, answer)
