"""Projects in files: what is written is read back the same; what cannot be read is refused with its place."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from tools.scheduler.arguments import ProjectArguments
from tools.scheduler.draft import Draft
from tools.scheduler.files import PlanFileError, read_plan
from tools.scheduler.files.csv import read_csv, write_csv
from tools.scheduler.files.ics import to_ics
from tools.scheduler.files.mermaid import to_mermaid
from tools.scheduler.files.xml import read_xml
from tools.scheduler.files.xml_out import to_xml
from tools.scheduler.files.yaml import read_yaml
from tools.scheduler.prepare import Given, Progressed, prepare
from tools.scheduler.resolve import resolve
from tools.scheduler.revise import answered, reported
from tools.scheduler.types import (
    Absence,
    Demand,
    Estimate,
    Link,
    Person,
    Report,
    ScheduleRequest,
    Task,
)
from tools.scheduler.verify import verify
from tools.tool import Question, Questions, silent

START = date(2027, 3, 1)
GARDEN = """\
title: Garden
start: 2027-03-01
deadline: 2027-03-19
buffer: 1
holidays: true
people: {Ola: 1, Per: 1, Crew: 3}
days_off:
  - {who: Per, from: 2027-03-03, to: 2027-03-04, part: morning}
  - {from: 2027-03-05}
tasks:
  - {task: clear the beds, days: 2, who: Ola}
  - {task: order seeds, days: 0.5, either: [Ola, Per], best: 0.25, likely: 0.5, worst: 3}
  - {task: sow, effort: 6, who: [Ola, "Crew [2]"], after: [clear the beds, "order seeds [FS+2]"]}
  - {task: fence, days: 3, who: Per, earliest: 2027-03-02, latest: 2027-03-12, priority: 5}
  - {task: open day, days: 0, after: [sow, "fence [SS]"]}
"""


def request_of(draft: Draft) -> ScheduleRequest:
    found = resolve(draft, date(2026, 11, 2))
    assert isinstance(found, ScheduleRequest), found
    return found


def planned(request):
    return answered(request, silent, 10)


# Names as people give them, and as nobody should.
NAMES = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp"), include_characters="éß漢;,[]\"'=+-@<&>:#"),
    min_size=1,
    max_size=12,
).map(lambda name: " ".join(name.split()))


def key(name):
    words = [w for w in name.casefold().split() if w not in ("a", "an", "the")]
    return " ".join(words or name.casefold().split())


NAME_SETS = st.lists(NAMES.filter(bool), min_size=2, max_size=9, unique_by=key)
QUARTER_DAYS = st.integers(0, 24).map(lambda n: n / 4)
DAYS = st.integers(0, 60).map(lambda n: START + timedelta(days=n))


@st.composite
def requests(draw, *, calendar):
    """Projects; with ``calendar``, also people's places, absences and what only some files hold."""
    names = draw(NAME_SETS)
    count = draw(st.integers(1, len(names) - 1))
    tasks, people = names[:count], names[count:]
    capacity = {name: draw(st.integers(1, 3)) if calendar else 1 for name in people}
    made, links = [], []
    for place, name in enumerate(tasks):
        who = draw(st.lists(st.sampled_from(people), max_size=2, unique=True))
        demands = tuple(Demand(name=n, units=draw(st.integers(1, capacity[n]))) for n in who)
        earliest = draw(st.none() | DAYS)
        made.append(
            Task(
                name=name,
                days=draw(QUARTER_DAYS),
                who=demands,
                earliest=earliest,
                latest=draw(st.none() | DAYS),
                priority=draw(st.integers(1, 100)),
            )
        )
        for before in (
            draw(st.lists(st.sampled_from(tasks[:place]), max_size=2, unique=True)) if place else ()
        ):
            kind, lag = draw(st.sampled_from(("FS", "SS", "FF", "SF"))), draw(st.integers(-4, 8)) / 4
            links.append(Link(before=before, after=name, kind=kind, lag=lag))
    busy = {demand.name for task in made for demand in task.who}
    absences = []
    for who in draw(st.lists(st.sampled_from([None, *sorted(busy)]), max_size=3)) if calendar else ():
        first = draw(DAYS)
        part = draw(st.sampled_from(("day", "morning", "afternoon")))
        absences.append(
            Absence(who=who, first=first, last=first + timedelta(days=draw(st.integers(0, 9))), part=part)
        )
    return ScheduleRequest(
        title=draw(NAMES) if calendar else "",
        start=START,
        deadline=draw(st.none() | DAYS) if calendar else None,
        tasks=tuple(made),
        links=tuple(links),
        people=tuple(Person(name=n, capacity=capacity[n]) for n in people if calendar or n in busy),
        absences=tuple(absences),
        holidays=draw(st.booleans()) if calendar else False,
        weekdays=draw(st.sampled_from(((0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5), (1, 3))))
        if calendar
        else (0, 1, 2, 3, 4),
        one_at_a_time=draw(st.booleans()) if calendar else True,
    )


def same(one, two):
    """Whether two projects are the same but for the order of what has none."""
    assert one.tasks == two.tasks
    assert sorted(one.links, key=repr) == sorted(two.links, key=repr)
    assert sorted(one.people, key=repr) == sorted(two.people, key=repr)
    assert sorted(one.absences, key=repr) == sorted(two.absences, key=repr)
    fields = ("deadline", "holidays", "weekdays", "one_at_a_time")
    assert [getattr(one, field) for field in fields] == [getattr(two, field) for field in fields]


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(requests(calendar=True))
def test_xml_reads_back_as_it_was_written(request):
    again = request_of(read_xml(to_xml(request, planned(request), request.title or "-").encode()))
    same(again, request)


@QUICK
@given(requests(calendar=False))
def test_csv_reads_back_as_it_was_written(request):
    draft = read_csv(write_csv(request, planned(request)))
    same(request_of(draft.model_copy(update={"start": START})), request)


def test_csv_keeps_effort_alternatives_estimates_and_progress():
    request = request_of(read_yaml(GARDEN))
    request = reported(request, planned(request), [Report("clear the beds", 0.6, date(2027, 3, 2))])
    draft = read_csv(write_csv(request, planned(request)))
    assert draft.tasks[0].done == 0.6
    again = request_of(draft)
    assert again.tasks == request.tasks
    assert again.tasks[1].estimate == Estimate(best=0.25, likely=0.5, worst=3)
    assert again.tasks[2].effort == 6 and again.tasks[1].either == ("Ola", "Per")


def test_xml_keeps_progress_and_says_who_was_chosen():
    request = request_of(read_yaml(GARDEN))
    answer = planned(request)
    request = reported(request, answer, [Report("clear the beds", 0.6, date(2027, 3, 2))])
    draft = read_xml(to_xml(request, planned(request), "Garden").encode())
    assert draft.title == "Garden" and draft.asof == date(2027, 3, 2)
    assert draft.tasks[0].done == pytest.approx(0.6)
    assert [demand.name for demand in draft.tasks[1].who] in (["Ola"], ["Per"])


def test_xml_keeps_when_work_began_and_ended():
    """Not as the plan says: the beds a day later and longer, the seeds later on the same day."""
    request = request_of(read_yaml(GARDEN))
    on = date(2027, 3, 4)
    reports = [
        Report("clear the beds", 1, on, began=(date(2027, 3, 2), 1), ended=(on, 2)),
        Report("order seeds", 0.5, on, began=(date(2027, 3, 1), 3)),
        Report("open day", 1, on, began=(date(2027, 3, 3), 4), ended=(date(2027, 3, 3), 4)),
    ]
    request = reported(request, planned(request), reports)
    answer = planned(request)
    assert all(
        check.satisfied for check in verify(request, answer) if "link open day" not in check.constraint
    )
    draft = read_xml(to_xml(request, answer, "Garden").encode())
    again = prepare(ProjectArguments(), Given(source=draft), date(2027, 4, 1), silent)
    assert isinstance(again, ScheduleRequest)
    assert again.happened == request.happened
    asked = prepare(ProjectArguments(), Given(source=draft, start=date(2027, 3, 2)), on, silent)
    assert isinstance(asked, Questions)
    assert "'order seeds' began on 2027-03-01, before the project's start" in asked.questions[0].reason


def test_a_computing_spreadsheet_computes_nothing():
    request = ScheduleRequest(start=START, tasks=(Task(name='=HYPERLINK("http://x")', days=1),))
    (cell, *_), *_ = list(csv.reader(io.StringIO(write_csv(request, planned(request)))))[1:]
    assert cell == '\'=HYPERLINK("http://x")'


def test_yaml_says_everything():
    request = request_of(read_yaml(GARDEN))
    assert (request.title, request.start, request.deadline) == ("Garden", START, date(2027, 3, 19))
    assert request.buffer == 1 and request.holidays
    assert [person.capacity for person in request.people] == [1, 1, 3]
    assert request.absences[0].part == "morning" and request.absences[1].who is None
    assert request.tasks[2].who == (Demand(name="Ola"), Demand(name="Crew", units=2))
    assert Link(before="order seeds", after="sow", lag=2) in request.links
    assert Link(before="fence", after="open day", kind="SS") in request.links
    assert (request.tasks[3].earliest, request.tasks[3].priority) == (date(2027, 3, 2), 5)


def test_people_who_cannot_be_told_apart_are_asked_about():
    text = "people: {Team: 1, Team A: 2}\ntasks: [{task: dig, days: 1, who: Team}]"
    (question,) = resolve(read_yaml(text), date(2027, 3, 1))
    assert isinstance(question, Question)
    assert question.field == "people" and "'Team' and 'Team A' cannot be told apart" in question.reason


def test_no_effort_is_a_milestone():
    request = request_of(read_csv("task,effort,who\nopen day,0,Ola\n"))
    assert (request.tasks[0].days, request.tasks[0].effort) == (0, None)


# Plans that would reach beyond the calendar -> what is asked.
ENDLESS = {
    "tasks: [{task: a, days: 1}]\nbuffer: 10000000\ndeadline: 2027-03-05": "1e+07 working days to spare",
    "tasks: [{task: a, best: 1, likely: 2, worst: 1000000}]": "at worst",
    "tasks: [{task: a, days: 1}]\nstart: 9999-12-30": "years from today",
    "weekdays: [mon]\ntasks: ["
    + ", ".join(f"{{task: t{n}, days: 2600}}" for n in range(40)) + "]": "100,000 can be planned",
    "weekdays: [mon]\ntasks: [{task: t0, days: 1}, "
    + ", ".join(f"{{task: t{n}, days: 1, after: 't0 [+2600]'}}" for n in range(1, 41)) + "]": "lags add up",
}  # fmt: skip


@pytest.mark.parametrize("text", ENDLESS)
def test_what_would_end_beyond_the_calendar_is_asked_about(text):
    (question,) = resolve(read_yaml(text), date(2027, 3, 1))
    assert isinstance(question, Question)
    assert ENDLESS[text] in question.reason


def test_the_longest_project_is_planned():
    """What is not asked about has dates: here 100,000 Mondays in a row, after the lags of all."""
    tasks = ", ".join(f"{{task: t{n}, days: 2500, after: 't{n - 1} [+2500]'}}" for n in range(1, 20))
    text = f"weekdays: [mon]\nholidays: true\ntasks: [{{task: t0, days: 2500}}, {tasks}]"
    finish = planned(request_of(read_yaml(text))).finish
    assert finish.year > 3900


def test_progress_without_a_day_stays_that_of_the_day_on_which_it_was_told():
    table = read_csv("task,days,done\ndig,4,50%\nsow,4,\n")
    first = Given(source=table, start=START, done=(Progressed(task="sow", share=0.25),))
    tuesday, week_later = date(2027, 3, 2), date(2027, 3, 9)

    def reported_on(given, today):
        request = prepare(ProjectArguments(), given, today, silent)
        assert isinstance(request, ScheduleRequest)
        return {event.task: event.asof for event in request.happened}

    assert reported_on(first, tuesday) == {"dig": tuesday, "sow": tuesday}
    assert reported_on(Given(asof=week_later).after(first.kept(tuesday)), week_later) == {
        "dig": tuesday,
        "sow": tuesday,
    }
    more = Given(done=(Progressed(task="sow", share=0.5),))
    assert reported_on(more.after(first.kept(tuesday)), week_later) == {"dig": tuesday, "sow": week_later}
    # The day of the file is that of its own shares, and of what is told with it.
    dated = first.model_copy(update={"source": table.model_copy(update={"asof": date(2027, 3, 3)})})
    assert set(reported_on(dated, week_later).values()) == {date(2027, 3, 3)}
    assert reported_on(more.after(dated.kept(tuesday)), week_later) == {
        "dig": date(2027, 3, 3),
        "sow": week_later,
    }


def test_the_example_of_the_manual_is_planned(tmp_path):
    manual = Path(__file__).parents[1] / "docs" / "projects.md"
    (tmp_path / "garden.yaml").write_text(manual.read_text().split("```yaml\n")[1].split("```")[0])
    draft = read_plan(tmp_path / "garden.yaml")
    request = prepare(ProjectArguments(), Given(source=draft), date(2027, 3, 1), silent)
    assert isinstance(request, ScheduleRequest)
    assert all(check.satisfied for check in verify(request, planned(request)))
    assert [event.share for event in request.happened] == [0.5]


def test_the_calendar_has_an_event_for_each_task():
    request = request_of(read_yaml(GARDEN))
    answer, made = planned(request), datetime(2027, 2, 1, 12, tzinfo=UTC)
    text = to_ics(answer, "Garden; 'quoted', \\ and\nmore", made)
    events = Calendar.from_ical(text).walk("VEVENT")
    assert [str(event["summary"]) for event in events] == [task.task for task in answer.tasks]
    beds = events[0]
    assert beds.decoded("dtstart") == answer.tasks[0].start
    assert beds.decoded("dtend") == answer.tasks[0].end + timedelta(days=1)
    assert len({str(event["uid"]) for event in events}) == len(events)
    again = Calendar.from_ical(to_ics(answer, "Garden; 'quoted', \\ and\nmore", made)).walk("VEVENT")
    assert [str(event["uid"]) for event in again] == [str(event["uid"]) for event in events]


def test_a_milestone_in_the_calendar_has_no_end():
    request = request_of(read_yaml(GARDEN))
    text = to_ics(planned(request), "Garden", datetime(2027, 2, 1, 12, tzinfo=UTC))
    for event in Calendar.from_ical(text).walk("VEVENT"):
        milestone = str(event["summary"]) == "open day"
        assert ("dtend" in event) is not milestone
        assert milestone or event.decoded("dtend") > event.decoded("dtstart")


def test_tasks_of_two_projects_without_a_title_are_not_the_same_event():
    def uids(*names):
        request = ScheduleRequest(start=START, tasks=tuple(Task(name=name, days=1) for name in names))
        text = to_ics(planned(request), "", datetime(2027, 2, 1, 12, tzinfo=UTC))
        return {str(event["uid"]) for event in Calendar.from_ical(text).walk("VEVENT")}

    assert uids("dig", "sow") == uids("dig", "sow")
    assert not uids("dig", "sow") & uids("dig", "pour")


def test_xml_keeps_every_character_that_it_can_hold():
    kept, lost = "a\xa0b\u200dc\xadd\N{DESERT ISLAND}", "\x1b\x00\ufffe"
    request = ScheduleRequest(start=START, tasks=(Task(name=kept + lost, days=1),))
    (task,) = read_xml(to_xml(request, planned(request), "-").encode()).tasks
    assert task.name == kept + "\N{REPLACEMENT CHARACTER}" * 3


@pytest.mark.parametrize(
    "name", ["title page", "Section 2", "2027-03-01 kickoff", "dateFormat x", "Excludes y", "click here"]
)
def test_mermaid_takes_no_task_for_a_word_of_its_own(name):
    request = ScheduleRequest(start=START, tasks=(Task(name=name, days=1),))
    line = to_mermaid(planned(request), "-").splitlines()[-1].strip()
    assert line == f"- {name} :crit, t1, 2027-03-01 00:00, 2027-03-01 23:59"


def test_mermaid_has_a_line_for_each_task_and_nothing_of_its_own_in_names():
    request = ScheduleRequest(
        start=START,
        tasks=(Task(name="a:b; c%%\nd", days=1), Task(name="end", days=0)),
        links=(Link(before="a:b; c%%\nd", after="end"),),
    )
    lines = to_mermaid(planned(request), "T: x").splitlines()
    assert lines[0] == "gantt" and lines[1].strip() == "title T x"
    assert [line.strip() for line in lines[5:]] == [
        "a b c d :crit, t1, 2027-03-01 00:00, 2027-03-01 23:59",
        "end :crit, milestone, t2, 2027-03-01 23:59, 2027-03-01 23:59",
    ]


PROJECT = '<Project xmlns="http://schemas.microsoft.com/project">{}</Project>'
TASK = "<Task><UID>{0}</UID><ID>{0}</ID><Name>{1}</Name><Duration>PT16H0M0S</Duration>{2}</Task>"

LAGGED = (
    "<Tasks><Task><UID>1</UID><Name>dig</Name></Task><Task><UID>2</UID><Name>sow</Name><PredecessorLink>"
    "<PredecessorUID>1</PredecessorUID><LinkLag>4800</LinkLag><LagFormat>{}</LagFormat></PredecessorLink>"
    "</Task></Tasks>"
)
CALENDAR = (
    "<CalendarUID>1</CalendarUID><Calendars><Calendar><UID>1</UID><Exceptions><Exception><TimePeriod>"
    "<FromDate>2026-12-24T00:00:00</FromDate><ToDate>2035-12-26T23:59:00</ToDate></TimePeriod>"
    "<Name>off</Name>{}<DayWorking>0</DayWorking></Exception></Exceptions></Calendar></Calendars>"
)

# A file's kind and content -> what its reader is told.
REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "empty csv": (".csv", "", "the file is empty"),
    "blank yaml": (".yaml", " \n \n", "the file is empty"),
    "only a heading": (".csv", "task,days\n", "there is no task in it"),
    "wrong column": (".csv", "\ntask,days,colour\ndig,1,red\n", "line 2: no column is called 'colour'"),
    "no days column": (".csv", "task,who\ndig,Ola\n", "line 1: a table needs the columns task and days"),
    "a column twice": (".csv", "task,days,task\n", "line 1: two columns are called 'task'"),
    "too many cells": (".csv", "task,days\ndig,1\nsow,2,3\n", "line 3: 3 cells under 2 columns"),
    "no name": (".csv", "task,days\n ,1\n", "line 2: the task has no name"),
    "no length": (".csv", "task,days\ndig,\n", "line 2: 'dig' has no days, no effort and no estimate"),
    "words for days": (".csv", "task,days\ndig,soon\n", "line 2: days is a number, not 'soon'"),
    "negative days": (".csv", "task,days\ndig,-1\n", "line 2: days is not negative"),
    "infinite days": (".csv", "task,days\ndig,inf\n", "line 2: days is a number, not 'inf'"),
    "a bad day": (".csv", "task,days,earliest\ndig,1,2027-02-30\n", "line 2: earliest is a day as"),
    "a bad link": (".csv", "task,days,after\ndig,1,sow [FS+x]\n", "line 2: a link is"),
    "done twice over": (".csv", "task,days,done\ndig,1,120%\n", "line 2: done is a share"),
    "an open quote": (".csv", 'task,days\n"dig,1\n', "line 2"),
    "no text": (".csv", b"task,days\ndig\xff,1\n", "line 2: this is not UTF-8 text"),
    "half an estimate": (".csv", "task,best,likely\ndig,1,2\n", "line 2: an estimate is best, likely"),
    "an estimate upside down": (".csv", "task,best,likely,worst\ndig,3,2,1\n", "line 2: an estimate is best"),
    "no mapping": (".yaml", "- dig\n- sow\n", "line 1: a project is a mapping"),
    "unknown key": (".yaml", "tasks:\n  - {task: dig, days: 1}\nteam: [Ola]\n", "nothing is called 'team'"),
    "unknown key of a task": (".yaml", "tasks:\n  - {task: dig, days: 1, size: 3}\n", "line 2: nothing is"),
    "a key twice": (".yaml", "title: a\ntitle: b\ntasks: []\n", "line 1: a key stands here twice"),
    "an alias": (".yaml", "title: &a x\ntasks:\n  - {task: *a, days: 1}\n", "line 3: aliases are not"),
    "python in yaml": (".yaml", "title: !!python/object/apply:os.getcwd []\n", "line 1"),
    "broken yaml": (".yaml", "tasks: [\n", "line 2"),
    "a weekday that is none": (".yaml", "weekdays: [mon, someday]\ntasks: []\n", "weekdays are some of"),
    "days off without a day": (".yaml", "days_off:\n  - {who: Ola}\n", "line 2: days off need the day"),
    "days off backwards": (
        ".yaml", "days_off:\n  - {who: Ola, from: 2027-03-02, to: 2027-03-01}\n", "line 2: days off end",
    ),
    "a team beyond counting": (
        ".yaml", "at_once: true\ntasks: [{task: dig, days: 1, who: 'Crew [99999999999999999999]'}]\n",
        "line 2: units: Input should be less than or equal to 10000",
    ),
    "no xml": (".xml", "<Project", "line 1: this is no XML"),
    "another xml": (".xml", "<html/>", "this is no project of MS Project"),
    "a bomb": (".xml", '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><p>&b;</p>', "declares"),
    "a foreign file": (".xml", '<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/x">]><p>&a;</p>', "declares"),
    "no tasks in xml": (".xml", PROJECT.format("<Tasks/>"), "there is no task in it"),
    "elapsed time": (
        ".xml",
        PROJECT.format(f"<Tasks>{TASK.format(1, 'dry', '<DurationFormat>8</DurationFormat>')}</Tasks>"),
        "'dry' lasts PT16H0M0S of elapsed time",
    ),
    "a link to nowhere": (
        ".xml",
        PROJECT.format(
            "<Tasks>"
            + TASK.format(1, "dig", "<PredecessorLink><PredecessorUID>9</PredecessorUID></PredecessorLink>")
            + "</Tasks>"
        ),
        "'dig' waits for a task that is not in the file",
    ),
    "an elapsed lag": (
        ".xml", PROJECT.format(LAGGED.format(8)),
        "'sow' has a link with a lag in elapsed time",
    ),
    "a lag in percent": (
        ".xml", PROJECT.format(LAGGED.format(51)),
        "'sow' has a link with a lag in a percentage",
    ),
    "estimated elapsed time": (
        ".xml",
        PROJECT.format(f"<Tasks>{TASK.format(1, 'dry', '<DurationFormat>40</DurationFormat>')}</Tasks>"),
        "'dry' lasts PT16H0M0S of elapsed time",
    ),
    "two points in a duration": (
        ".xml", PROJECT.format(f"<Tasks>{TASK.format(1, 'dry', '').replace('PT16H', 'PT1.2.3H')}</Tasks>"),
        "'dry' has the duration 'PT1.2.3H0M0S'",
    ),
    "units that are no number": (
        ".xml", PROJECT.format("<Resources><Resource><UID>1</UID><Name>Ola</Name><MaxUnits>NaN</MaxUnits>"
        "</Resource></Resources>"), "MaxUnits is a number, not 'NaN'",
    ),
    "days off every other Friday": (
        ".xml",
        PROJECT.format(CALENDAR.format("<Type>6</Type><Period>2</Period><DaysOfWeek>32</DaysOfWeek>")),
        "a calendar's exception, off, returns neither every day nor every year",
    ),
    "a word for a number": (".xml", PROJECT.format("<MinutesPerDay>many</MinutesPerDay>"), "whole number"),
    "another kind": (".docx", "task", "a project is read from .csv, .yaml or .xml"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_place(name, tmp_path):
    kind, content, told = REFUSED[name]
    path = tmp_path / f"plan{kind}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PlanFileError) as refused:
        read_plan(path)
    assert told in str(refused.value) and str(path) in str(refused.value)


def test_a_hundred_thousand_tasks_are_refused(tmp_path):
    path = tmp_path / "big.csv"
    path.write_text("task,days\n" + "".join(f"task {n},1\n" for n in range(100_000)))
    with pytest.raises(PlanFileError, match="100,000 tasks, and 5,000 can be planned"):
        read_plan(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlanFileError, match=r"cannot read .*nothing\.csv"):
        read_plan(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("recurs", "days"),
    [
        ("", 3_290),
        ("<Type>1</Type>", 3_290),
        ("<Type>7</Type><Period>1</Period>", 3_290),
        ("<Type>2</Type><Month>11</Month><MonthDay>25</MonthDay>", 10),
        ("<Type>2</Type><Month>11</Month><MonthDay>24</MonthDay>", 10),
        ("<Type>2</Type><Month>1</Month><MonthDay>29</MonthDay>", 2),
    ],
)
def test_an_exception_of_a_calendar_closes_the_days_on_which_it_recurs(recurs, days):
    absences = read_xml(PROJECT.format(CALENDAR.format(recurs)).encode()).absences
    assert sum((absence.last - absence.first).days + 1 for absence in absences) == days
    if "Month" in recurs:
        assert {absence.first for absence in absences} >= {
            date(2032, absences[0].first.month, absences[0].first.day)
        }


def test_summary_tasks_are_dissolved():
    draft = read_xml(
        PROJECT.format(
            "<Tasks>"
            + TASK.format(1, "Phase", "<OutlineLevel>1</OutlineLevel><Summary>1</Summary>")
            + TASK.format(2, "dig", "<OutlineLevel>2</OutlineLevel>")
            + TASK.format(3, "sow", "<OutlineLevel>2</OutlineLevel>")
            + TASK.format(
                4, "eat", "<OutlineLevel>1</OutlineLevel><PredecessorLink><PredecessorUID>1</PredecessorUID>"
                "<Type>1</Type><LinkLag>4800</LinkLag></PredecessorLink>",
            )
            + "</Tasks>"
        ).encode()
    )  # fmt: skip
    assert [task.name for task in draft.tasks] == ["dig", "sow", "eat"]
    assert [(link.task, link.kind, link.lag) for link in draft.tasks[2].after] == [
        ("dig", "FS", 1),
        ("sow", "FS", 1),
    ]
